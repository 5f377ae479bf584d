"""Other Hydra sweepers, run on the same work."""
