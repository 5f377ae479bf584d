import numpy as np
import pytest

from student_perf.errors import ConfigError
from student_perf.scoring.answers import Answers
from student_perf.scoring.metric import (
    METRICS,
    TASKS,
    default_metric,
    metric_direction,
    metrics_of,
)


@pytest.mark.parametrize("task", TASKS)
def test_every_named_metric_is_computed_and_no_other(task):
    y_true = np.array([0, 1, 2, 2])
    output = np.eye(3)[y_true] if task == "classification" else y_true + 0.5
    answers = Answers(y_true, output)
    assert list(answers.scores()) == metrics_of(task)
    assert list(answers.scores(ordered=True)) == metrics_of(task, ordered=True)


def test_a_metric_has_one_formula():
    for metric in METRICS.values():
        forms = (metric.of_counts, metric.of_rows, metric.of_answers)
        assert sum(form is not None for form in forms) == 1, metric.name


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
