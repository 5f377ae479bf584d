import numpy as np
import pytest
from scipy import stats

from student_perf.errors import ConfigError
from student_perf.reproduction.why import explain
from student_perf.scoring.metrics import TRAINING
from tests.made_runs import read

THREE = ("tracking=off", "report.importance=false", "split.n_splits=3")


@pytest.mark.slow
def test_two_models_on_the_same_rows_are_paired(run):
    one, two = run("model=logreg", quick=THREE), run("model=tree", quick=THREE)
    found = explain(read(one), read(two))
    _, data, code, environment = found.differences
    assert data.same is True
    assert environment.same is True
    assert code.same is not False  # unknown for uncommitted changes that were not kept
    (line,) = (one for one in found.differences[0].lines if one.startswith("model."))
    assert line.startswith("model.name: logreg -> tree, with its parameters (")
    hits = [
        (one.predictions().answers.output.argmax(axis=1) == one.predictions().y_true).astype(float)
        for one in (two, one)
    ]
    difference, n = two.mean("accuracy") - one.mean("accuracy"), len(hits[0])
    change, fold = hits[0] - hits[1], one.predictions().fold
    parts = [change[fold == number] for number in range(3)]
    error = TRAINING * np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)) / 3
    low, high = stats.t.interval(0.95, n - 1, difference, error)
    assert f"difference {difference:+.4f}" in found.score
    assert f"{low:+.4f} to {high:+.4f}" in found.score
    assert f"paired over {n} rows." in found.score
    (two.folder / "predictions.parquet").unlink()
    score = explain(read(one), read(two)).score
    assert "paired over 3 folds (Nadeau and Bengio's correction)." in score


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [(["split.random_state=1"], "their folds differ"), (["dataset.drop=[age]"], "data differ")],
)
@pytest.mark.slow
def test_runs_that_share_no_folds_are_not_paired(overrides, reason, run):
    found = explain(read(run("model=ridge")), read(run("model=ridge", *overrides)))
    assert "No interval: the runs are not paired" in found.score
    assert reason in found.score
    assert " -> " in found.score


@pytest.mark.slow
def test_runs_of_different_tasks_share_no_metric(run):
    classes, numbers = run("model=ridge"), run("model=ridge", "dataset=econmath_score")
    with pytest.raises(ConfigError, match="no metric in common"):
        explain(read(classes), read(numbers))
