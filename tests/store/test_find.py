import json

import pytest
import yaml

from student_perf.errors import ConfigError
from student_perf.runs.record import CONFIG_FILE, RunRecord
from student_perf.store.find import latest_run, opened, rebuild_config
from tests.conftest import compose_config


@pytest.fixture
def recorded(workspace):
    """Makes a record with the config of these overrides; nothing was run."""

    def make(place="outputs/2026-01-02/a", kind="single", run_id=None, started=1.0):
        folder = workspace / place
        folder.mkdir(parents=True)
        composed = compose_config("tracking=off").composed
        (folder / CONFIG_FILE).write_text(yaml.safe_dump(composed, sort_keys=False))
        record = RunRecord(folder, "x", kind, {}, {}, started=started, mlflow_run_id=run_id)
        record.finish()
        return record

    return make


def test_a_run_is_found_by_folder_by_id_and_as_the_latest(recorded):
    first = recorded(run_id="abcd1234" * 4)
    winner = recorded("multirun/s/winner", "final", "abcdeeee" * 4, started=5.0)
    recorded("multirun/s/0", "trial", "ffff" * 8, started=9.0)
    for word in (str(first.folder), "abcd1", first.mlflow_run_id):
        with opened(word, "") as found:
            assert found.folder == first.folder
    with opened("ffff", "") as found:
        assert found.record.kind == "trial"
    assert latest_run().folder == winner.folder
    with pytest.raises(ConfigError, match="give more of the id"), opened("abcd", ""):
        pass


@pytest.mark.parametrize("word", ["no/such/folder", "ab", "x' OR 1=1"])
def test_a_word_that_names_no_run_is_refused(word):
    with pytest.raises(ConfigError, match="name a run's folder"), opened(word, ""):
        pass


def test_sweeps_and_unfinished_runs_have_no_result(recorded):
    sweep = recorded("multirun/s", "sweep")
    with pytest.raises(ConfigError, match=r"is a sweep.*winner"), opened(str(sweep.folder), ""):
        pass
    broken = recorded()
    broken.fail("DataError: no rows")
    with pytest.raises(ConfigError, match=r"FAILED.*no rows"), opened(str(broken.folder), ""):
        pass


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
    config = compose_config(*words, "dataset.path=/gone/grades.csv")
    assert rebuild_config(config.composed, str(grades)).dataset.path == str(grades)
    with pytest.raises(ConfigError, match="comes from no file"):
        rebuild_config(compose_config("tracking=off").composed, str(grades))
    elsewhere = compose_config("dataset=student_mat", "tracking=off").composed
    elsewhere["dataset"]["cache"] = "/home/other/data"
    assert rebuild_config(elsewhere).dataset.cache == str(workspace / "data")
    assert rebuild_config(elsewhere).dataset.content_sha256 is not None
    assert rebuild_config(elsewhere, str(grades)).dataset.content_sha256 is None


@pytest.mark.parametrize(
    ("name", "content"), [("record.json", '{"a": 1}'), ("record.json", "{"), ("config.yaml", "{a")]
)
def test_files_that_are_damaged_are_one_line(name, content, recorded):
    record = recorded()
    (record.folder / name).write_text(content)
    with pytest.raises(ConfigError, match=name), opened(str(record.folder), ""):
        pass
