"""What is ours in OpenSearch and has no resource any more."""
