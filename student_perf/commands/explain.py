"""`python -m student_perf explain RUN`: SHAP values of a run's kept model."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.commands.arguments import MODELS, add_data, add_run, reading, store_of
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.shell import install_extra
from student_perf.terminal import Terminal

if TYPE_CHECKING:
    import pandas as pd

    from student_perf.runs.record import Recorded

HELP = "write SHAP values of a run's model by column"
GROUP = MODELS
PARENTS = (reading(),)
_MOST_SHOWN = 10
_CURVES = "shapes.png"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how many rows."""
    add_run(parser)
    parser.add_argument("--rows", type=int, default=100, help="rows to explain")
    parser.add_argument("--background", type=int, default=50, help="rows to compare with")
    add_data(parser)


def run(chosen: argparse.Namespace) -> int:
    """Write shap.csv and shap.png into the run's folder, and send them if MLflow knows the run.

    Raises ConfigError if the extra is not installed.
    """
    from student_perf.store.client import add_files
    from student_perf.store.find import open_run

    terminal = Terminal()
    with open_run(chosen.run, chosen.store) as recorded:
        # Before the work, which takes a minute or more with a slow model.
        terminal.heading(f"{recorded.record.name}: mean |SHAP value|, {chosen.rows} rows at most")
        with terminal.waiting("explaining"):
            table, files = _explained(recorded, chosen)
            run_id = recorded.record.mlflow_run_id
            if run_id is not None:
                add_files(run_id, files, store_of(chosen, recorded.record))
    first = table.head(_MOST_SHOWN)
    figures = zip(first["column"], first["mean_abs_shap"], strict=True)
    terminal.facts({str(name): f"{value:.4g}" for name, value in figures})
    written = [path for path in files if path.exists()]  # not if the store had the run
    places = {"table" if path.suffix == ".csv" else "picture": str(path) for path in written}
    if run_id is not None:
        places["mlflow"] = f"run {run_id}"
    curves = recorded.record.file(_CURVES)
    if curves.is_file():  # of a model that adds up a curve for each column
        places["curves"] = str(curves)
    terminal.places(places)
    return ExitCode.DONE


def _explained(recorded: Recorded, chosen: argparse.Namespace) -> tuple[pd.DataFrame, list[Path]]:
    """The table of columns, and the files that were written."""
    from student_perf.serving.shap_values import explain_run

    try:
        return explain_run(recorded, chosen.rows, chosen.background, chosen.data)
    except ModuleNotFoundError as error:
        if error.name != "shap":
            raise
        raise ConfigError(
            f"explain: needs shap, which is not installed; run: {install_extra('explain')}"
        ) from error
