"""What some rows and a split can answer, before anybody searches for the best model.

Two models of unlike kinds are fitted on as many folds as have enough held-out rows. How far their
answers differ on the same rows says how small a difference these rows show.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from student_perf.config.load import load_node
from student_perf.config.schema import ExperimentConfig
from student_perf.config.search_path import find_config
from student_perf.data import Dataset
from student_perf.evaluation.cross_validation import CVResult, cross_validate
from student_perf.evaluation.splits import Fold
from student_perf.experiment.prepare import PreparedData, build_pipeline
from student_perf.experiment.threads import limited_threads
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.scoring.influence import RowScores
from student_perf.scoring.metrics import TRAINING
from student_perf.scoring.paired import by_rows
from student_perf.scoring.power import (
    ASSUMED_CORRELATION,
    rmse_error,
    rows_needed,
    share_error,
    smallest_difference,
)

DIFFERENCES = (0.02, 0.05, 0.10)
ENOUGH_ROWS = 500  # held-out ones, by which the difference of two models is measured
_MOST_ROWS = 5000  # of a fit
_LINEAR = ("logreg", "ridge", "elastic_net", "ordinal_logit")


@dataclass(frozen=True)
class Answers:
    """What can be expected of a run.

    Attributes:
        metric: `accuracy` or `root_mean_squared_error`.
        score: That of the config's model on the folds looked at.
        half_width: Half of the 95 % interval to expect.
        smallest: The true difference of two models that is found in four of five cases.
        rows: Rows needed for each of `DIFFERENCES`: in accuracy, or as a share of the RMSE.
        seconds: Of the fits of a run, about.
        n_folds: Folds of the split.
        rival: The other kind of model by which the difference is measured.
    """

    metric: str
    score: float
    half_width: float
    smallest: float
    rows: dict[str, int]
    seconds: float
    n_folds: int
    rival: str = ""


def expected_answers(config: ExperimentConfig, data: PreparedData) -> Answers:
    """Fit the config's model and a rival on some folds and say what the split can show."""
    is_number = data.dataset.task == "regression"
    metric = "root_mean_squared_error" if is_number else "accuracy"
    folds = _enough_folds(data)
    mine, seconds = _fitted(build_pipeline(config, data.dataset), config, data, folds)
    kind, rival = _rival(config, data.dataset)
    other, _ = _fitted(rival, config, data, folds)
    score = float(mine.fold_scores[metric].mean())
    n_folds, n_rows = len(data.split.folds), data.dataset.n_effective(data.split.validated)
    if is_number:
        own = score / math.sqrt(2 * n_rows)
        assumed = rmse_error(score, ASSUMED_CORRELATION, n_rows)
    else:
        right = min(max(score, 0.5), 1 - 0.5 / n_rows)
        own = math.sqrt(right * (1 - right) / n_rows)
        assumed = share_error(right, ASSUMED_CORRELATION, n_rows)
    pair = mine.row_scores(metric), other.row_scores(metric)
    two = pair_error(*pair, n_rows) or TRAINING * assumed  # of models that answer all rows alike
    smallest = smallest_difference(two, n_rows - 1)
    unit = score if is_number else 1.0
    rows = {f"{d:.2f}": rows_needed(d * unit, smallest, data.dataset.n_rows) for d in DIFFERENCES}
    width = 1.96 * TRAINING * own
    return Answers(metric, score, width, smallest, rows, seconds * n_folds, n_folds, kind)


def pair_error(one: RowScores, other: RowScores, n_rows: float) -> float:
    """Standard error of the difference of two models on `n_rows` rows, by answers to fewer."""
    return float(by_rows([one], other).error[0]) * math.sqrt(len(one.unit) / n_rows)


def _enough_folds(data: PreparedData) -> tuple[Fold, ...]:
    """The first folds that together have `ENOUGH_ROWS` held-out rows, with fewer training rows
    where there are many.
    """
    folds: list[Fold] = []
    for fold in data.split.folds[: len(data.split.folds) // data.split.n_repeats]:
        if sum(len(one.validation) for one in folds) < ENOUGH_ROWS:
            step = max(1, len(fold.train) // _MOST_ROWS)
            folds.append(Fold(fold.train[::step], fold.validation))
    return tuple(folds)


def _rival(config: ExperimentConfig, dataset: Dataset) -> tuple[str, Pipeline]:
    """A small tree beside a linear model, a linear model beside any other."""
    is_number, is_linear = dataset.task == "regression", config.model.get("name") in _LINEAR
    if is_linear:
        tree = DecisionTreeRegressor if is_number else DecisionTreeClassifier
        name, model = "a small tree", tree(max_depth=4, random_state=0)
    else:
        linear = Ridge(10.0) if is_number else LogisticRegression(max_iter=300)
        name, model = "a linear model", linear
    steps = build_steps(load_node(find_config("default", "preprocess")))
    columns = dataset.numeric, dataset.categorical, config.dataset.categories, dataset.text
    return name, Pipeline([("preprocess", build_preprocessor(steps, *columns)), ("model", model)])


def _fitted(
    pipeline: Pipeline, config: ExperimentConfig, data: PreparedData, folds: tuple[Fold, ...]
) -> tuple[CVResult, float]:
    """Result on these folds, and the seconds that all rows of one would take."""
    started = time.perf_counter()
    with limited_threads(len(folds[0].train)):
        split = replace(data.split, folds=folds, n_repeats=1)
        result = cross_validate(pipeline, data.dataset, split, config.seed)
    step = len(data.split.folds[0].train) / len(folds[0].train)
    return result, step * (time.perf_counter() - started) / len(folds)
