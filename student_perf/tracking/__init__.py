"""The record of a run: on disk first, then in MLflow."""
