import numpy as np
import pytest

from student_perf.errors import ConfigError
from student_perf.scoring.metric import (
    METRICS,
    TASKS,
    default_metric,
    metric_direction,
    metrics_of,
)
from student_perf.scoring.scores import scores


@pytest.mark.parametrize("task", TASKS)
def test_every_named_metric_is_computed_and_no_other(task):
    y_true = np.array([0, 1, 2, 2])
    output = np.eye(3)[y_true] if task == "classification" else y_true + 0.5
    assert list(scores(task, y_true, output)) == metrics_of(task)
    assert list(scores(task, y_true, output, True)) == metrics_of(task, ordered=True)


def test_default_metric_belongs_to_its_task():
    assert {METRICS[default_metric(task)].task for task in TASKS} == set(TASKS)


def test_losses_are_minimised_and_scores_maximised():
    losses = {name for name in METRICS if name.endswith(("loss", "error"))}
    losses |= {"brier_score", "ranked_probability_score"}
    assert {name for name in METRICS if metric_direction(name) == "minimize"} == losses


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean accuracy"):
        metric_direction("acuracy")
    with pytest.raises(ConfigError, match="did you mean regression"):
        default_metric("regresion")
