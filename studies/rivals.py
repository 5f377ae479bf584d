"""Our search of the zoo beside AutoML frameworks that had the same time, on four tasks.

    .venv/bin/python studies/rivals.py --portuguese POR.csv
    .venv/bin/python studies/rivals.py --report-only

Runs `-m experiment=automl_rivals` (five outer folds, a minute of search in each, two workers) for
every task and writes docs/rivals.md from what MLflow holds. The rivals' figures are means over the
same kind of folds with 60 s a fold on two cores; their answers are not known, so the interval is
that of our rows around the difference of means. Takes about 25 minutes. Without the
file the Portuguese data is downloaded.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from student_perf.paths import PACKAGE_DIR, workspace
from student_perf.scoring.metrics import METRICS, logged_as

EXPERIMENT = "automl_rivals"
PAGE = PACKAGE_DIR.parent / "docs" / "rivals.md"
# Between the quartiles of the score (64.06, 74.22, 82.79), which belong to the lower class, and the
# next score that occurs.
QUARTILES = [
    "dataset.name=econmath_quartiles",
    "dataset.bands.edges=[64.065,74.225,82.795]",
    "dataset.bands.labels=[first,second,third,fourth]",
]


@dataclass(frozen=True)
class Task:
    """A task, the overrides that make it, and what each rival reached, by metric."""

    title: str
    overrides: list[str]
    rivals: dict[str, dict[str, float]]
    space: str = "zoo_ordered"
    uses_file: bool = False
    key: dict[str, str] = field(default_factory=dict)


TASKS = [
    Task(
        "Portuguese, five levels, setup A",
        ["dataset=student_por", "dataset.form=five_level", "dataset.setup=A"],
        {
            "AutoGluon": {"accuracy": 0.754, "quadratic_weighted_kappa": 0.909},
            "FLAML": {"accuracy": 0.763, "quadratic_weighted_kappa": 0.910},
        },
        uses_file=True,
        key={"dataset.name": "student_por", "dataset.setup": "A"},
    ),
    Task(
        "Portuguese, five levels, setup C",
        ["dataset=student_por", "dataset.form=five_level", "dataset.setup=C"],
        {"FLAML": {"accuracy": 0.330, "quadratic_weighted_kappa": 0.353}},
        uses_file=True,
        key={"dataset.name": "student_por", "dataset.setup": "C"},
    ),
    Task(
        "econmath, quartile classes",
        ["dataset=econmath", *QUARTILES],
        {"FLAML": {"accuracy": 0.437, "f1_macro": 0.408, "quadratic_weighted_kappa": 0.518}},
        key={"dataset.name": "econmath_quartiles"},
    ),
    Task(
        "econmath, score",
        ["dataset=econmath_score"],
        {"FLAML": {"root_mean_squared_error": 10.57, "r2": 0.374}},
        space="zoo",
        key={"dataset.name": "econmath_score"},
    ),
]


def run_task(task: Task, file: str, seconds: int) -> None:
    """One nested search; what is done already is not done again."""
    overrides = [f"experiment={EXPERIMENT}", f"search={task.space}", *task.overrides]
    overrides.append(f"hydra.sweeper.timeout={seconds}")
    if task.uses_file and file:
        overrides.append(f"dataset.path={Path(file).absolute()}")
    print(task.title, flush=True)
    command = [sys.executable, "-m", "student_perf.train", "-m", *overrides]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def load_runs() -> pd.DataFrame:
    """The nested results of the experiment, newest first."""
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{workspace()}/mlflow.db")
    runs = mlflow.search_runs(
        experiment_names=[EXPERIMENT], filter_string="tags.`student_perf.kind` = 'nested'"
    )
    return runs.sort_values("start_time", ascending=False)


def lines_of(task: Task, runs: pd.DataFrame) -> list[str]:
    """A table line for each rival and metric."""
    mine = runs
    for name, wanted in task.key.items():
        mine = mine[mine[f"params.{name}"] == wanted]
    run = mine.iloc[0]
    lines = []
    for rival, figures in task.rivals.items():
        for metric, theirs in figures.items():
            value, *ends = (
                float(run[f"metrics.{logged_as(metric, figure)}"])
                for figure in ("mean", "low", "high")
            )
            sign = METRICS[metric].sign
            gain = sign * (value - theirs)
            low, high = sorted(sign * (end - theirs) for end in ends)
            digits = 2 if abs(theirs) > 1 else 3
            mark = "**" if low > 0 else ""
            lines.append(
                f"| {task.title} | {METRICS[metric].label} | {rival} {theirs:.{digits}f} "
                f"| {mark}{value:.{digits}f}{mark} | {gain:+.{digits}f} "
                f"| {low:+.{digits}f} to {high:+.{digits}f} |"
            )
    return lines


def page(runs: pd.DataFrame) -> str:
    """The Markdown page."""
    seconds = sorted({int(float(value)) for value in runs["params.sweep.timeout"]})
    commits = sorted({str(commit)[:12] for commit in runs["tags.mlflow.source.git.commit"]})
    rows = [line for task in TASKS for line in lines_of(task, runs)]
    return "\n".join(
        [
            "# Beside AutoML",
            "",
            "Generated by `studies/rivals.py` from the nested runs of the MLflow experiment",
            f"`{EXPERIMENT}`; none of our figures is typed by hand. Five outer folds; in each the",
            "whole zoo is searched with two workers, inside the training part only, and then the",
            f"winner is scored once. Seconds of search in a fold: {seconds}. The rivals had 60 s a",
            "fold on two cores. *Gain* is positive where ours is better; its interval is that of",
            "our rows alone, since the rivals' answers are not known, so it leaves out their own",
            "chance. **Bold**: the interval lies above zero.",
            "",
            "| task | metric | rival | ours | gain | 95 % interval |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
            f"Commits: {', '.join(commits)}.",
            "",
        ]
    )


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--portuguese", default="")
    parser.add_argument("--seconds", type=int, default=60, help="search time of each outer fold")
    parser.add_argument("--report-only", action="store_true")
    chosen = parser.parse_args()
    if not chosen.report_only:
        for task in TASKS:
            run_task(task, chosen.portuguese, chosen.seconds)
    PAGE.write_text(page(load_runs()), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
