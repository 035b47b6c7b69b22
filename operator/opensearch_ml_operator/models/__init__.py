"""The kinds: pydantic spec and status of each, and the slim snapshot of an object that the operator keeps."""
