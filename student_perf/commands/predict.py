"""`python -m student_perf predict`: a kept model's predictions for the rows of a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from student_perf.commands.check import add_model

HELP = "predict the rows of a file; exit code 4 when rows were refused"
REFUSED = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, files, and what happens to categories the model does not know."""
    add_model(parser)
    parser.add_argument("input", help="CSV or parquet file")
    parser.add_argument("output", help="CSV or parquet file to write; replaced as a whole")
    parser.add_argument(
        "--on-unknown",
        choices=["refuse", "flag"],
        default="refuse",
        help="rows with an unknown category: refuse, or predict and give the reason (%(default)s)",
    )
    parser.add_argument("--separator", default=",", help="that of a CSV input (%(default)s)")


def run(chosen: argparse.Namespace) -> int:
    """Predict; 0 where every row got its answer, 4 where some were refused."""
    from student_perf.serving.predict import predict_file
    from student_perf.store.kept_model import load_kept_model

    summary = predict_file(
        load_kept_model(chosen.model),
        Path(chosen.input),
        Path(chosen.output),
        chosen.separator,
        flag_unknown=chosen.on_unknown == "flag",
    )
    print(f"{summary}: {chosen.output}")
    return REFUSED if summary.refused else 0
