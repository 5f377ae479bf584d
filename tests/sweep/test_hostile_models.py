"""Whatever a model does in one trial, the sweep accounts for it, and no other trial feels it."""

import json
import os
import re
import shutil
import signal
import sys

import pytest

from student_perf.runs.record import load_record
from tests.conftest import write_grades
from tests.sweep import hostile
from tests.sweep.conftest import wait_until
from tests.sweep.test_run import start, study_of

LEVELS = 8
BAD = 6  # the level, and the trial of the grid, that misbehaves
QUICK = ("split.n_splits=2", "report.importance=false", "tracking=off")
CHANGES_ITSELF = {"in_place", "random_state"}  # the figures of the bad trial are its own


@pytest.fixture
def sweep_with(train, tmp_path, monkeypatch, workspace):
    """Runs a sweep over the levels of the hostile model; gives the outcome and its folder."""
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/hostile.yaml").write_text(
        "name: hostile\nlevel: 0\nkind: none\nat: 6\nclassifier:\n  _target_: hostile.Hostile\n"
    )
    (tmp_path / "conf/trusted.yaml").write_text("trusted: [hostile]\n")
    shutil.copy(hostile.__file__, tmp_path / "hostile.py")
    write_grades(tmp_path / "grades.csv")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    data = ("dataset=csv", f"dataset.path={tmp_path}/grades.csv", "dataset.target=grade",
            "dataset.classes=[low,mid,high]")  # fmt: skip

    def words_of(kind, n_jobs, *words, space=f"model.level=range(0,{LEVELS})"):
        name = f"hydra.sweeper.study_name={kind}-{n_jobs}"
        return [*data, *QUICK, "model=hostile", f"model.kind={kind}", space,
                f"hydra.sweeper.n_jobs={n_jobs}", name, *words]  # fmt: skip

    def run(kind, n_jobs, *words, **options):
        outcome = train("-m", *words_of(kind, n_jobs, *words, **options))
        return outcome, workspace / "multirun" / f"{kind}-{n_jobs}"

    run.words = words_of
    yield run
    sys.modules.pop("hostile", None)


@pytest.fixture
def command_with(sweep_with, tmp_path, workspace):
    """Starts the command with a model that hangs in its last trial but one; waits until it does."""

    def begin(n_jobs, *words):
        (tmp_path / hostile.HANGING).unlink(missing_ok=True)
        process = start(workspace, *sweep_with.words("hang", n_jobs, *words))
        wait_until((tmp_path / hostile.HANGING).exists)
        return process, workspace / "multirun" / f"hang-{n_jobs}"

    return begin


def records_of(folder):
    return {int(f.parent.name): load_record(f.parent) for f in folder.glob("[0-9]*/record.json")}


_known = {}  # metrics by trial of the same sweep with nothing hostile in it


def reference_of(sweep_with, kind):
    name = "draws" if kind == "random_state" else "none"
    if name not in _known:
        outcome, folder = sweep_with(name, 1)
        assert outcome.code == 0, outcome.err
        _known[name] = {number: metrics_of(record) for number, record in records_of(folder).items()}
    return _known[name]


def metrics_of(record):
    return {name: value for name, value in record.metrics.items() if "seconds" not in name}


def check(sweep_with, kind, folder):
    """The bad trial ended as expected, and all others with the figures of the reference."""
    records, expected = records_of(folder), hostile.KINDS.get(kind)
    states = {trial.number: trial.state.name for trial in study_of(folder).trials}
    assert sorted(records) == sorted(states) == list(range(LEVELS))
    for number, record in records.items():
        if number == BAD and expected is not None:
            assert (record.status, states[number]) == ("FAILED", "FAIL")
            assert re.search(expected, record.error)
        else:
            assert (record.status, states[number]) == ("FINISHED", "COMPLETE")
            if number != BAD or kind not in CHANGES_ITSELF:
                assert metrics_of(record) == reference_of(sweep_with, kind)[number]
    assert load_record(folder).status == "FINISHED"


def limits(kind):
    words = {"hang": "hydra.sweeper.trial_timeout=3", "memory": "hydra.sweeper.trial_memory=1GB"}
    return [words[kind]] if kind in words else []


@pytest.mark.fault(
    "Models",
    "a trial that hangs, eats memory, crashes, exits, raises or changes its process: 21 ways",
    "it ends with its reason or its figures; no other trial changes in its last digit",
)
@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("kind", hostile.KINDS)
def test_one_hostile_trial_is_accounted_for_and_changes_no_other(sweep_with, kind, n_jobs):
    outcome, folder = sweep_with(kind, n_jobs, *limits(kind))
    check(sweep_with, kind, folder)
    assert outcome.code == 0, outcome.err


@pytest.mark.slow
def test_five_deadly_trials_of_forty_are_named_and_the_others_done(sweep_with):
    space = "model.level=range(0,8)", "model.at=0,1,2,3,4"
    outcome, folder = sweep_with("sigkill", 2, space[1], space=space[0])
    records = records_of(folder)
    failed = {n: r.error for n, r in records.items() if r.status == "FAILED"}
    assert len(records) == 40
    assert sorted(r.status for r in records.values()) == ["FAILED"] * 5 + ["FINISHED"] * 35
    assert all(error.endswith(f"(SIGKILL) in trial {n}") for n, error in failed.items())
    assert outcome.code == 0, outcome.err


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_workers_that_die_whatever_they_run_stop_the_sweep(sweep_with, n_jobs):
    words = ("hydra.sweeper.max_failure_rate=1", "model.at=3", "seed=range(0,30)")
    outcome, folder = sweep_with("os_exit", n_jobs, *words, space="model.level=3")
    assert outcome.code == 1
    assert "worker ended with exit code 0 in trial" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert load_record(folder).status == "STOPPED"


@pytest.mark.slow
def test_deaths_are_remembered_by_the_next_start(sweep_with, tmp_path):
    """One death in this start, one in the next: the trial is not tried a third time."""
    stop = "hydra.sweeper.max_failure_rate=0"  # stops at the first trial that has failed
    outcome, folder = sweep_with("sigkill", 1, stop)
    assert outcome.code == 1
    trial = study_of(folder).trials[BAD]
    assert (trial.state.name, trial.user_attrs["ended_workers"]) == ("FAIL", 2)
    again, _ = sweep_with("sigkill", 1)
    assert "7 done, 1 to go" in again.out
    assert records_of(folder)[BAD].error.endswith("in trial 6")
    assert json.loads((folder / "record.json").read_text())["status"] == "FINISHED"


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in hostile.KINDS if k != "parent"])
def test_another_launcher_does_the_same(sweep_with, kind):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    outcome, folder = sweep_with(kind, 2, *limits(kind), "hydra/launcher=joblib")
    check(sweep_with, kind, folder)
    assert outcome.code == 0, outcome.err


def states_of(folder):
    return [trial.state.name for trial in study_of(folder).trials]


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_the_time_limit_of_the_sweep_ends_a_fit_that_hangs(command_with, n_jobs):
    process, folder = command_with(n_jobs, "hydra.sweeper.timeout=5")
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    assert re.search(r"timeout=5 s is over: waiting for the fold of trial 6 \(\d+ s\); after", out)
    assert re.search(
        r"timeout=5 s is over: \d of 8 trials have not run; the same", " ".join(out.split())
    )
    assert states_of(folder)[BAD] == "WAITING"
    assert load_record(folder).status == "FINISHED"


@pytest.mark.slow
def test_the_first_ctrl_c_answers_at_once_and_the_second_ends_it(command_with):
    process, folder = command_with(2)
    process.send_signal(signal.SIGINT)
    seen = ""
    while "Ctrl-C: waiting for the fold of trial 6" not in seen:
        line = process.stdout.readline()
        assert line, seen
        seen += line
    assert "a second one kills the workers" in seen
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130, out
    assert states_of(folder)[BAD] == "WAITING"
    assert "RUNNING" not in states_of(folder)
    assert load_record(folder).status == "STOPPED"


@pytest.mark.fault(
    "Processes",
    "SIGTERM and SIGHUP to a sweep within a fit that hangs",
    "exit code 143 or 129; STOPPED; the trial waits for the same command",
)
@pytest.mark.slow
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_batch_system_ends_it_like_ctrl_c_within_seconds(command_with, name):
    number = getattr(signal, name)
    process, folder = command_with(1)
    os.killpg(process.pid, number)  # to all its processes, as batch systems do
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 128 + number, out
    assert f"{name}: waiting for the fold of trial 6" in out
    assert states_of(folder) == ["COMPLETE"] * BAD + ["WAITING"] * 2
    assert load_record(folder).status == "STOPPED"


@pytest.mark.fault(
    "Processes",
    "kill -9 of a command whose worker hangs",
    "the worker ends with it; finished by the same command",
)
@pytest.mark.slow
def test_a_worker_that_hangs_ends_with_its_command_and_the_next_one_goes_on(
    command_with, sweep_with, tmp_path
):
    process, folder = command_with(1)
    worker = int((tmp_path / hostile.HANGING).read_text())
    process.kill()
    process.communicate(timeout=600)
    wait_until(lambda: not is_alive(worker))
    assert states_of(folder)[BAD] == "RUNNING"
    outcome, _ = sweep_with("hang", 1, *limits("hang"))
    assert "6 done, 2 to go, 1 of them to be run again" in outcome.out
    check(sweep_with, "hang", folder)


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.fault(
    "Processes",
    "kill -9 of a job of another launcher",
    "one line; its trial runs again, all trials are there",
)
@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "package"), [("joblib", "joblib"), ("submitit_local", "submitit"), ("ray", "ray")]
)
def test_a_job_of_a_launcher_that_is_killed_costs_only_its_trial_a_repetition(
    sweep_with, launcher, package
):
    pytest.importorskip(f"hydra_plugins.hydra_{package}_launcher")
    outcome, folder = sweep_with("parent", 2, f"hydra/launcher={launcher}")
    assert outcome.code == 0, outcome.err
    assert re.search("the worker of trial 6 is gone|job of the launcher was lost", outcome.out)
    check(sweep_with, "parent", folder)
