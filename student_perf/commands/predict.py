"""`python -m student_perf predict`: a kept model's predictions for the rows of a file."""

from __future__ import annotations

import argparse
from pathlib import Path

from student_perf.commands.arguments import MODELS, add_read, add_run, named_options, reading
from student_perf.exit_codes import ExitCode

HELP = "predict the rows of a file, or refuse them with a reason"
GROUP = MODELS
PARENTS = (reading(),)
USES_METRICS = False
CODES = {ExitCode.ROWS_REFUSED: "rows refused"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Model, files, and what happens to categories the model does not know."""
    add_run(parser)
    parser.add_argument("input", help="CSV or parquet file")
    parser.add_argument("output", help="CSV or parquet file to write; replaced as a whole")
    parser.add_argument(
        "--keep",
        metavar="COLUMNS",
        default="",
        help="columns of the input to copy into the output: --keep id,name",
    )
    parser.add_argument(
        "--on-unknown",
        choices=["refuse", "flag"],
        default="refuse",
        help="rows with an unknown category: refuse them, or predict them and give the reason",
    )
    parser.add_argument(
        "--coverage",
        type=float,
        metavar="SHARE",
        help="also give the classes, or the interval, that hold the truth in this share of new "
        "rows: 0.9",
    )
    add_read(parser)


def run(chosen: argparse.Namespace) -> int:
    """Predict; ROWS_REFUSED if some rows got no answer."""
    from student_perf.store.model_folder import model_folder
    from student_perf.tables.options import check_input

    source, target = Path(chosen.input), Path(chosen.output)
    check_input(source)
    named = named_options(chosen)
    from student_perf.serving.output_file import check_target

    check_target(source, target)  # before the model is loaded, which takes seconds
    folder = model_folder(chosen.run, chosen.store)
    from student_perf.serving.predict import predict_file
    from student_perf.store.kept_model import read_kept_model

    kept = read_kept_model(folder, chosen.run)
    print(f"model {kept.name}")
    summary = predict_file(
        kept,
        source,
        target,
        named,
        flag_unknown=chosen.on_unknown == "flag",
        keep=[name for name in chosen.keep.split(",") if name],
        coverage=chosen.coverage,
    )
    for line in summary.form_lines():
        print(line)
    if summary.left_out:
        print(summary.left_out)
    print(f"{summary}: {chosen.output}")
    for line in summary.notes():
        print(line)
    return ExitCode.ROWS_REFUSED if summary.refused else ExitCode.DONE
