"""The examples for model providers, and stubs that hold each call to what its provider documents."""
