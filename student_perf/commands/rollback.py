"""`python -m student_perf rollback`: the previous champion takes its place again."""

from __future__ import annotations

import argparse

from student_perf.commands.promote import add_registry
from student_perf.terminal import Terminal

HELP = "exchange the champion and the one before it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which registered model, who, and why."""
    add_registry(parser)
    parser.add_argument(
        "--store", help="tracking URI; default: MLFLOW_TRACKING_URI or the project's"
    )


def run(chosen: argparse.Namespace) -> int:
    """Exchange them; a second rollback takes the first one back."""
    from student_perf.config.load import default_tracking
    from student_perf.promotion.promotion import rollback
    from student_perf.runs.provenance import user_name
    from student_perf.store.registry import Registry

    tracking = default_tracking()
    registry = Registry(chosen.store or tracking.uri, chosen.name)
    by = chosen.by or (user_name() if tracking.host_and_user else None)
    champion, before = rollback(registry, by, chosen.why)
    Terminal().heading(
        f"{chosen.name}: version {champion.number} is the champion again, "
        f"version {before.number} the previous one"
    )
    return 0
