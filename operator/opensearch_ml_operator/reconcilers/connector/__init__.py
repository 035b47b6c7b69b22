"""MLConnector: a connector, its revisions, and the models that are moved from one to the next."""
