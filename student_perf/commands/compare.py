"""`python -m student_perf compare`: from many runs to a justified choice."""

from __future__ import annotations

import argparse

HELP = "rank runs, say which differences are real, recommend one"
_FORMATS = ("table", "csv", "json", "markdown", "html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, by which metric, in which form."""
    parser.add_argument(
        "runs",
        nargs="*",
        help="folders, studies, experiments or MLflow run ids; default: latest",
    )
    parser.add_argument("--experiment", help="all runs of an MLflow experiment")
    parser.add_argument("--store", help="tracking URI to read from instead of the disk")
    parser.add_argument("--filter", help="as in MLflow: \"params.model.name = 'xgb'\"")
    parser.add_argument("--metric", help="default: the objective of the runs")
    parser.add_argument("--rope", type=float, help="differences below it do not matter (0.01)")
    parser.add_argument("--top", type=int, default=10, help="how many runs to show (10)")
    parser.add_argument("--format", choices=_FORMATS, default="table")


def run(chosen: argparse.Namespace) -> int:
    """Print the leaderboards. Raises ConfigError where no run is found."""
    from rich.console import Console

    from student_perf.compare.leaderboard import make_leaderboards
    from student_perf.compare.query import find_runs
    from student_perf.compare.show import formatted, show_boards

    metrics = [chosen.metric] if chosen.metric else []
    records = find_runs(chosen.runs, chosen.store, chosen.experiment, chosen.filter, metrics)
    boards = make_leaderboards(records, chosen.metric, chosen.rope, chosen.store or "")
    if chosen.format != "table":
        print(formatted(boards, chosen.format, chosen.top), end="")
        return 0
    console = Console(highlight=False, markup=False)
    show_boards(boards, chosen.top, console)
    return 0
