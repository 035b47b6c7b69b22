"""MLModelGroup."""
