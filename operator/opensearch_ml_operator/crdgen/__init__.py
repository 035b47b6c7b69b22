"""Generates the CustomResourceDefinitions and their reference from the pydantic models."""

from .definition import definition, schema_hash

__all__ = ["definition", "schema_hash"]
