"""A Kubernetes operator that makes OpenSearch ML Commons remote models declarative."""

__version__ = "0.1.0"
