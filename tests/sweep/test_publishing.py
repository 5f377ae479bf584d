import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from student_perf.store import rows
from student_perf.sweep.account import audit
from student_perf.sweep.publishing import finish_publishing, start_publisher

# Locks a store as soon as a trial of the sweep is in it, until the publisher has failed once.
LOCKER = """
import sqlite3, sys, time
from pathlib import Path
workspace = Path(sys.argv[1])
def wait_for(condition):
    while not condition():
        time.sleep(0.01)
sent = '"mlflow_run_id": "'
wait_for(lambda: any(sent in f.read_text() for f in workspace.glob("multirun/*/0/record.json")))
store = sqlite3.connect(workspace / "mlflow.db", isolation_level=None, timeout=60)
store.execute("BEGIN EXCLUSIVE")
wait_for(lambda: list(workspace.glob("multirun/*/tracking_error.txt")))
store.execute("ROLLBACK")
"""


def test_nothing_is_published_if_nothing_is_tracked(plan_of):
    plan, _ = plan_of("model.C=0.1,1")
    assert start_publisher(plan) is None


@pytest.mark.fault(
    "Together",
    "`mlflow.db` locked by another program until the publisher of a sweep gives up once",
    "tried again; everything arrives",
)
def test_a_publisher_that_cannot_be_told_of_the_end_is_ended(plan_of, monkeypatch):
    plan, _ = plan_of("model.C=0.1,1")
    publisher = multiprocessing.get_context("fork").Process(target=time.sleep, args=(3600,))
    publisher.start()

    def full(*_args):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "touch", full)
    finish_publishing(plan, publisher)
    assert publisher.exitcode == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_a_store_that_is_locked_for_a_while_gets_everything_in_the_end(
    train, workspace, monkeypatch
):
    monkeypatch.setattr(rows, "_BUSY_SECONDS", 0.1)
    locker = subprocess.Popen([sys.executable, "-c", LOCKER, str(workspace)])
    words = ["model.C=tag(log,interval(0.01,10))", "split.n_splits=2", "report.importance=false"]
    try:
        outcome = train("-m", *words, "hydra.sweeper.n_trials=60", "hydra.sweeper.sampler=random")
        assert locker.wait(timeout=600) == 0
    finally:
        locker.kill()
        locker.wait()
    assert outcome.code == 0, outcome.err
    assert "Not in MLflow yet" not in outcome.out
    (folder,) = (workspace / "multirun").iterdir()
    assert not (folder / "tracking_error.txt").exists()
    assert audit(folder).wrong == []
