import os
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.exceptions import StorageInternalError
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from student_perf.paths import WORKSPACE_VARIABLE
from student_perf.runs.record import load_record
from student_perf.sweep import patience as module
from student_perf.sweep.patience import (
    LOST_FILE,
    Patience,
    PatientStorage,
    StorageLostError,
    is_lost,
)
from student_perf.sweep.storage import reading_once
from tests.servers import postgres_server
from tests.sweep.conftest import wait_until

LOST = OperationalError("select 1", {}, Exception("connection refused"))


@pytest.fixture
def patience(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_pauses", lambda: iter([0.0, 0.01, 0.01, 0.01, 0.01, 0.01]))
    return Patience(60.0, tmp_path, "postgresql://me@host/x")


class Flaky(InMemoryStorage):
    """Loses its connection as often as `fails` says, after the change if `applies`."""

    fails, applies = 0, False

    def _maybe(self, change):
        if self.fails and not self.applies:
            self.fails -= 1
            raise LOST
        result = change()
        if self.fails:
            self.fails -= 1
            raise StorageInternalError("commit") from LOST
        return result

    def create_new_trial(self, *words):
        return self._maybe(lambda: super(Flaky, self).create_new_trial(*words))

    def set_trial_state_values(self, *words):
        return self._maybe(lambda: super(Flaky, self).set_trial_state_values(*words))


@pytest.mark.parametrize("applies", [False, True])
def test_what_was_said_before_the_connection_died_is_not_said_twice(patience, capsys, applies):
    storage = Flaky()
    study = optuna.create_study(storage=PatientStorage(storage, patience), study_name="mine")
    storage.fails, storage.applies = 1, applies
    study.enqueue_trial({"x": 0.5}, user_attrs={"queued": "a"})
    assert len(study.trials) == 1
    storage.fails = 1
    trial = study.ask()
    assert (trial.number, study.trials[0].state) == (0, TrialState.RUNNING)
    trial.suggest_float("x", 0, 1)
    storage.fails = 1
    study.tell(trial, 0.25)
    assert [(t.state, t.value) for t in study.trials] == [(TrialState.COMPLETE, 0.25)]
    assert capsys.readouterr().out == ""  # back at once, so there is nothing to say


def test_trials_are_read_once_for_an_ask_and_anew_after_a_change(patience, monkeypatch):
    inner = InMemoryStorage()
    storage, reads = PatientStorage(inner, patience), []
    study = optuna.create_study(storage=storage)
    study.enqueue_trial({"x": 0.5})
    read = inner.get_all_trials
    monkeypatch.setattr(inner, "get_all_trials", lambda *w: reads.append(w) or read(*w))
    with reading_once(storage):
        assert [t.state for t in study.get_trials(deepcopy=False)] == [TrialState.WAITING]
        assert study.get_trials(states=(TrialState.COMPLETE,)) == []
        trial = study.ask()
        assert (trial.number, len(reads)) == (0, 1)
        assert [t.state for t in study.get_trials(deepcopy=False)] == [TrialState.RUNNING]
        assert study.ask().number == 1
        assert len(study.trials) == 2
    n_read = len(reads)
    assert n_read == 3
    for _ in range(2):
        assert len(study.trials) == 2
    assert len(reads) == n_read + 2
    with reading_once(inner):  # of a journal, which has an index
        assert len(inner.get_all_trials(study._study_id)) == 2


def test_a_longer_absence_is_said_once_when_it_begins_and_once_when_it_ends(patience, capsys):
    storage = Flaky()
    study = optuna.create_study(storage=PatientStorage(storage, patience))
    storage.fails = 4
    study.ask()
    out = " ".join(capsys.readouterr().out.split())
    assert out.count("The study's database does not answer (Exception: connection refused)") == 1
    assert out.count("The study's database is back.") == 1
    assert not (patience.folder / LOST_FILE).exists()
    (patience.folder / LOST_FILE).touch()  # another process has said it
    storage.fails = 3
    study.ask()
    assert "does not answer" not in capsys.readouterr().out


def test_after_the_limit_or_at_a_stop_the_sweep_ends_in_one_line(patience):
    def lost():
        raise LOST

    patience.seconds = 0.0
    with pytest.raises(StorageLostError, match=r"storage=postgresql://me@host/x: has not answered"):
        patience.keep_trying(lost)
    with pytest.raises(OperationalError):  # nobody waits a second time
        patience.keep_trying(lost)
    impatient = Patience(3600.0, patience.folder, "x", must_stop=lambda: True)
    with pytest.raises(StorageLostError):
        impatient.keep_trying(lost)


def test_errors_that_waiting_does_not_mend_are_passed_on(patience):
    import sqlite3

    def of_sqlite(text):
        return OperationalError("select 1", {}, sqlite3.OperationalError(text))

    assert is_lost(of_sqlite("database is locked"))
    assert not is_lost(of_sqlite("no such table: trials"))
    assert not is_lost(StorageInternalError("too long"))
    assert not is_lost(ValueError("no luck"))

    def broken():
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        patience.keep_trying(broken)


def command(storage, *more):
    space = ["model.C=tag(log,interval(0.01,10))", "split.n_splits=2", "report.importance=false"]
    options = ["n_trials=30", "sampler=random", "study_name=mine", f"storage={storage}"]
    words = [f"hydra.sweeper.{option}" for option in (*options, *more)]
    return [sys.executable, "-m", "student_perf.train", "-m", "tracking=off", *space, *words]


def start(workspace, storage, *more):
    environment = os.environ | {WORKSPACE_VARIABLE: str(workspace)}
    return subprocess.Popen(command(storage, *more), env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)  # fmt: skip


def wait_for_trial(workspace, number):
    folder = workspace / "multirun" / "mine" / str(number)
    wait_until(lambda: (folder / "predictions.parquet").exists())


def values(workspace):
    folders = (workspace / "multirun" / "mine" / str(number) for number in range(30))
    return [load_record(folder).mean("accuracy") for folder in folders]


@pytest.mark.fault(
    "PostgreSQL",
    "restarted (fast, then immediate) in the middle of a sweep, as backend of Optuna",
    "waited for, said once; all trials are there",
)
@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_database_that_is_restarted_is_waited_for(workspace, n_jobs, record_property):
    with postgres_server() as server:
        storage = server.uri.replace("postgresql:", "postgresql+psycopg:")
        process = start(workspace, storage, f"n_jobs={n_jobs}")
        try:
            record_property("times", 2)
            for number, mode in ((3, "fast"), (10, "immediate")):
                wait_for_trial(workspace, number)
                server.stop(mode)
                lost = workspace / "multirun" / "mine" / LOST_FILE
                wait_until(lost.exists)
                server.start()
                wait_until(lambda lost=lost: not lost.exists())
            out, _ = process.communicate(timeout=600)
        finally:
            process.kill()
        assert process.returncode == 0, out
        assert "Traceback" not in out
        assert "rosebud77" not in out
        for line in ("The study's database does not answer", "The study's database is back."):
            assert out.count(line) == 2, out
        study = optuna.load_study(study_name="mine", storage=storage)
        assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 30
        assert [t.value for t in study.trials] == values(workspace)


@pytest.mark.fault(
    "PostgreSQL",
    "away for longer than `storage_wait`, as backend of Optuna",
    "one line, exit code 1; STOPPED; finished by the same command",
)
@pytest.mark.slow
def test_a_database_that_stays_away_stops_the_sweep_and_the_same_command_finishes_it(workspace):
    with postgres_server() as server:
        storage = server.uri.replace("postgresql:", "postgresql+psycopg:")
        process = start(workspace, storage, "n_jobs=2", "storage_wait=1")
        try:
            wait_for_trial(workspace, 3)
            server.stop("immediate")
            out, _ = process.communicate(timeout=600)
        finally:
            process.kill()
        assert process.returncode == 1, out
        assert "Traceback" not in out
        last = out.splitlines()[-1]
        assert "has not answered for 1 s" in last
        assert "Best: trial" in out
        assert load_record(Path(workspace / "multirun" / "mine")).status == "STOPPED"
        server.start()
        process = start(workspace, storage, "n_jobs=2")
        out, _ = process.communicate(timeout=600)
        assert process.returncode == 0, out
        study = optuna.load_study(study_name="mine", storage=storage)
        assert [t.state for t in study.trials] == [TrialState.COMPLETE] * 30
        assert [t.value for t in study.trials] == values(workspace)
