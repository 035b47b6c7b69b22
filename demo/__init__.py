"""The product's main job, shown on real servers: `python -m demo [--opensearch 3.6.0|2.19.1]`."""
