"""Hydra loads sweepers from the namespace `hydra_plugins` only."""

from student_perf.sweep import sweeper


class OptunaSweeper(sweeper.OptunaSweeper):
    """See `student_perf.sweep.sweeper`."""
