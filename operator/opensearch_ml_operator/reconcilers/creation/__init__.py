"""The create protocol: every object in OpenSearch is created exactly once, whatever gets lost on the way."""
