"""Sweeps: many trials of one experiment, driven by `-m`."""
