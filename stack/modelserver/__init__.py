"""A model provider on loopback: real embeddings, a predictable chat model, faults at the flick of a switch.

`python -m stack.modelserver --port PORT` runs it; `stack.modelserver.client.ModelServer` talks to it.

| request | what it does |
| --- | --- |
| POST /v1/embeddings | OpenAI's API; real vectors of 256 dimensions |
| POST /v1/chat/completions | OpenAI's API; the same answer to the same question |
| GET, DELETE /_control/requests | what was sent (`?since=NUMBER`: after that one), forget it |
| PUT, DELETE /_control/faults | a fault of one path, no faults |
| PUT /_control/keys | the API keys that are accepted; null accepts all |
"""
