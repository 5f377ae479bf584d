"""What is to be gained on the entrance exam beyond a linear model for ordered classes.

    .venv/bin/python studies/entrance_exam.py EXAM.csv
    .venv/bin/python studies/entrance_exam.py EXAM.csv --report-only

Runs `experiment=entrance_exam` (five times five folds over all rows) for each candidate below, each
with fixed parameters, and writes docs/entrance_exam.md from the records: every score, and the gain
over the reference on the same rows with its interval. Takes about ten minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from student_perf.paths import PACKAGE_DIR, workspace
from student_perf.runs.layout import PREDICTIONS_FILE
from student_perf.runs.predictions import load_predictions, row_scores
from student_perf.runs.record import RunRecord, load_record
from student_perf.scoring.influence import RowScores
from student_perf.scoring.intervals import row_interval
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import ALPHA, against_best, by_rows
from student_perf.text import format_number, markdown_table

PAGE = PACKAGE_DIR.parent / "docs" / "entrance_exam.md"
REFERENCE = "ordinal"
MEMBERS = [
    "model@model.members.linear=ordinal_logit",
    "model@model.members.forest=rf",
    "model@model.members.boosting=xgb",
]
SHALLOW = ["model.max_depth=2", "model.learning_rate=0.1", "model.n_estimators=150"]
CANDIDATES: dict[str, list[str]] = {
    REFERENCE: ["model=ordinal"],
    "logreg": ["model=logreg"],
    "ordinal_logit": ["model=ordinal_logit"],
    "ordinal, grades as numbers": ["model=ordinal", "preprocess=ordinal"],
    "ordinal, target encoding": ["model=ordinal", "preprocess=target_encode"],
    "ordinal around rf": ["model=ordinal", "model@model.base=rf"],
    "ordinal around shallow xgb": [
        "model=ordinal",
        "model@model.base=xgb",
        *(override.replace("model.", "model.base.", 1) for override in SHALLOW),
    ],
    "svm, interactions of two": ["model=svm", "model.kernel=poly", "model.degree=2"],
    "rf": ["model=rf"],
    "xgb": ["model=xgb"],
    "xgb, shallow": ["model=xgb", *SHALLOW],
    "hist_gb, native categories": ["model=hist_gb", "preprocess=native"],
    "voting": ["model=voting"],
    "voting, ordinal + rf + xgb": ["model=voting", *MEMBERS],
    "stacking, ordinal + rf + xgb": ["model=stacking", *MEMBERS],
    "stacking, calibrated": [
        "model=calibrated",
        "model@model.base=stacking",
        "model.cv=3",
        "model.base.cv=3",
    ],
}
SHOWN = ["accuracy", "f1_macro", "quadratic_weighted_kappa", "ranked_probability_score"]
ELSEWHERE = """\
Elsewhere, on five times five or five folds of the same rows: Frank-Hall logistic regression 0.528
accuracy, 0.50 macro F1, 0.58 kappa; cumulative logit 0.50 and kappa 0.63; random forest 0.50 to
0.51; xgboost 0.486, tuned by hand 0.515; AutoGluon (60 s a fold) 0.505, 0.471, 0.523; FLAML
(likewise) 0.503, 0.458, 0.516; always the largest class 0.315.
"""


def folder_of(number: int) -> Path:
    """Where the run of a candidate lies."""
    return workspace() / "entrance_exam" / str(number)


def run_candidates(file: Path) -> None:
    """Each candidate once; what is done already is not done again."""
    environment = os.environ | {"STUDENT_PERF_WORKSPACE": str(workspace())}
    for number, (name, overrides) in enumerate(CANDIDATES.items()):
        if (folder_of(number) / PREDICTIONS_FILE).is_file():
            continue
        print(name, flush=True)
        command = [sys.executable, "-m", "student_perf.train", "experiment=entrance_exam"]
        command += [f"dataset.path={file.absolute()}", "report.importance=false", *overrides]
        command.append(f"hydra.run.dir={folder_of(number)}")
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def scores_of(records: list[RunRecord], metric: str) -> list[RowScores]:
    """A metric of every candidate by row, from their stored predictions."""
    files = [record.folder / PREDICTIONS_FILE for record in records]
    return [row_scores(load_predictions(file), metric) for file in files]


def table(records: list[RunRecord], order: np.ndarray) -> str:
    """Every candidate with its scores, best accuracy first."""
    header = ["model", *(METRICS[metric].label for metric in SHOWN), "fit, s"]
    cells: dict[int, list[str]] = {i: [list(CANDIDATES)[i]] for i in order}
    for metric in SHOWN:
        for i, scores in enumerate(scores_of(records, metric)):
            found = row_interval(scores, METRICS[metric])
            ends = METRICS[metric].interval(found.mean, found.low, found.high)
            cells[i].append(f"{format_number(found.mean)} ({ends})")
    for i in order:
        cells[i].append(f"{float(records[i].metrics['fit_seconds']):.1f}")
    return markdown_table(header, [cells[i] for i in order])


def gains(records: list[RunRecord], metric: str, order: np.ndarray) -> tuple[str, int, int]:
    """The gain of each candidate over the reference, positive if it is better, with how many
    are significantly better and worse.
    """
    sign = METRICS[metric].sign
    worth = [
        replace(one, mean=sign * one.mean, moved=sign * one.moved)
        for one in scores_of(records, metric)
    ]
    differences = by_rows(worth, worth[0])
    found, p_values = differences.tested(), against_best(differences, 0)
    rows = [
        [
            list(CANDIDATES)[i],
            f"{found.mean[i]:+.3f}",
            f"{found.low[i]:+.3f} to {found.high[i]:+.3f}",
            f"{p_values[i]:.2f}",
        ]
        for i in order
        if i
    ]
    real = p_values < ALPHA
    better, worse = (real & (found.mean > 0)).sum(), (real & (found.mean < 0)).sum()
    return markdown_table(["model", "gain", "95 % interval", "p (Holm)"], rows), better, worse


def write_page() -> None:
    """docs/entrance_exam.md, from the records."""
    records = [load_record(folder_of(number)) for number in range(len(CANDIDATES))]
    accuracy = np.array([one.mean for one in scores_of(records, "accuracy")])
    order = np.argsort(-accuracy, kind="stable")
    lines = [
        "# Entrance exam: what there is to gain",
        "",
        "Generated by `studies/entrance_exam.py` from the records of its runs; none of our",
        "figures is typed by hand. Five times five folds over all rows, four ordered classes,",
        "fixed parameters, so nothing here was chosen by these folds. Intervals are by rows, gains",
        "on the same rows ([how sure a figure is](statistics.md)).",
        "",
        *ELSEWHERE.splitlines(),
        "",
        table(records, order),
        "",
    ]
    for metric in ("accuracy", "quadratic_weighted_kappa", "ranked_probability_score"):
        text, better, worse = gains(records, metric, order)
        lines += [
            f"## Gain over `{REFERENCE}`: {METRICS[metric].label}",
            "",
            f"On the same rows, positive if the model is better. Of {len(CANDIDATES) - 1} "
            f"models {better} are significantly better and {worse} significantly worse.",
            "",
            text,
            "",
        ]
    commits = sorted({r.tags.get("mlflow.source.git.commit", "unknown")[:12] for r in records})
    lines.append(f"Commits: {', '.join(commits)}.")
    PAGE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(PAGE)


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, help="the original CSV of the entrance exam")
    parser.add_argument("--report-only", action="store_true")
    chosen = parser.parse_args()
    if not chosen.report_only:
        run_candidates(chosen.file)
    write_page()


if __name__ == "__main__":
    main()
