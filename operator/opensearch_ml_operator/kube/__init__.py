"""The border to Kubernetes: status, Secrets, Events, Leases. Nothing else imports the client library."""
