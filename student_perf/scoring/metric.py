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
class MetricInfo:
    """One metric; `lowest` and `highest` bound its values and so its intervals. `ordered` ones need
    three or more classes with an order.
    """

    label: str
    task: Task
    direction: Direction = "maximize"
    lowest: float = 0.0
    highest: float = 1.0
    ordered: bool = False


SECONDS = "fit_seconds"  # an objective of sweeps beside the metrics
_INF = float("inf")

METRICS: dict[str, MetricInfo] = {
    "accuracy": MetricInfo("accuracy", "classification"),
    "balanced_accuracy": MetricInfo("balanced accuracy", "classification"),
    "precision_macro": MetricInfo("precision (macro)", "classification"),
    "recall_macro": MetricInfo("recall (macro)", "classification"),
    "f1_macro": MetricInfo("F1 (macro)", "classification"),
    "precision_weighted": MetricInfo("precision (weighted)", "classification"),
    "recall_weighted": MetricInfo("recall (weighted)", "classification"),
    "f1_weighted": MetricInfo("F1 (weighted)", "classification"),
    "roc_auc_ovr": MetricInfo("ROC AUC (one vs rest)", "classification"),
    "log_loss": MetricInfo("log loss", "classification", "minimize", 0.0, _INF),
    "brier_score": MetricInfo("Brier score", "classification", "minimize", 0.0, 2.0),
    "quadratic_weighted_kappa": MetricInfo(
        "kappa (quadratic)", "classification", lowest=-1.0, ordered=True
    ),
    "mean_absolute_grade_error": MetricInfo(
        "MAE in grades", "classification", "minimize", 0.0, _INF, ordered=True
    ),
    "adjacent_accuracy": MetricInfo("within one grade", "classification", ordered=True),
    "ranked_probability_score": MetricInfo(
        "ranked prob. score", "classification", "minimize", ordered=True
    ),
    "root_mean_squared_error": MetricInfo("RMSE", "regression", "minimize", 0.0, _INF),
    "mean_absolute_error": MetricInfo("MAE", "regression", "minimize", 0.0, _INF),
    "r2": MetricInfo("R2", "regression", "maximize", -_INF, 1.0),
    "spearman": MetricInfo("Spearman's rho", "regression", "maximize", -1.0, 1.0),
}

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


def objective_label(name: str) -> str:
    """What an objective of a sweep, a metric or `fit_seconds`, is called on screen."""
    return "seconds of fitting" if name == SECONDS else METRICS[name].label


def objective_key(name: str) -> str:
    """The name under which a run logs the value of an objective."""
    return SECONDS if name == SECONDS else f"cv_{name}_mean"


def objective_direction(name: str) -> Direction:
    """Whether more or less of an objective of a sweep is better."""
    return "minimize" if name == SECONDS else METRICS[name].direction
