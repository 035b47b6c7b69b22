"""Decides when an object is reconciled; knows neither kopf nor HTTP nor Kubernetes."""
