"""MLClusterSettings: who has a setting, and what it was before."""
