"""The command `opensearch-ml`, also `kubectl opensearch-ml`: what is there, what is wrong, what would happen.

It acts with the rights of whoever runs it, and changes nothing but what its `reconcile`, `suspend` and
`resume` say. One module a command: `arguments` describes it to argparse, `run` does it.
"""
