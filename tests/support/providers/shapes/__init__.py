"""The requests and answers of the providers, as their API references have them.

A model is what the provider takes: fields that it does not know, or that are missing, are refused. `answer`
turns such a request into the provider's answer.
"""
