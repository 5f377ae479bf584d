"""`python -m student_perf rollback`: the previous champion takes its place again."""

from __future__ import annotations

import argparse

from student_perf.commands.arguments import MODELS, add_registry, model_name, reading, store_of
from student_perf.exit_codes import ExitCode
from student_perf.terminal import Terminal

HELP = "exchange the champion and the one before it"
GROUP = MODELS
PARENTS = (reading(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which registered model, who, and why."""
    add_registry(parser)


def run(chosen: argparse.Namespace) -> int:
    """Exchange them; a second rollback takes the first one back."""
    from student_perf.promotion.rollback import rollback
    from student_perf.runs.provenance import user_name
    from student_perf.store.address import default_tracking
    from student_perf.store.registry import Registry

    name = model_name(chosen)
    registry = Registry(store_of(chosen), name)
    by = chosen.by or (user_name() if default_tracking().host_and_user else None)
    champion, before = rollback(registry, by, chosen.why)
    Terminal().heading(
        f"{name}: version {champion.number} is the champion again, "
        f"version {before.number} the previous one"
    )
    return ExitCode.DONE
