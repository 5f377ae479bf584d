"""The metrics by name: what each is called on screen, which way is better, which task it fits.

Kept apart from their computation (`metrics.py`) so that a config can be checked before numpy is
imported. Names are scikit-learn's, without the `neg_` of its scorers: a loss is logged as a loss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from student_perf.errors import ConfigError, suggest

Task = Literal["classification", "regression"]
Direction = Literal["maximize", "minimize"]

TASKS: tuple[Task, ...] = ("classification", "regression")


@dataclass(frozen=True)
class Objective:
    """Something that a sweep can optimise and that every run logs."""

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


@dataclass(frozen=True)
class Metric(Objective):
    """One metric; `lowest` and `highest` bound its values and so its intervals. `ordered` ones need
    three or more classes with an order.
    """

    task: Task
    lowest: float = 0.0
    highest: float = 1.0
    ordered: bool = False

    @property
    def key(self) -> str:
        """The name under which a run logs its mean over folds."""
        return f"cv_{self.name}_mean"


FIT_SECONDS = Objective("fit_seconds", "seconds of fitting", "minimize")
_INF = float("inf")

_METRICS = (
    Metric("accuracy", "accuracy", "maximize", "classification"),
    Metric("balanced_accuracy", "balanced accuracy", "maximize", "classification"),
    Metric("precision_macro", "precision (macro)", "maximize", "classification"),
    Metric("recall_macro", "recall (macro)", "maximize", "classification"),
    Metric("f1_macro", "F1 (macro)", "maximize", "classification"),
    Metric("precision_weighted", "precision (weighted)", "maximize", "classification"),
    Metric("recall_weighted", "recall (weighted)", "maximize", "classification"),
    Metric("f1_weighted", "F1 (weighted)", "maximize", "classification"),
    Metric("roc_auc_ovr", "ROC AUC (one vs rest)", "maximize", "classification"),
    Metric("log_loss", "log loss", "minimize", "classification", 0.0, _INF),
    Metric("brier_score", "Brier score", "minimize", "classification", 0.0, 2.0),
    Metric(
        "quadratic_weighted_kappa",
        "kappa (quadratic)",
        "maximize",
        "classification",
        lowest=-1.0,
        ordered=True,
    ),
    Metric(
        "mean_absolute_grade_error",
        "MAE in grades",
        "minimize",
        "classification",
        0.0,
        _INF,
        ordered=True,
    ),
    Metric("adjacent_accuracy", "within one grade", "maximize", "classification", ordered=True),
    Metric(
        "ranked_probability_score", "ranked prob. score", "minimize", "classification", ordered=True
    ),
    Metric("root_mean_squared_error", "RMSE", "minimize", "regression", 0.0, _INF),
    Metric("mean_absolute_error", "MAE", "minimize", "regression", 0.0, _INF),
    Metric("r2", "R2", "maximize", "regression", -_INF, 1.0),
    Metric("spearman", "Spearman's rho", "maximize", "regression", -1.0, 1.0),
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in _METRICS}
OBJECTIVES: dict[str, Objective] = {**METRICS, FIT_SECONDS.name: FIT_SECONDS}

DEFAULT_METRIC: dict[str, str] = {
    "classification": "accuracy",
    "regression": "root_mean_squared_error",
}


def metrics_of(task: str, ordered: bool = False) -> list[str]:
    """Names of the metrics of a task, in the order in which they are shown."""
    return [
        name
        for name, info in METRICS.items()
        if info.task == task and (ordered or not info.ordered)
    ]


def default_metric(task: str) -> str:
    """Metric that `objective=default` optimises for a task. Raises ConfigError for no task."""
    if task not in DEFAULT_METRIC:
        raise ConfigError(
            f"dataset.task={task}: must be one of {', '.join(TASKS)}; {suggest(task, TASKS)}"
        )
    return DEFAULT_METRIC[task]


def metric_direction(metric: str) -> Direction:
    """Whether more or less of a metric is better. Raises ConfigError for an unknown name."""
    if metric not in METRICS:
        raise ConfigError(
            f"objective.metric={metric}: not a metric of this project; {suggest(metric, METRICS)}"
        )
    return METRICS[metric].direction
