import pytest
import yaml
from omegaconf import OmegaConf

from student_perf.config import (
    Bands,
    HoldoutSplit,
    KFoldSplit,
    RepeatedKFoldSplit,
    ReportConfig,
    iter_leaves,
    load_config,
    validate,
)
from student_perf.errors import ConfigError
from student_perf.paths import CONF_DIR

GROUPS = ("dataset", "model", "split", "preprocess", "objective", "tracking", "experiment")
NEEDS = {
    "csv": ["dataset.path=grades.csv", "dataset.target=grade"],
    "parquet": ["dataset.path=grades.parquet", "dataset.target=grade"],
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
def test_every_option_of_every_group_composes_and_is_valid(compose_config, group, option):
    config = compose_config(f"{group}={option}", *NEEDS.get(option, []))
    assert config.composed["seed"] == 0


def test_defaults_are_typed(compose_config):
    config = compose_config()
    assert config.dataset.bands == Bands(
        [60.0, 70.0, 80.0], ["under_60", "60_to_70", "70_to_80", "from_80"]
    )
    assert config.split == KFoldSplit("kfold", 0.2, 0, True, 5)
    assert config.report == ReportConfig(True, 5, False, 20)
    assert config.dataset.subgroups == ["male", "mothcoll"]
    assert (config.objective.metric, config.objective.direction) == ("accuracy", "maximize")
    assert config.tags == {"role": "data_science", "phase": "exploration"}


def test_split_options_give_their_own_types(compose_config):
    assert isinstance(compose_config("split=holdout").split, HoldoutSplit)
    repeated = compose_config("split=repeated_kfold", "split.n_repeats=3").split
    assert isinstance(repeated, RepeatedKFoldSplit)
    assert repeated.n_repeats == 3


def test_objective_follows_the_task(compose_config):
    assert compose_config("dataset=econmath_score").objective.metric == "root_mean_squared_error"
    assert compose_config("dataset=econmath_score").objective.direction == "minimize"
    assert compose_config("objective.metric=log_loss").objective.direction == "minimize"


def test_the_seed_reaches_split_and_model(compose_config):
    config = compose_config("seed=11", "model=rf")
    assert config.split.random_state == 11
    assert config.model["random_state"] == 11


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


def test_hash_ignores_tags_tracking_and_report_only(compose_config):
    base = compose_config().sha256
    assert compose_config("report.importance=false", "report.min_group_size=5").sha256 == base
    assert compose_config("+tags.team=blue", "tracking=off").sha256 == base
    assert compose_config("model.C=0.5").sha256 != base
    assert compose_config("seed=1").sha256 != base


def test_leaves_are_dotted_and_lists_stay_whole():
    tree = {"a": {"b": 1, "c": [1, 2]}, "d": None, "e": {}}
    assert dict(iter_leaves(tree)) == {"a.b": 1, "a.c": [1, 2], "d": None, "e": {}}


def test_numbers_serve_where_text_or_floats_are_declared(compose_config):
    config = compose_config("dataset.version=3", "split.test_size=0")
    assert config.dataset.version == "3"
    assert config.split.test_size == 0.0


def test_a_missing_section_is_named():
    with pytest.raises(ConfigError, match=r"^tags: is missing"):
        validate(OmegaConf.create({"seed": 0}))


def test_every_yaml_starts_with_a_command_that_uses_it():
    for file in CONF_DIR.rglob("*.yaml"):
        lines = file.read_text(encoding="utf-8").splitlines()
        # Hydra reads a package directive only from the very first line.
        first = lines[1] if lines[0].startswith("# @package") else lines[0]
        group = file.parent.relative_to(CONF_DIR).as_posix()
        assert first.startswith("# python -m student_perf"), file
        if group != ".":
            assert first.startswith("# python -m student_perf.train"), file
            assert f"{group}={file.stem}" in first, file


def test_a_runs_config_file_gives_its_config_again(compose_config, tmp_path):
    config = compose_config("model=rf", "model.n_estimators=7", "tags.role=sre")
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(config.composed))
    assert load_config(path) == config
