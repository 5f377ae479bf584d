"""`python -m student_perf check`: does a kept model still answer its golden rows as it did?"""

from __future__ import annotations

import argparse
import sys

HELP = "check a kept model on the golden rows it carries; exit code 2 on a difference"
MISMATCH = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which model."""
    add_model(parser)


def add_model(parser: argparse.ArgumentParser) -> None:
    """The argument that names a kept model."""
    parser.add_argument(
        "model", help="a run folder, latest, an MLflow run id, runs:/ID/model or models:/NAME@ALIAS"
    )


def run(chosen: argparse.Namespace) -> int:
    """Check; 0 where every answer is the same, 2 with a line for each that is not."""
    from student_perf.serving.predict import check_model
    from student_perf.store.kept_model import load_kept_model

    kept = load_kept_model(chosen.model)
    wrong = check_model(kept)
    for line in wrong:
        print(f"{chosen.model}: {line}", file=sys.stderr)
    if wrong:
        return MISMATCH
    assert kept.golden is not None
    print(f"{chosen.model}: {len(kept.golden.rows)} golden rows answered as when it was trained")
    return 0
