"""Plan, reconcile and finalize of each kind. Knows the models and its own ports, no framework, no client."""
