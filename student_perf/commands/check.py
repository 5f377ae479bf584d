"""`python -m student_perf check`: does a kept model still answer its golden rows as it did?"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from student_perf.commands.arguments import MODELS, add_run, reading
from student_perf.exit_codes import ExitCode

if TYPE_CHECKING:
    from student_perf.store.kept_model import KeptModel

HELP = "check a kept model on the golden rows it carries"
GROUP = MODELS
PARENTS = (reading(),)
USES_METRICS = False
CODES = {ExitCode.FINDING: "finding: a golden row is answered differently"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run's model."""
    add_run(parser)


def run(chosen: argparse.Namespace) -> int:
    """Print one line for each answer that differs; FINDING if there is one."""
    from student_perf.serving.predict import check_model
    from student_perf.store.kept_model import load_kept_model

    kept = load_kept_model(chosen.run, chosen.store)
    wrong = check_model(kept)
    for line in wrong:
        print(f"{chosen.run}: {line}", file=sys.stderr)
    if wrong:
        return ExitCode.FINDING
    assert kept.golden is not None
    rows = f"{len(kept.golden.rows)} golden rows answered as when it was trained"
    print(f"{chosen.run}: {rows}{_though(kept)}")
    return ExitCode.DONE


def _though(kept: KeptModel) -> str:
    """What has changed since, although the answers are equal."""
    changes, others = kept.version_changes()
    words = [f"{one.package} changed from {one.was} to {one.now}" for one in changes]
    if others:
        words.append(f"{others} packages that it does not use changed")
    return f", though {', '.join(words)}" if words else ""
