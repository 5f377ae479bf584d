import numpy as np
import pytest
from scipy import stats

from student_perf.errors import ConfigError
from student_perf.reproduction.why import explain
from tests.made_runs import read

THREE = ("tracking=off", "report.importance=false", "split.n_splits=3")


def test_two_models_on_the_same_folds_are_paired(run):
    one, two = run("model=logreg", quick=THREE), run("model=tree", quick=THREE)
    found = explain(read(one), read(two))
    _, data, code, environment = found.differences
    assert data.same is True
    assert environment.same is True
    assert code.same is not False  # unknown for uncommitted changes that were not kept
    assert "model.name: logreg -> tree" in found.differences[0].lines
    difference = np.subtract(two.metrics["fold_accuracy"], one.metrics["fold_accuracy"])
    share = float(one.params["test_over_train"])
    error = np.sqrt((1 / 3 + share) * difference.var(ddof=1))
    low, high = stats.t.interval(0.95, 2, difference.mean(), error)
    assert f"difference {difference.mean():+.4f}" in found.score
    assert f"{low:+.4f} to {high:+.4f}" in found.score


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [(["split.random_state=1"], "their folds differ"), (["dataset.drop=[age]"], "data differ")],
)
def test_runs_that_share_no_folds_are_not_paired(overrides, reason, run):
    found = explain(read(run("model=ridge")), read(run("model=ridge", *overrides)))
    assert "No interval: the runs are not paired" in found.score
    assert reason in found.score
    assert " -> " in found.score


def test_runs_of_different_tasks_share_no_metric(run):
    classes, numbers = run("model=ridge"), run("model=ridge", "dataset=econmath_score")
    with pytest.raises(ConfigError, match="no metric in common"):
        explain(read(classes), read(numbers))
