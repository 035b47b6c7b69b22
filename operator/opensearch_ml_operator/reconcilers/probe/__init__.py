"""Probes: when a prediction is due, and what its answer means."""
