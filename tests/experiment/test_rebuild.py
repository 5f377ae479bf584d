import json
import shutil

import pytest

from student_perf.errors import ConfigError
from student_perf.experiment.rebuild import rebuild_config


def test_the_config_comes_back_with_tracking_off(compose_config):
    config = compose_config("tracking=sqlite", "model=xgb", "report.learning_curve=true")
    again = rebuild_config(json.loads(json.dumps(config.composed)))
    assert again.sha256 == config.sha256
    assert not again.tracking.enabled
    assert not again.report.learning_curve


TARGET = {"_target_": "os.system", "command": "touch stolen"}


@pytest.mark.parametrize(
    ("overrides", "path"),
    [
        ([], "model.classifier"),
        ([], "model.regressor"),
        ([], "preprocess.numeric.impute"),
        (["model=calibrated"], "model.base.classifier"),
        (["model=stacking"], "model.members.xgb.classifier"),
        (["model=stacking"], "model.final.classifier"),
    ],
)
@pytest.mark.parametrize("target", ["os.system", "builtins.eval", "student_perf.cli.main", 7])
def test_a_strangers_class_is_refused_wherever_it_stands(overrides, path, target, compose_config):
    composed = json.loads(json.dumps(compose_config("tracking=off", *overrides).composed))
    node = composed
    *parents, last = path.split(".")
    for key in parents:
        node = node[key] if key in node else node[next(iter(node))]
    node[last] = {**TARGET, "_target_": target}
    with pytest.raises(ConfigError, match="this record is refused"):
        rebuild_config(composed)


def test_a_class_in_a_list_is_refused_too(compose_config):
    composed = compose_config("tracking=off").composed
    composed["dataset"]["clean"] = [{"step": [{"inner": TARGET}]}]
    with pytest.raises(ConfigError, match=r"os\.system.*refused"):
        rebuild_config(composed)


def test_a_record_reads_nothing_of_this_machine(compose_config, monkeypatch):
    monkeypatch.setenv("SECRET", "hidden")
    composed = compose_config("tracking=off").composed
    composed["tags"]["x"] = "${oc.env:SECRET}"
    with pytest.raises(ConfigError, match="resolved values only") as caught:
        rebuild_config(composed)
    assert "hidden" not in str(caught.value)


def test_data_elsewhere(grades, compose_config, workspace):
    words = ["dataset=csv", "dataset.target=grade", "tracking=off"]
    gone = shutil.copy(grades, grades.with_name("gone.csv"))
    config = compose_config(*words, f"dataset.path={gone}")
    gone.unlink()
    assert rebuild_config(config.composed, str(grades)).dataset.path == str(grades)
    with pytest.raises(ConfigError, match="comes from no file"):
        rebuild_config(compose_config("tracking=off").composed, str(grades))
    elsewhere = compose_config("dataset=student_mat", "tracking=off").composed
    elsewhere["dataset"]["cache"] = "/home/other/data"
    assert rebuild_config(elsewhere).dataset.cache == str(workspace / "data")
    assert rebuild_config(elsewhere).dataset.content_sha256 is not None
    assert rebuild_config(elsewhere, str(grades)).dataset.content_sha256 is None
