"""MLflow: runs found, read, sent and registered."""
