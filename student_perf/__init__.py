"""Honest, reproducible experiments on small tabular data."""

__version__ = "0.1.0"
