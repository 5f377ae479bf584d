import logging
import signal

import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.errors import ModelError, TrackingError
from student_perf.experiment import prepare
from student_perf.experiment.run import run_experiment
from student_perf.paths import PROJECT_DIR
from student_perf.runs import model_file
from student_perf.runs.model_file import load_model
from student_perf.runs.record import load_record
from student_perf.terminal import Terminal
from tests.conftest import compose_config
from tests.hostile import ANSWERED, RAISED, Shares
from tests.tiers import few_fast

QUICK = ("tracking=off", "model=logreg")
COSTS = {"fit_seconds", "wall_seconds", "cpu_seconds", "peak_memory_mb"}


def run(config, folder):
    return run_experiment(config, folder, Terminal(quiet=True))


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    """A run with its pictures."""
    few = ("split.n_splits=2", "split.n_repeats=2", "report.importance_repeats=2")
    config = compose_config(*QUICK, "split=repeated_kfold", *few)
    return run(config, tmp_path_factory.mktemp("run") / "r")


def test_every_file_of_a_run_is_documented(result):
    page = (PROJECT_DIR / "docs/record.md").read_text(encoding="utf-8")
    for path in result.record.folder.iterdir():
        table = path.with_suffix(".csv").name  # a picture may be named beside its table
        assert f"`{path.name}`" in page or f"`{table}`" in page, path.name


def test_folder_holds_the_whole_record(result):
    folder = result.record.folder
    names = {path.name for path in folder.iterdir()}
    assert names - {"uncommitted.diff"} == {  # only where the checkout has changes
        "classification_report.csv",
        "classification_report.txt",
        "config.yaml",
        "confusion_matrix.png",
        "contract.yaml",
        "model_card.md",
        "golden_rows.json",
        "importance.csv",
        "importance.png",
        "introduction.json",
        "lineage.json",
        "metrics.json",
        "model.skops",
        "pip_list.txt",
        "precision_recall.png",
        "prediction_sets.json",
        "predictions.parquet",
        "provenance.json",
        "record.json",
        "reliability.png",
        "roc_curves.png",
        "subgroups.csv",
        "subgroups.png",
    }
    assert load_record(folder).status == "FINISHED"
    assert "${" not in (folder / "config.yaml").read_text()
    assert "scikit-learn==" in (folder / "pip_list.txt").read_text()


def test_calibration_and_groups_agree_with_the_predictions(result):
    predictions = pd.read_parquet(result.record.folder / "predictions.parquet")
    probabilities = predictions.filter(like="proba_")
    confidence = probabilities.max(axis=1)
    hit = predictions["y_true"] == predictions["y_pred"]
    bins = pd.cut(confidence, [i / 10 for i in range(11)])
    gaps = (confidence - hit).groupby(bins, observed=True).sum().abs().sum() / len(hit)
    known = result.record.metrics
    assert known["cv_expected_calibration_error"] == pytest.approx(gaps)
    assert known["cv_calibration_error"] < gaps
    ends = known["cv_calibration_error_ci95_low"], known["cv_calibration_error_ci95_high"]
    assert ends[0] <= known["cv_calibration_error"] <= ends[1]
    assert 0 < known["cv_calibration_p"] <= 1
    groups = pd.read_csv(result.record.folder / "subgroups.csv").set_index("column")
    for column in ("male", "mothcoll"):
        assert groups[groups["metric"] == "accuracy"].loc[column, "n"].sum() == 684


@pytest.mark.slow
@pytest.mark.usefixtures("pictures")
def test_the_report_does_not_change_the_result(tmp_path):
    words = ("report.learning_curve=true", "report.importance=false", "dataset.subgroups=[]")
    one, two = (
        run(compose_config(*QUICK, *words), tmp_path / "1"),
        run(compose_config(*QUICK), tmp_path / "2"),
    )
    assert one.record.metrics.keys() == two.record.metrics.keys()
    assert one.record.metrics["fold_log_loss"] == two.record.metrics["fold_log_loss"]
    names = [{path.name for path in r.record.folder.iterdir()} for r in (one, two)]
    assert names[0] - names[1] == {"learning_curve.csv", "learning_curve.png"}
    assert names[1] - names[0] == {
        f"{name}.{ending}" for name in ("importance", "subgroups") for ending in ("csv", "png")
    }


@pytest.mark.slow
def test_the_kept_model_answers_in_labels_and_never_saw_the_test_rows(result, tmp_path):
    model = load_model(result.record.folder / "model.skops")
    data = load_dataset(compose_config(*QUICK).dataset)
    answers = model.predict(data.features.head(20))
    assert set(answers) <= set(data.classes)
    scaler = model.estimator_.named_steps["preprocess"].named_transformers_["numeric"]["scale"]
    assert scaler.n_samples_seen_ == 684


@pytest.mark.slow
def test_same_seed_same_numbers_to_the_last_digit(tmp_path):
    few = ["model.n_estimators=20"]
    for model, words in (("logreg", []), ("rf", few), ("xgb", few)):
        words = [*words, "split=holdout", "seed=5", "report.importance=false"]
        words = ["tracking=off", f"model={model}", *words]
        config = compose_config(*words)
        one, two = (run(config, tmp_path / f"{model}{i}") for i in range(2))
        assert one.record.metrics.keys() == two.record.metrics.keys()
        for name, value in one.record.metrics.items():
            if name not in COSTS:
                assert value == two.record.metrics[name], name
        content = [(r.record.folder / "predictions.parquet").read_bytes() for r in (one, two)]
        assert content[0] == content[1]


@pytest.mark.usefixtures("pictures")
@pytest.mark.slow
def test_numbers_get_their_own_picture_and_no_class_report(tmp_path):
    config = compose_config(
        *QUICK[:1],
        "dataset=econmath_score",
        "model=rf",
        "model.n_estimators=5",
        "split.n_splits=2",
        "report.importance_repeats=1",
    )
    result = run(config, tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert {"predicted_actual.png", "residuals.png", "importance.png", "subgroups.csv"} <= names
    of_classes = {"confusion_matrix.png", "classification_report.txt", "roc_curves.png"}
    assert not names & {*of_classes, "precision_recall.png", "reliability.png"}
    assert result.objective == result.record.metrics["cv_root_mean_squared_error_mean"]


def test_a_csv_of_mixed_kinds_runs_through(grades, tmp_path):
    config = compose_config(
        "tracking=off",
        "model=rf",
        "model.n_estimators=5",
        "split.n_splits=3",
        "report.importance_repeats=1",
        "dataset=csv",
        f"dataset.path={grades}",
        "dataset.target=grade",
        "dataset.classes=[low,mid,high]",
    )
    result = run(config, tmp_path / "r")
    report = (result.record.folder / "classification_report.txt").read_text()
    assert report.index("low") < report.index("mid") < report.index("high")


def test_a_failure_in_training_marks_the_record(tmp_path, monkeypatch, caplog):
    def broken(*_args, **_kwargs):
        raise RuntimeError("the disk is full\n\nlong story")

    monkeypatch.setattr("student_perf.experiment.records.write_result", broken)
    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError):
        run(compose_config(*QUICK), tmp_path)
    record = load_record(tmp_path)
    assert (record.status, record.error) == ("FAILED", "RuntimeError: the disk is full")
    assert not (tmp_path / "metrics.json").exists()
    assert "Traceback" in caplog.text


def test_ctrl_c_marks_the_record_and_sends_nothing(tmp_path, monkeypatch):
    def interrupted(*_args, **_kwargs):
        signal.raise_signal(signal.SIGINT)

    def unreachable(*_args, **_kwargs):
        raise AssertionError("nothing may be sent after Ctrl-C")

    monkeypatch.setattr("student_perf.experiment.compute.cross_validate", interrupted)
    monkeypatch.setattr("student_perf.store.publisher.try_publish", unreachable)
    with pytest.raises(KeyboardInterrupt):
        run(compose_config("model=logreg"), tmp_path)
    assert load_record(tmp_path).status == "FAILED"


@pytest.mark.slow
def test_a_store_that_fails_at_the_end_leaves_a_finished_record(tmp_path, monkeypatch):
    def refused(*_args, **_kwargs):
        raise TrackingError("tracking.uri=x: gone")

    monkeypatch.setattr("student_perf.store.publisher.publish", refused)
    words = ("split.n_splits=2", "report.importance=false")
    run(compose_config("model=logreg", *words), tmp_path)
    record = load_record(tmp_path)
    assert (record.status, record.mlflow_run_id) == ("FINISHED", None)


def hostile_run(monkeypatch, folder, estimator):
    monkeypatch.setattr(prepare, "build_estimator", lambda *_, **__: estimator)
    monkeypatch.setattr(model_file, "save_model", lambda *_: None)  # its class is not trusted
    words = ("report.importance=false", "split.n_splits=3")
    return run(compose_config(*QUICK, *words), folder)


@pytest.mark.parametrize("word", few_fast(RAISED, 3))
def test_whatever_a_model_raises_the_record_says_failed_and_why(monkeypatch, tmp_path, word):
    # pytest-xdist cannot send a captured line with a lone surrogate.
    monkeypatch.setattr(logging.getLogger("student_perf.experiment.run"), "disabled", True)
    with pytest.raises(Exception):  # noqa: B017, PT011 (and nothing that ends a process)
        hostile_run(monkeypatch, tmp_path, Shares(in_fit=RAISED[word]))
    record = load_record(tmp_path)
    assert record.status == "FAILED"
    assert word in record.error
    assert len(record.error) < 3000


@pytest.mark.parametrize("word", ["that sum to 3", "nan"])
def test_an_answer_that_is_none_is_a_failure_with_its_place(monkeypatch, tmp_path, word):
    with pytest.raises(ModelError):
        hostile_run(monkeypatch, tmp_path, Shares(answer=ANSWERED[word]))
    error = load_record(tmp_path).error
    assert error.startswith("the model answered ")
    assert "in fold 1 of 3" in error


class ChangedWhenKept(Shares):
    """Answers wrongly once it is fitted on all rows."""

    def predict_proba(self, X):
        probabilities = super().predict_proba(X)
        return probabilities * (3 if self.n_ > 600 else 1)

    def fit(self, X, y):
        self.n_ = len(y)
        return super().fit(X, y)


@pytest.mark.slow
def test_the_kept_models_answers_to_its_golden_rows_are_checked_too(monkeypatch, tmp_path):
    with pytest.raises(ModelError, match="for the golden rows"):
        hostile_run(monkeypatch, tmp_path, ChangedWhenKept())
    assert load_record(tmp_path).status == "FAILED"


@pytest.mark.slow
def test_what_a_model_does_to_its_data_reaches_neither_report_nor_record(monkeypatch, tmp_path):
    honest = hostile_run(monkeypatch, tmp_path / "1", Shares())
    changing = hostile_run(monkeypatch, tmp_path / "2", Shares(changes_data=True))
    costs = COSTS | {"test_looks"}
    one, two = (
        {k: v for k, v in r.record.metrics.items() if k not in costs} for r in (honest, changing)
    )
    assert one == two
    for name in ("subgroups.csv", "golden_rows.json", "contract.yaml", "lineage.json"):
        texts = [(tmp_path / number / name).read_text() for number in "12"]
        assert texts[0] == texts[1], name
