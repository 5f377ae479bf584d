"""The metrics: what each is called, which way is better, which task it fits, and its formula.

An entry in `_METRICS` and a file in `conf/objective` make a new one. The formulas are written over
`Answers` and `Counts` and need no numpy here, so that a config is checked before numpy is imported.
Names are scikit-learn's, without the `neg_` of its scorers: a loss is logged as a loss.

>>> METRICS["log_loss"].label, METRICS["log_loss"].aim
('log loss', 'less is better')
>>> METRICS["log_loss"].is_better(0.9, 1.1)
True
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal

from student_perf.errors import ConfigError, suggest
from student_perf.text import format_interval

if TYPE_CHECKING:
    import numpy as np

    from student_perf.scoring.answers import Answers, Counts

Task = Literal["classification", "regression"]
Direction = Literal["maximize", "minimize"]

FEW_MARK = "*"
ABOUT_FEW = (
    f"{FEW_MARK} A few rows with large errors carry this figure. Its interval reaches far to their "
    "side and may still be too narrow: other samples hold more of them, or larger ones."
)
# How much further an interval that is marked reaches to the worse side than to the other.
LOPSIDED = 4.0
# From which coefficient of variation on figures of n rows have a heavy tail: the larger of the
# first number, which normal errors seldom reach, and the second times the fourth root of n. So it
# grows with n where the tail has an index of 4/3, as squared t errors of 8/3 degrees of freedom;
# with a heavier one it grows faster. docs/statistics.md has how often it is right.
_SQUARED_ERRORS, _ABSOLUTE_ERRORS = (1.65, 0.42), (1.1, 0.3)

# What other training rows would change comes on top of what other held-out rows would: the standard
# error by rows times this, unless a metric has a factor of its own. docs/statistics.md has the
# coverage that was measured with it.
TRAINING = 1.2

TASKS: tuple[Task, ...] = ("classification", "regression")

# The names under which runs log the figures of a metric; `folds` are its scores by step, `repeats`
# its means by seed, `gain` what it has over the dummy's on the same rows, more is better.
_LOGGED_AS = {
    "mean": "cv_{}_mean",
    "std": "cv_{}_std",
    "low": "cv_{}_ci95_low",
    "high": "cv_{}_ci95_high",
    "folds": "fold_{}",
    "repeats": "repeat_{}",
    "train": "train_{}_mean",
    "dummy": "dummy_{}_mean",
    "gain": "gain_{}",
    "gain_low": "gain_{}_ci95_low",
    "gain_high": "gain_{}_ci95_high",
    "gain_p": "gain_{}_p",
    "test": "test_{}",
    "test_low": "test_{}_ci95_low",
    "test_high": "test_{}_ci95_high",
}
_USUAL_FIGURES = ("mean", "low", "high", "folds", "test")
LOGGED_PREFIXES = tuple({name.partition("{")[0] for name in _LOGGED_AS.values()})


def logged_as(metric: str, figure: str) -> str:
    """The name under which a run logs a figure of a metric.

    >>> logged_as("accuracy", "low")
    'cv_accuracy_ci95_low'
    """
    return _LOGGED_AS[figure].format(metric)


def metrics_logged(names: Iterable[str], figure: str) -> list[str]:
    """The metrics whose `figure` is among logged names.

    >>> metrics_logged(["fit_seconds", "cv_accuracy_mean"], "mean")
    ['accuracy']
    """
    begin, end = _LOGGED_AS[figure].split("{}")
    fitting = (name for name in names if name.startswith(begin) and name.endswith(end))
    return [name.removeprefix(begin).removesuffix(end) for name in fitting]


@dataclass(frozen=True)
class Objective:
    """Something that a sweep can optimise and that every run logs.

    Args:
        name: What a config calls it.
        label: What it is called on screen.
        direction: Whether more or less of it is better.
    """

    name: str
    label: str
    direction: Direction

    @property
    def key(self) -> str:
        """The name under which a run logs its value."""
        return self.name

    @property
    def maximizes(self) -> bool:
        """Whether more of it is better."""
        return self.direction == "maximize"

    @property
    def sign(self) -> int:
        """1 if more is better, -1 if less is: times it, more is better for every objective."""
        return 1 if self.maximizes else -1

    @property
    def aim(self) -> str:
        """`more is better` or `less is better`."""
        return "more is better" if self.maximizes else "less is better"

    def is_better(self, a: float, b: float) -> bool:
        """Whether value `a` is better than value `b`; never if one of them is NaN."""
        return self.sign * a > self.sign * b

    def beats(self, low: float, high: float, value: float) -> bool:
        """Whether a whole interval is better than a value; never if an end of it is NaN."""
        return self.is_better(low if self.maximizes else high, value)


@dataclass(frozen=True, kw_only=True)
class Metric(Objective):
    """A metric, whose formula is given in one of three forms.

    Args:
        task: What kind of model it scores.
        lowest: The lowest value that it can have, which bounds its intervals.
        highest: The highest.
        usual: Whether people look for it, whatever decides.
        ordered: Whether it needs three or more classes with an order.
        binary: Whether it needs two classes: it is about the second, the positive class.
        of_counts: The formula of a metric that needs the confusion matrix only.
        of_rows: A figure of each row, shape (n,), if the metric is their mean.
        root: Whether it is the root of that mean.
        of_answers: The formula of any other metric.
        weighted: Whether `of_answers` counts the rows by their weights. The other forms always do.
        between: Whether its value for all rows lies between those of any two parts of them, as that
            of a mean always does. Others compare rows of different parts, or weigh classes anew.
        heavy: From which coefficient of variation on its rows have a heavy tail: of any number of
            them, and of n as a multiple of their fourth root; None if no tail makes it doubtful.
        tail_of: The metric whose heavy tail makes it doubtful too.
        training: The factor on its standard error by rows for other training rows. It is large for
            what moves with the threshold between classes, which every training set puts elsewhere.
    """

    task: Task
    lowest: float = 0.0
    highest: float = 1.0
    usual: bool = False
    ordered: bool = False
    binary: bool = False
    of_counts: Callable[[Counts], Any] | None = None
    of_rows: Callable[[Answers], np.ndarray] | None = None
    root: bool = False
    of_answers: Callable[[Answers], float] | None = None
    weighted: bool = False
    between: bool = False
    heavy: tuple[float, float] | None = None
    tail_of: str | None = None
    training: float = TRAINING

    @property
    def tells_parts_apart(self) -> bool:
        """Whether rows that move it up or down have themselves a higher or lower value."""
        return self.between or self.of_rows is not None

    @property
    def takes_weights(self) -> bool:
        """Whether it is defined for rows with weights."""
        return self.of_answers is None or self.weighted

    @property
    def key(self) -> str:
        """The name under which a run logs its mean over folds."""
        return logged_as(self.name, "mean")

    def of(self, answers: Answers) -> float:
        """Its value for a set of rows; NaN if it is not defined there, or for their weights."""
        if answers.weights is not None and not self.takes_weights:
            return math.nan
        if self.of_counts is not None:
            return float(self.of_counts(answers.counts))
        if self.of_rows is not None:
            mean = answers.mean(self.of_rows(answers))
            return math.sqrt(mean) if self.root else mean
        assert self.of_answers is not None
        return float(self.of_answers(answers))

    def has_heavy_tail(self, variation: float, n: int) -> bool:
        """Whether few of n rows, or rows not among them, carry the metric, as their figures have
        this coefficient of variation.
        """
        if self.heavy is None:
            return False
        least, growing = self.heavy
        return variation > max(least, growing * math.sqrt(math.sqrt(n)))

    def rests_on_few(self, mean: float | None, low: float | None, high: float | None) -> bool:
        """Whether so few rows carry a mean that its interval by rows may be too narrow: only rows
        with larger errors than all of these would tell. It shows in how much further the interval
        reaches away from the metric's bound than towards it. Never of a metric between two bounds.
        """
        ends = [math.nan if end is None else end for end in (low, mean, high)]
        if math.isfinite(self.lowest) == math.isfinite(self.highest) or math.isnan(sum(ends)):
            return False
        if math.isfinite(self.highest):
            near, figure, far = (self.highest - end for end in reversed(ends))
        else:
            near, figure, far = ((end - self.lowest) ** (2 if self.root else 1) for end in ends)
        return math.isfinite(far) and far - figure > LOPSIDED * (figure - near) > 0

    def interval(self, mean: float | None, low: float | None, high: float | None) -> str:
        """An interval of this metric as text, marked if it `rests_on_few`.

        >>> METRICS["root_mean_squared_error"].interval(2.0, 1.5, 4.0)
        '1.500 to 4.000 *'
        """
        mark = f" {FEW_MARK}" if self.rests_on_few(mean, low, high) else ""
        return f"{format_interval(low, high)}{mark}"


FIT_SECONDS = Objective("fit_seconds", "seconds of fitting", "minimize")
_INF, _NAN = math.inf, math.nan

_score = partial(Metric, direction="maximize", task="classification")
_loss = partial(Metric, direction="minimize", task="classification", highest=_INF)
_positive_score = partial(_score, binary=True)
_positive_ratio = partial(_positive_score, usual=True, between=True)
_grade_score = partial(_score, ordered=True)
_grade_loss = partial(_loss, ordered=True)
_error = partial(Metric, direction="minimize", task="regression", highest=_INF)
_fit = partial(Metric, direction="maximize", task="regression")

_METRICS: tuple[Metric, ...] = (
    _score(
        "accuracy",
        "accuracy",
        usual=True,
        of_counts=lambda c: c.hits.sum(axis=-1) / c.n,
        between=True,
    ),
    _score("balanced_accuracy", "balanced accuracy", of_counts=lambda c: c.macro(c.recall)),
    _score(
        "precision_macro",
        "precision (macro)",
        usual=True,
        of_counts=lambda c: c.macro(c.precision),
    ),
    _score("recall_macro", "recall (macro)", usual=True, of_counts=lambda c: c.macro(c.recall)),
    _score("f1_macro", "F1 (macro)", usual=True, of_counts=lambda c: c.macro(c.f1), training=1.3),
    _positive_ratio(
        "precision", "precision (positive)", of_counts=lambda c: c.positive(c.precision)
    ),
    _positive_ratio(
        "recall", "recall (positive)", of_counts=lambda c: c.positive(c.recall), training=1.7
    ),
    _positive_ratio("f1", "F1 (positive)", of_counts=lambda c: c.positive(c.f1), training=1.5),
    _score(
        "precision_weighted", "precision (weighted)", of_counts=lambda c: c.weighted(c.precision)
    ),
    _score(  # the share of right answers
        "recall_weighted",
        "recall (weighted)",
        of_counts=lambda c: c.weighted(c.recall),
        between=True,
    ),
    _score("f1_weighted", "F1 (weighted)", of_counts=lambda c: c.weighted(c.f1)),
    _score(
        "roc_auc_ovr",
        "ROC AUC (one vs rest)",
        usual=True,
        of_answers=lambda a: a.roc_auc_ovr,
        weighted=True,
        training=1.35,
    ),
    _positive_score(
        "average_precision",
        "average precision",
        usual=True,
        of_answers=lambda a: a.average_precision,
        weighted=True,
    ),
    _loss("log_loss", "log loss", of_rows=lambda a: a.log_losses),
    _loss("brier_score", "Brier score", highest=2.0, of_rows=lambda a: a.brier_losses),
    _grade_score(  # Cohen 1968; NaN if the truth is a single class
        "quadratic_weighted_kappa",
        "kappa (quadratic)",
        lowest=-1.0,
        of_counts=lambda c: 1 - c.total(c.distance**2) / c.total_by_chance(c.distance**2),
    ),
    _grade_loss(
        "mean_absolute_grade_error",
        "MAE in grades",
        of_counts=lambda c: c.total(c.distance) / c.n,
        between=True,
        training=1.4,
    ),
    _grade_score(
        "adjacent_accuracy",
        "within one grade",
        of_counts=lambda c: c.total(c.distance <= 1) / c.n,
        between=True,
        training=1.4,
    ),
    _grade_loss(
        "ranked_probability_score",
        "ranked prob. score",
        highest=1.0,
        of_rows=lambda a: a.ranked_losses,
    ),
    _error(
        "root_mean_squared_error",
        "RMSE",
        usual=True,
        of_rows=lambda a: a.errors**2,
        root=True,
        heavy=_SQUARED_ERRORS,
    ),
    _error("mean_squared_error", "MSE", of_rows=lambda a: a.errors**2, heavy=_SQUARED_ERRORS),
    _error(
        "mean_absolute_error",
        "MAE",
        usual=True,
        of_rows=lambda a: abs(a.errors),
        heavy=_ABSOLUTE_ERRORS,
        training=1.3,
    ),
    _error(
        "median_absolute_error",
        "median error",
        of_answers=lambda a: a.median(abs(a.errors)),
        weighted=True,
        between=True,
    ),
    _error(  # NaN if the truth is 0 in some row
        "mean_absolute_percentage_error",
        "MAPE",
        of_rows=lambda a: a.relative_errors,
        heavy=_ABSOLUTE_ERRORS,
    ),
    _fit(  # NaN if the truth is constant
        "r2",
        "R2",
        usual=True,
        lowest=-_INF,
        of_answers=lambda a: 1 - a.squared_error / (a.spread or _NAN),
        weighted=True,
        tail_of="root_mean_squared_error",
    ),
    _fit(
        "spearman",
        "Spearman's rho",
        lowest=-1.0,
        of_answers=lambda a: a.rank_correlation,
        weighted=True,
    ),
)


class _Known(dict[str, Metric]):
    """Metrics by name; one that is not known is the user's error, as it stands in their record."""

    def __missing__(self, name: str) -> Metric:
        raise ConfigError(
            f"{name or 'an empty word'}: is not a metric that is known here, nor by a module in "
            f"conf/trusted.yaml; {suggest(name, self)}"
        )


METRICS: dict[str, Metric] = _Known({metric.name: metric for metric in _METRICS})
OBJECTIVES: dict[str, Objective] = {**METRICS, FIT_SECONDS.name: FIT_SECONDS}

DEFAULT_METRIC: dict[str, str] = {
    "classification": "accuracy",
    "regression": "root_mean_squared_error",
}


def add_metric(metric: Metric) -> None:
    """Make a metric of your own known, from a module that `conf/trusted.yaml` names; every run
    computes it, and `objective.metric` may name it.

    Raises:
        ConfigError: The name belongs to another metric, or is not an identifier.
    """
    known = METRICS.get(metric.name)
    if not metric.name.isidentifier() or (known is not None and known.label != metric.label):
        raise ConfigError(
            f"{metric.name}: names another metric, or is not a name; use letters, digits and _"
        )
    METRICS[metric.name] = OBJECTIVES[metric.name] = metric
    seldom_wanted.cache_clear()


@cache
def seldom_wanted(deciding: Collection[str]) -> frozenset[str]:
    """The logged names that crowd a page of many runs: all figures of metrics that are neither
    usual nor `deciding`, a hashable collection, and the rarer figures of the usual ones.

    >>> names = seldom_wanted(("log_loss",))
    >>> [name in names for name in ("cv_log_loss_std", "cv_accuracy_mean", "cv_accuracy_std")]
    [False, False, True]
    """
    every = {logged_as(name, figure) for name in METRICS for figure in _LOGGED_AS}
    usual = {
        logged_as(name, figure)
        for name, metric in METRICS.items()
        if metric.usual
        for figure in _USUAL_FIGURES
    }
    wanted = {logged_as(name, figure) for name in deciding for figure in _LOGGED_AS}
    return frozenset(every - usual - wanted)


def metrics_of(task: str, ordered: bool = False, n_classes: int | None = None) -> list[str]:
    """Names of the metrics of a task, in the order in which they are shown.

    Args:
        task: `classification` or `regression`.
        ordered: Whether the classes are grades.
        n_classes: How many there are; None, if that is not known, counts as two.
    """
    is_binary = n_classes in (None, 2)
    return [
        name
        for name, info in METRICS.items()
        if info.task == task and (ordered or not info.ordered) and (is_binary or not info.binary)
    ]


def default_metric(task: str) -> str:
    """Metric that `objective=default` optimises for a task.

    Raises:
        ConfigError: There is no such task.
    """
    if task not in DEFAULT_METRIC:
        raise ConfigError(
            f"dataset.task={task}: must be one of {', '.join(TASKS)}; {suggest(task, TASKS)}"
        )
    return DEFAULT_METRIC[task]


def metric_direction(metric: str) -> Direction:
    """Whether more or less of a metric is better.

    Raises:
        ConfigError: There is no such metric.
    """
    if metric not in METRICS:
        raise ConfigError(
            f"objective.metric={metric}: not a metric of this project; {suggest(metric, METRICS)}"
        )
    return METRICS[metric].direction
