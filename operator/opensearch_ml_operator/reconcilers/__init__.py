"""Plan, reconcile and finalize: a folder for each kind, and beside them what the kinds share.

Knows the models and its own ports, no framework, no client.
"""
