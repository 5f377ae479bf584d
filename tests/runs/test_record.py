import json
import math

import pytest

from student_perf.errors import ConfigError
from student_perf.locks import holding
from student_perf.runs import tags
from student_perf.runs.layout import RUN_LOCK_FILE, SWEEP_LOCK_FILE
from student_perf.runs.record import Recorded, RunRecord, load_record, to_json
from tests.made_runs import seal_again


@pytest.fixture
def record(tmp_path):
    return RunRecord(tmp_path, "rf-small", "single", {"seed": "0"}, {"role": "sre"})


def test_states_are_on_disk_when_they_are_reached(record):
    record.save()
    with holding(record.folder / RUN_LOCK_FILE):
        assert load_record(record.folder).status == "RUNNING"
    record.metrics = {"cv_accuracy_mean": 0.5, "fold_accuracy": [0.4, 0.6]}
    record.finish()
    back = load_record(record.folder)
    assert back == record
    assert (back.status, back.error) == ("FINISHED", None)
    assert back.ended >= back.started


def test_a_run_that_nobody_holds_has_failed_and_says_when_it_was_last_seen(record):
    record.save()
    seen = (record.folder / "record.json").stat().st_mtime
    back = load_record(record.folder)
    assert back.status == "FAILED"
    assert back.error.startswith("ended without a word, last seen 20")
    assert back.tags[tags.ERROR] == back.error
    assert back.ended == seen


@pytest.mark.parametrize("kind", ["sweep", "trial"])
def test_a_sweep_that_nobody_holds_and_its_trials_can_be_continued(tmp_path, kind):
    folder = tmp_path / "3" if kind == "trial" else tmp_path
    folder.mkdir(exist_ok=True)
    RunRecord(folder, "one", kind, {}, {}).save()
    with holding(tmp_path / SWEEP_LOCK_FILE):
        assert load_record(folder).status == "RUNNING"
    assert load_record(folder).status == "STOPPED"


def test_a_clock_that_is_set_back_makes_no_duration_negative(tmp_path, monkeypatch):
    monkeypatch.setattr("time.time", lambda: 1_000_000.0)
    record = RunRecord(tmp_path, "rf", "trial", {}, {})
    record.save()
    monkeypatch.setattr("time.time", lambda: 1_000_000.0 - 86_400)
    later = load_record(tmp_path)  # as another process would, for a trial whose worker has died
    later.fail("worker ended")
    assert later.ended == later.started
    record.finish()
    assert 0 <= record.ended - record.started < 1000


def test_a_failure_keeps_its_line(record):
    line = f"DataError: {'no rows ' * 100}"
    record.fail(line)
    back = load_record(record.folder)
    assert (back.status, back.error, back.tags[tags.ERROR]) == ("FAILED", line, line[:500])


def test_json_has_no_nan():
    text = to_json({"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": 2}})
    assert json.loads(text) == {"a": None, "b": [1.0, None], "c": {"d": 2}}


def test_mlflow_gets_what_decides_and_what_many_look_for(tmp_path):
    params = {"objective.metric": "log_loss"}
    record = RunRecord(tmp_path, "one", "trial", params, {tags.OBJECTIVES: "log_loss,f1_weighted"})
    shown = ["cv_log_loss_std", "train_f1_weighted_mean", "cv_accuracy_mean", "fit_seconds"]
    left = ["cv_accuracy_std", "dummy_accuracy_mean", "cv_brier_score_mean", "fold_brier_score"]
    record.metrics = dict.fromkeys([*shown, *left], 1.0)
    assert list(record.shown_metrics) == shown
    record.params["tracking.all_metrics"] = "True"
    assert record.shown_metrics == record.metrics


def test_facts_are_typed_and_what_is_lacking_is_empty(tmp_path):
    record = RunRecord(tmp_path, "one", "trial", {}, {})
    assert (record.model, record.study, record.trial_number, record.n_rows) == (
        "",
        None,
        None,
        None,
    )
    assert len(record.fold_scores("accuracy")) == 0
    assert record.test_estimate("accuracy") is None
    assert math.isnan(record.mean("accuracy"))
    record.tags |= {tags.TRIAL: "7", tags.STUDY: "mine", tags.DIRTY: "True"}
    record.params |= {"swept.model.C": "0.5", "test_over_train": "0.25", "n_rows": "120"}
    record.metrics |= {"fold_accuracy": [0.5, 0.6], "test_accuracy": 0.4}
    record.metrics |= {"test_accuracy_ci95_low": 0.3, "test_accuracy_ci95_high": 0.5}
    assert (record.trial_number, record.study, record.is_dirty) == (7, "mine", True)
    assert (record.swept, record.n_rows) == ({"model.C": "0.5"}, 120)
    estimate = record.estimate("accuracy")
    assert estimate.mean == pytest.approx(0.55)
    assert estimate.low < estimate.mean < estimate.high
    test = record.test_estimate("accuracy")
    assert (test.mean, test.low, test.high) == (0.4, 0.3, 0.5)


@pytest.mark.parametrize("content", [b"[" * 100_000, b"\xff\xfe", b"{"])
def test_a_file_that_is_no_json_is_one_line(kept_run, content):
    (kept_run / "provenance.json").write_bytes(content)
    seal_again(kept_run)
    run = Recorded(load_record(kept_run), {})
    with pytest.raises(ConfigError, match=r"provenance\.json: cannot be read .*; get"):
        run.json("provenance.json")
