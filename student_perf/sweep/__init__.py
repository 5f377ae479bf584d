"""Sweeps: many trials of one experiment, run by `-m`; see `run.run_sweep` for what happens when."""
