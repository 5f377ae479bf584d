import pytest

from student_perf.config.schema import TrackingConfig
from student_perf.errors import ConfigError
from student_perf.sweep.storage import (
    DamagedJournalError,
    check_apart,
    check_no_tracking_store,
    mend_journal,
    open_storage,
    set_aside,
)
from student_perf.sweep.study import next_trial, open_study
from tests.sweep.conftest import opened

C = "model.C=tag(log,interval(0.01,10))"


@pytest.fixture
def journal(plan_of):
    plan, _ = plan_of(C, n_trials=4)
    study = opened(plan)
    next_trial(study, plan)
    return plan.folder / "study.journal"


def test_a_journal_cut_off_in_its_last_line_is_read_on(plan_of):
    plan, _ = plan_of(C, n_trials=4)
    next_trial(opened(plan), plan)
    journal = plan.folder / "study.journal"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    mend_journal(journal)
    assert whole.startswith(journal.read_bytes())
    assert len(open_study(plan).trials) == 1
    next_trial(open_study(plan), plan)
    assert [t.state.name for t in open_study(plan).trials] == ["RUNNING"]
    mend_journal(plan.folder / "not there")


def test_a_last_line_that_is_no_json_is_damage(journal):
    journal.write_bytes(journal.read_bytes() + b"\0\0{\n")
    with pytest.raises(DamagedJournalError, match="last line is not JSON"):
        mend_journal(journal)


@pytest.mark.parametrize("line", [b"{not json\n", b'{"op_code": 99}\n', b"[]\n"])
def test_a_line_inside_that_is_wrong_is_damage_and_no_driver_that_is_missing(journal, line):
    first, *others = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([first, line, *others]))
    with pytest.raises(DamagedJournalError, match="rebuilds it") as caught:
        open_storage(str(journal))
    assert "driver" not in str(caught.value)


def test_a_damaged_journal_is_kept_under_another_name(journal):
    content = journal.read_bytes()
    place = set_aside(journal)
    assert not journal.exists()
    assert place.name.startswith("study.journal.damaged-")
    assert place.read_bytes() == content
    assert set_aside(journal) is None


def test_a_storage_that_cannot_be_opened_is_named_without_its_password():
    with pytest.raises(ConfigError, match=r"storage=nodb://.*cannot be opened") as caught:
        open_storage("nodb://me:secret@nowhere/x")
    assert "secret" not in str(caught.value)


def test_a_study_and_mlflow_need_a_database_each():
    uri = "postgresql://me:secret@host:5432/grades"
    check_apart("study.journal", uri)
    check_apart("postgresql+psycopg://me@host:5432/study", uri)
    check_apart("sqlite:////a/study.db", "sqlite:////a/mlflow.db")
    check_apart("sqlite:////a/study.db", "http://127.0.0.1:5000")
    for storage in ("postgresql+psycopg://you:secret@host:5432/grades", uri):
        with pytest.raises(ConfigError, match="each of the two needs one of its own") as refused:
            check_apart(storage, uri)
        assert "secret" not in str(refused.value)
    with pytest.raises(ConfigError, match="name another database"):
        check_apart("sqlite:////a/mlflow.db", "sqlite:////a/mlflow.db")


def test_a_path_that_sqlalchemy_reads_otherwise_is_refused():
    for storage in ("sqlite:////a/b%20c.db", "sqlite:////a/b?c.db"):
        with pytest.raises(ConfigError, match=r"storage=.*for something else"):
            check_no_tracking_store(storage, TrackingConfig(True, "sqlite:////a/mlflow.db", "x"))
    for storage in ("sqlite:////a/100% right.db", "sqlite:////a/b.db?timeout=3"):
        check_no_tracking_store(storage, TrackingConfig(True, "sqlite:////a/mlflow.db", "x"))
