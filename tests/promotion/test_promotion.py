import json
import shutil
from contextlib import nullcontext
from dataclasses import replace

import pyarrow.parquet as pq
import pytest

from student_perf.errors import ConfigError, DataError
from student_perf.promotion import promotion
from student_perf.promotion.gate import Check, pair
from student_perf.promotion.limits import GateLimits
from student_perf.runs import tags
from student_perf.runs.predictions import load_predictions
from student_perf.store.registry import Version
from tests.made_runs import read


class Memory:
    """A registry that keeps its calls in their order."""

    store, name = "", "m"

    def __init__(self, **holders):
        self.aliases, self.message = dict(holders), []

    def holder(self, alias):
        return self.aliases.get(alias)

    def register(self, run_id):
        self.message.append("register")
        return Version("9", run_id)

    def move(self, aliases):
        self.message.append(list(aliases))
        self.aliases |= aliases

    def log_json(self, run_id, name, content):
        self.message.append(name)

    def describe(self, version, text):
        self.text = text

    def tag(self, version, tags):
        self.tags = tags


@pytest.fixture
def sent(run):
    record = run("model=dummy")
    record.mlflow_run_id = "a" * 32
    record.save()
    return read(record)


def decide(sent, registry, passed, monkeypatch, force=None):
    check = Check("not worse", passed, "as planned")
    monkeypatch.setattr(promotion, "_checks", lambda *_: [check])
    return promotion.promote(sent, registry, GateLimits(), "ada", force, reproducible)


def reproducible(run):
    return Check("reproducible", True, "identical")


def test_the_evidence_is_kept_before_the_champion_changes(sent, monkeypatch):
    old = Version("1", "b" * 32)
    registry = Memory(champion=old)
    decision = decide(sent, registry, True, monkeypatch)
    assert decision.outcome == "promoted"
    assert registry.message == [
        "register",
        ["challenger"],
        "promotion.json",
        ["previous", "champion", "challenger"],
    ]
    assert registry.aliases["previous"] == old
    assert registry.aliases["champion"].run_id == "a" * 32
    assert registry.aliases["challenger"] is None


def test_refused_it_stays_challenger(sent, monkeypatch):
    registry = Memory(champion=Version("1", "b" * 32))
    assert decide(sent, registry, False, monkeypatch).outcome == "refused"
    assert registry.aliases["champion"].number == "1"
    assert registry.aliases["challenger"].number == "9"
    assert "FAILED" in registry.text


def test_force_says_who_and_why(sent, monkeypatch):
    registry = Memory()
    assert decide(sent, registry, False, monkeypatch, force="a demo").promoted
    assert "Forced by ada: a demo" in registry.text
    assert registry.tags == {"student_perf.decision": "forced"}


def test_a_run_that_is_not_the_same_again_is_refused_and_so_is_one_that_cannot_be_run(
    sent, monkeypatch
):
    def changed(run):
        return Check("reproducible", False, "different because of the data")

    def gone(run):
        raise DataError("rows.csv: does not exist")

    monkeypatch.setattr(promotion, "_checks", lambda *_: [])
    for check, reason in ((changed, "because of the data"), (gone, "rows.csv")):
        decision = promotion.promote(sent, Memory(), GateLimits(), "ada", None, check)
        assert decision.outcome == "refused"
        assert reason in decision.checks[-1].reason


def test_a_check_without_its_data_fails_with_the_reason():
    def gone():
        raise DataError("rows.csv: is not there")

    check = promotion._answered("no group worse", gone)
    assert (check.passed, check.reason) == (False, "rows.csv: is not there")


def test_a_challenger_has_to_beat_the_dummy_too(sent, monkeypatch):
    monkeypatch.setattr(promotion, "open_run", lambda *_: nullcontext(sent))
    first, *others = promotion._checks(sent, Version("1", "b" * 32), "", "accuracy", GateLimits())
    assert (first.name, first.passed) == ("better than the dummy", False)
    assert [check.name for check in others if not check.passed] == []
    names = ["not worse", "no group worse", "calibrated", "same contract"]
    assert [check.name for check in others] == names


def test_without_predictions_calibration_is_not_shown(sent):
    (sent.folder / "predictions.parquet").unlink()
    sent.record.seal()
    check = promotion._checks(sent, None, "", "accuracy", GateLimits())[1]
    assert not check.passed
    assert "holds no predictions.parquet" in check.reason


def test_the_first_champion_has_to_beat_the_dummy(sent):
    check = promotion._checks(sent, None, "", "accuracy", GateLimits())[0]
    assert not check.passed  # it is the dummy
    assert "+0.000 on the same held-out rows" in check.reason
    summary = sent.json("metrics.json")
    summary["metrics"]["accuracy"] |= {"gain": 0.1, "gain_low": 0.05, "gain_high": 0.15}
    for p_value, n_tries, passed in ((0.001, 1, True), (0.001, 99, False), (0.4, 1, False)):
        summary["metrics"]["accuracy"]["gain_p"] = p_value
        (sent.folder / "metrics.json").write_text(json.dumps(summary))
        sent.record.metrics["tries"] = n_tries
        sent.record.seal()
        check = promotion._checks(sent, None, "", "accuracy", GateLimits())[0]
        assert check.passed is passed, check.reason
        assert ("(times " in check.reason) is (n_tries > 1)
    (sent.folder / "metrics.json").write_text("{}")
    sent.record.seal()
    check = promotion._checks(sent, None, "", "accuracy", GateLimits())[0]
    assert "has no gain over the dummy" in check.reason


@pytest.mark.slow
def test_of_other_test_rows_the_held_out_ones_are_compared(run):
    one, two = (read(run("model=dummy")) for _ in range(2))
    for finished in (one, two):
        file = finished.folder / "test_predictions.parquet"
        shutil.copy(finished.folder / "predictions.parquet", file)
    table = pq.read_table(two.folder / "test_predictions.parquet")
    pq.write_table(table.slice(1), two.folder / "test_predictions.parquet")
    rows = promotion._pair(one, two)
    assert rows.what == "held-out rows of cross-validation"
    pq.write_table(table.slice(1), two.folder / "predictions.parquet")
    two.record.seal()
    with pytest.raises(ConfigError, match="did not answer the same held-out rows"):
        promotion._pair(one, two)


@pytest.mark.slow
def test_held_out_rows_of_other_folds_are_not_compared(run):
    one, two = (read(run("model=dummy", f"split.random_state={seed}")) for seed in (1, 2))
    with pytest.raises(
        ConfigError, match=r"of other folds .*split=kfold.* promote that by --force"
    ):
        promotion._pair(one, two)


def test_classes_cut_at_other_marks_are_not_compared_with_the_champions(sent):
    other = replace(sent.record, tags=sent.record.tags | {tags.TARGET_SHA256: "0" * 64})
    with pytest.raises(ConfigError, match="the champion answers with other classes"):
        promotion._pair(sent, replace(sent, record=other))


@pytest.mark.slow
def test_groups_of_data_that_have_changed_are_not_reported(run, grades):
    words = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade"]
    finished = read(
        run("model=dummy", *words, "dataset.subgroups=[school]", "dataset.drop=[school]")
    )
    answers = load_predictions(finished.folder / "predictions.parquet")
    rows = pair(answers, answers, "held-out rows")
    words = (finished, rows, "accuracy", GateLimits())
    assert promotion._check_groups(*words).passed
    lines = grades.read_text().splitlines(keepends=True)
    grades.write_text("".join(lines[:-20]))
    with pytest.raises(DataError, match="no longer those of the run"):
        promotion._check_groups(*words)
