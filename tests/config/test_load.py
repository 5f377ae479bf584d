import pytest

from student_perf.paths import CONF_DIR

GROUPS = ("dataset", "model", "split", "preprocess", "objective", "tracking", "experiment")
NEEDS = {
    "csv": ["dataset.path={grades}", "dataset.target=grade"],
    "parquet": ["dataset.path={grades}", "dataset.target=grade"],
    "openml": ["dataset.openml_id=31", "dataset.target=class"],
    "entrance_exam_modified": ["dataset.path=modified.csv"],
    "group_kfold": ["split.group=school"],
    "r2": ["dataset=econmath_score"],
    "rmse": ["dataset=econmath_score"],
    "mae": ["dataset=econmath_score"],
    "spearman": ["dataset=econmath_score"],
}


def options(group):
    return sorted(file.stem for file in (CONF_DIR / group).glob("*.yaml"))


@pytest.mark.parametrize(("group", "option"), [(g, o) for g in GROUPS for o in options(g)])
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
