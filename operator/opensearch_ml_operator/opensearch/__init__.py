"""The border to OpenSearch: HTTP, the error table, typed calls, batched reads, one client per connection.

Nothing outside knows HTTP; nothing inside knows Kubernetes.
"""
