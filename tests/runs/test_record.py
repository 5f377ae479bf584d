import json

import pytest

from student_perf.runs.record import RunRecord, load_record, to_json


@pytest.fixture
def record(tmp_path):
    return RunRecord(tmp_path, "rf-small", "single", {"seed": "0"}, {"role": "sre"})


def test_states_are_on_disk_when_they_are_reached(record):
    record.save()
    assert load_record(record.folder).status == "RUNNING"
    record.metrics = {"cv_accuracy_mean": 0.5, "fold_accuracy": [0.4, 0.6]}
    record.finish()
    back = load_record(record.folder)
    assert back == record
    assert (back.status, back.error) == ("FINISHED", None)
    assert back.ended >= back.started


def test_a_failure_keeps_its_line(record):
    record.fail("DataError: no rows")
    back = load_record(record.folder)
    assert (back.status, back.error) == ("FAILED", "DataError: no rows")


def test_json_has_no_nan():
    text = to_json({"a": float("nan"), "b": [1.0, float("inf")], "c": {"d": 2}})
    assert json.loads(text) == {"a": None, "b": [1.0, None], "c": {"d": 2}}
