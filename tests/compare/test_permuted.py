import numpy as np
import pytest
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from student_perf.compare.permuted import PermutedLabels, control_line, permuted_control
from student_perf.errors import DataError
from student_perf.experiment.run import run_experiment
from student_perf.terminal import Terminal


@pytest.fixture
def record(compose_config, workspace, grades):
    data = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade", "tracking=off"]
    config = compose_config(*data, "model=logreg", "split.n_splits=3", "split.test_size=0")
    folder = workspace / "outputs/2026-01-02/03-04-05_abcdef00"
    return run_experiment(config, folder, Terminal(quiet=True)).record


def test_labels_are_permuted_within_the_training_rows():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(50, 2)), np.arange(50) % 3
    model = clone(PermutedLabels(LogisticRegression(), 4)).fit(x, y)
    shuffled = np.random.default_rng(4).permutation(y)
    expected = LogisticRegression().fit(x, shuffled)
    assert model.predict_proba(x) == pytest.approx(expected.predict_proba(x))
    assert (model.predict(x) == expected.predict(x)).all()
    assert (model.classes_ == [0, 1, 2]).all()


@pytest.mark.slow
def test_without_labels_to_learn_from_a_model_scores_like_the_baseline(record):
    observed = record.metrics["cv_roc_auc_ovr_mean"]
    control = permuted_control(record, "roc_auc_ovr", observed, 9)
    assert abs(control.permuted.mean() - 0.5) < 0.06
    assert observed > control.permuted.max()
    assert control.p_value == pytest.approx(0.1)  # one in ten: the real one is the best of ten
    assert "refitted 9 times" in control_line(control, "logreg")
    loss = permuted_control(record, "log_loss", record.metrics["cv_log_loss_mean"], 4)
    assert loss.p_value == pytest.approx(0.2)


@pytest.mark.slow
def test_other_data_than_the_record_had_is_refused(record, grades):
    text = grades.read_text().splitlines()
    grades.write_text("\n".join(text[:-1]))
    with pytest.raises(DataError, match=r"SHA-256 of its data is .* now and was"):
        permuted_control(record, "accuracy", 0.5, 1)
