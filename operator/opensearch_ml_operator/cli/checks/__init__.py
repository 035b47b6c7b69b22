"""What `doctor` looks at, one module a topic; each returns checks, and prints nothing."""
