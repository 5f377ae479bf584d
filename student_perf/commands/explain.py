"""`python -m student_perf explain RUN`: SHAP values of a run's kept model."""

from __future__ import annotations

import argparse

from student_perf.commands.reproduce import add_run
from student_perf.errors import ConfigError
from student_perf.terminal import Terminal

HELP = "write what moves a run's model: SHAP values by column, as a table and a picture"
_MOST_SHOWN = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, and how many rows."""
    add_run(parser, "run")
    parser.add_argument("--rows", type=int, default=100, help="rows to explain (%(default)s)")
    parser.add_argument(
        "--background", type=int, default=50, help="rows to compare with (%(default)s)"
    )
    parser.add_argument("--data", metavar="FILE", help="the data file, where it is elsewhere here")


def run(chosen: argparse.Namespace) -> int:
    """Write shap.csv and shap.png into the run's folder, and send them where MLflow knows the run.

    Raises ConfigError where the extra is not installed or the run's folder is not on disk.
    """
    from student_perf.config.load import default_tracking
    from student_perf.serving.shap_values import explain_run
    from student_perf.store.client import add_files
    from student_perf.store.find import open_run

    store = chosen.store or default_tracking().uri
    terminal = Terminal()
    with open_run(chosen.run, store) as recorded:
        try:
            found, files = explain_run(recorded, chosen.rows, chosen.background, chosen.data)
        except ModuleNotFoundError as error:
            if error.name != "shap":
                raise
            raise ConfigError(
                "explain: needs shap, which is not installed; run: pip install -e '.[explain]'"
            ) from error
        run_id = recorded.record.mlflow_run_id
        if run_id is not None:
            add_files(run_id, files, store)
    terminal.heading(f"{recorded.record.name}: mean |SHAP value|")
    shown = found.head(_MOST_SHOWN)
    figures = zip(shown["column"], shown["mean_abs_shap"], strict=True)
    terminal.facts({str(name): f"{value:.4g}" for name, value in figures})
    places = [str(path) for path in files if path.exists()]  # not where the store had the run
    places += [f"MLflow run {run_id}"] if run_id is not None else []
    terminal.facts({"written": "\n".join(places)})
    return 0
