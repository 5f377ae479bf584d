import numpy as np
import pytest

from student_perf.experiment.compute import compute
from student_perf.experiment.prepare import prepare
from student_perf.terminal import Terminal


@pytest.mark.parametrize("opens_test", [False, True])
def test_it_computes_everything_and_writes_nothing(compose_config, workspace, opens_test):
    config = compose_config("tracking=off", "split.n_splits=2", "report.importance=false")
    prepared = prepare(config)
    outcome = compute(config, prepared, Terminal(quiet=True).folds, opens_test)
    assert not list(workspace.iterdir())
    assert len(outcome.cv.fold_scores["accuracy"]) == 2
    assert set(outcome.rows) == set(outcome.cv.estimates)
    row = outcome.rows["accuracy"]
    assert row["dummy"] == pytest.approx(outcome.baseline.fold_scores["accuracy"].mean())
    assert set(outcome.model.classes_) == set(prepared.dataset.classes)
    assert (outcome.test is not None) is opens_test
    if outcome.test:
        assert outcome.test.output.shape == (len(prepared.split.test), 4)
        np.testing.assert_allclose(outcome.test.output.sum(axis=1), 1)
