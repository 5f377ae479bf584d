import json
import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.pages.report import sweep_page
from student_perf.paths import WORKSPACE_VARIABLE
from student_perf.reproduction.unchanged import check_folder
from student_perf.runs import tags
from student_perf.runs.record import load_record
from student_perf.store import rows
from student_perf.store.find import find_group
from student_perf.sweep.account import audit
from student_perf.sweep.study import importances, load_journal, open_study, read_outcome
from tests.sweep.conftest import run_trials, wait_until

SPACE = "model.C=tag(log,interval(0.01,10))"
TRIALS = "hydra.sweeper.n_trials={}"
QUICK = ["split.n_splits=2", "report.importance=false"]


def sweep_folder(workspace):
    (folder,) = (workspace / "multirun").iterdir()
    return folder


def study_of(folder):
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "study.journal")))
    return optuna.load_study(study_name=folder.name, storage=storage)


def children_of(workspace, folder):
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    parent = client.get_run((folder / "mlflow_run_id").read_text())
    (experiment,) = client.search_experiments(filter_string="name = 'student_perf'")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    mine = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    return parent, {kind: [r for r in mine if r.data.tags["student_perf.kind"] == kind]
                    for kind in ("trial", "final")}  # fmt: skip


def check_agreement(workspace, n_trials, failed=frozenset()):
    """Optuna, MLflow and the files on disk tell the same story; these trials have failed."""
    folder = sweep_folder(workspace)
    study = study_of(folder)
    assert [t.number for t in study.trials] == list(range(n_trials))
    assert {t.number for t in study.trials if t.state != TrialState.COMPLETE} == failed
    parent, children = children_of(workspace, folder)
    numbers = sorted(int(r.data.tags["student_perf.trial_number"]) for r in children["trial"])
    assert numbers == list(range(n_trials))
    done = [r for r in children["trial"] if "cv_accuracy_mean" in r.data.metrics]
    assert {r.info.status for r in [parent, *done, *children["final"]]} == {"FINISHED"}
    assert len(done) == n_trials - len(failed)
    on_disk = {
        int(file.parent.name): load_record(file.parent).metrics["cv_accuracy_mean"]
        for file in folder.glob("[0-9]*/record.json")
        if int(file.parent.name) not in failed
    }
    in_mlflow = {
        int(r.data.tags["student_perf.trial_number"]): r.data.metrics["cv_accuracy_mean"]
        for r in done
    }
    values = {t.number: t.value for t in study.trials if t.number not in failed}
    assert on_disk == in_mlflow == values
    assert parent.data.metrics["best_value"] == study.best_value == max(on_disk.values())
    (winner,) = children["final"]
    assert winner.data.metrics["cv_accuracy_mean"] == study.best_value
    ranks = {r.info.run_name: r.data.metrics["rank"] for r in done}
    (board,) = make_leaderboards(find_group([str(folder)]))
    assert sorted(ranks, key=ranks.get) == [line.record.name for line in board.lines]
    assert winner.data.metrics["rank"] == 1
    return folder, study, parent, winner


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_a_search_is_told_alike_by_optuna_mlflow_and_the_disk(train, workspace):
    outcome = train("-m", *QUICK, SPACE, TRIALS.format(6))
    assert (outcome.code, outcome.err) == (0, "")
    _, study, parent, winner = check_agreement(workspace, 6)
    assert study.trials[0].params == {"model.C": 1.0}  # the defaults
    assert parent.data.tags["student_perf.kind"] == "sweep"
    assert parent.data.params["space.model.C"] == "0.01 to 10, log scale"
    assert 0 < winner.data.metrics["test_accuracy"] < 1
    assert winner.data.metrics["test_looks"] == 1
    assert "Test rows (n = 172)" in outcome.out
    assert max(len(line.rstrip()) for line in outcome.out.splitlines() if "/" not in line) <= 80
    assert "\n\n\n" not in outcome.out


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_the_same_search_again_and_with_more_trials_doubles_nothing(train, workspace):
    assert train("-m", *QUICK, SPACE, TRIALS.format(6)).code == 0
    again = train("-m", *QUICK, SPACE, TRIALS.format(6))
    assert again.code == 0
    assert "nothing is missing; 6 done, 0 to go" in again.out
    folder, *_ = check_agreement(workspace, 6)
    (folder / "report.html").unlink()
    again = " ".join(train("-m", *QUICK, SPACE, TRIALS.format(6)).out.split())
    assert f"{folder.name} had ended and lacked nothing; since then report.html is gone." in again
    assert "6 done, 0 to go" in again
    assert (folder / "report.html").is_file()

    more = train("-m", *QUICK, SPACE, TRIALS.format(8))
    assert "6 done, 2 to go" in more.out
    assert "Not in MLflow yet" not in more.out
    parent, children = children_of(workspace, folder)
    assert len(children["trial"]) == len(study_of(folder).trials) == 8
    assert (parent.info.status, parent.data.metrics["n_trials"]) == ("FINISHED", 8)
    assert "8 finished" in parent.data.tags["mlflow.note.content"]
    assert len(children["final"]) == 1  # the kind of an earlier winner is another by now


@pytest.mark.slow
@pytest.mark.parametrize("name", ["record.json", "predictions.parquet"])
def test_a_sweep_goes_on_from_trials_as_it_left_them_only(name, train, workspace):
    words = ("-m", "tracking=off", *QUICK, "model=dummy,logreg")
    assert train(*words).code == 0
    file = sweep_folder(workspace) / "1" / name
    before = file.read_bytes()
    file.write_bytes(before + b"\n")
    done = train(*words)
    assert done.code == ExitCode.FINDING
    (line,) = done.err.splitlines()
    assert f"{file}: was changed after the run; put it back as it was, or start" in line
    file.write_bytes(before)
    (sweep_folder(workspace) / "leaderboard.csv").write_text("mine\n")  # is written anew
    assert train(*words).code == 0
    assert check_folder(sweep_folder(workspace)).changed == []


@pytest.fixture
def weights(tmp_path, monkeypatch):
    """A file that model=tabicl answers from, and a package in the place of its library."""
    (tmp_path / "stub" / "tabicl").mkdir(parents=True)
    (tmp_path / "stub" / "tabicl" / "__init__.py").write_text(
        "from sklearn.dummy import DummyClassifier\n"
        "class TabICLClassifier(DummyClassifier):\n"
        "    def __init__(self, **options):\n"
        "        super().__init__()\n"
    )
    monkeypatch.syspath_prepend(tmp_path / "stub")
    file = tmp_path / "weights.ckpt"
    file.write_bytes(b"weights")
    yield file
    sys.modules.pop("tabicl", None)


@pytest.mark.slow
def test_a_sweep_goes_on_with_the_files_that_its_models_answer_from_only(weights, train, workspace):
    words = ("-m", "tracking=off", *QUICK, "model=tabicl", f"model.checkpoint={weights}")
    two = (*words, "model.n_estimators=1,2", "hydra.sweeper.study_name=s")
    assert train(*two).code == 0
    assert "nothing is missing" in train(*two).out
    weights.write_bytes(b"others")
    done = train(*two)
    assert done.code == ExitCode.ERROR
    (line,) = done.err.splitlines()
    assert "cannot be continued, its trials would not be comparable" in line
    assert re.search(rf"\({weights} was SHA-256 [0-9a-f]{{16}}, is SHA-256 [0-9a-f]{{16}}\)", line)
    weights.write_bytes(b"weights")
    assert "2 done, 0 to go" in train(*two).out


def test_a_grid_runs_each_option_once(train, workspace):
    outcome = train("-m", "tracking=off", *QUICK, "model=dummy,logreg")
    assert outcome.code == 0, outcome.err
    folder = sweep_folder(workspace)
    records = [load_record(path.parent) for path in folder.glob("[0-9]*/record.json")]
    assert sorted(r.params["model.name"] for r in records) == ["dummy", "logreg"]
    assert "every combination once" in outcome.out
    winner = load_record(folder / "winner")
    assert (winner.status, winner.params["model.name"]) == ("FINISHED", "logreg")


@pytest.mark.slow
def test_a_second_look_at_the_test_rows_warns(train, workspace):
    few = [*QUICK, SPACE, TRIALS.format(2), "tracking=off"]
    assert "look number" not in train("-m", *few).out
    other = train("-m", *few, "model.max_iter=500")
    assert "look number 2 at these rows" in other.out


def test_the_preview_runs_nothing(train, workspace):
    outcome = train("-m", SPACE, TRIALS.format(5), "hydra.sweeper.preview=true")
    assert outcome.code == 0
    assert "5 trials, drawn by tpe" in outcome.out
    assert "0.01 to 10, log scale" in outcome.out
    assert not list(workspace.iterdir())


@pytest.mark.slow
def test_options_that_hold_keys_are_given_as_a_whole_or_key_by_key(train):
    whole = ["hydra.sweeper.constraints={log_loss: 1.2}", "hydra.sweeper.sampler_options={seed: 3}"]
    single = ["+hydra.sweeper.constraints.log_loss=1.2", "+hydra.sweeper.sampler_options.seed=3"]
    for words in (whole, single):
        outcome = train("-m", SPACE, TRIALS.format(5), "hydra.sweeper.preview=true", *words)
        assert "log_loss at most 1.2" in outcome.out


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=rf", "model.max_dpeth=range(2,5)"], "did you mean max_depth"),
        (["model.C=interval(-1,1)"], "model.C=-1.0"),
        ([SPACE, "hydra.sweeper.sampler=tep"], "did you mean tpe"),
        ([SPACE, "hydra.sweeper.n_trails=5"], "n_trails"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_nothing(train, workspace, overrides, message):
    outcome = train("-m", "tracking=off", *overrides)
    assert outcome.code == 1
    assert message in outcome.err
    assert len(outcome.err.splitlines()) == 1
    assert not (workspace / "multirun").exists()


@pytest.mark.slow
def test_a_sweep_that_stops_itself_says_why_and_exits_with_1(train, workspace, monkeypatch):
    def broken(*_args, **_kwargs):
        raise ValueError("out of luck")

    monkeypatch.setattr("student_perf.sweep.evaluate.cross_validate", broken)
    outcome = train("-m", "tracking=off", SPACE, TRIALS.format(9))
    assert outcome.code == 1
    assert "ValueError: out of luck" in outcome.err
    assert load_record(sweep_folder(workspace)).status == "STOPPED"


@pytest.mark.slow
def test_a_sweep_of_failures_only_is_a_failure(train, workspace, monkeypatch):
    def broken(*_args, **_kwargs):
        raise ValueError("out of luck")

    monkeypatch.setattr("student_perf.sweep.evaluate.cross_validate", broken)
    words = ["tracking=off", SPACE, TRIALS.format(2), "hydra.sweeper.max_failure_rate=1"]
    outcome = train("-m", *words)
    assert outcome.code == 1
    assert "all 2 trials have failed" in outcome.err


@pytest.mark.slow
def test_more_failures_than_allowed_show_what_ran_and_open_no_test_rows(train, workspace):
    words = ["-m", "tracking=off", *QUICK, "model=knn", "model.n_neighbors=5,9,5000"]
    for _ in range(2):  # the same command does not forget
        outcome = train(*words)
        assert outcome.code == 1
        assert "max_failure_rate=0.2: 1 of 3 trials have failed (last: ValueError" in outcome.err
        assert "Best: trial 0, accuracy" in outcome.out
        assert "trial 2: ValueError: Expected n_neighbors" in " ".join(outcome.out.split())
        folder = sweep_folder(workspace)
        assert "Test rows" not in outcome.out
        assert not (folder / "winner").exists()
        record = load_record(folder)
        assert (record.status, record.metrics["trials_fail"]) == ("STOPPED", 1)
        assert "trial 2" in (folder / "report.html").read_text(encoding="utf-8")
        assert len((folder / "leaderboard.csv").read_text().splitlines()) == 3
    assert train(*words, "hydra.sweeper.max_failure_rate=0.5").code == 0
    assert load_record(folder / "winner").trial_number == 0


@pytest.mark.slow
def test_what_is_missing_and_how_long_it_takes_is_said(train, workspace):
    words = ["-m", "tracking=off", *QUICK]
    first = train(*words, SPACE, "hydra.sweeper.timeout=0.001", TRIALS.format(3))
    assert "how long is not known" in " ".join(first.out.split())
    assert "continue" in first.out
    assert train(*words, SPACE, TRIALS.format(1)).code == 0
    other = [*words, "model.C=1,2", "hydra.sweeper.preview=true"]
    assert "by earlier trials" in " ".join(train(*other).out.split())


@pytest.mark.slow
def test_changed_data_refuses_to_continue(train, workspace, grades):
    few = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade", "tracking=off"]
    command = ["-m", *few, *QUICK, SPACE, "hydra.sweeper.study_name=mine"]
    assert train(*command, TRIALS.format(2)).code == 0
    grades.write_text(grades.read_text().replace("north", "south", 1))
    outcome = train(*command, TRIALS.format(4))
    assert outcome.code == 1
    assert "cannot be continued" in outcome.err
    assert "data was" in outcome.err
    assert train(*command, TRIALS.format(4), "hydra.sweeper.resume=force").code == 0
    assert len(study_of(workspace / "multirun" / "mine").trials) == 4


# As on four cores and with many rows, where each worker trains in several threads.
BIG = """
import os, sys
os.cpu_count = lambda: 4
from student_perf.experiment import prepare
from student_perf.train import main
if __name__ == "__main__":
    prepare._MANY_ROWS = 0
    sys.exit(main())
"""


def start(workspace, *overrides, script=("-m", "student_perf.train")):
    """The command as a user starts it: with as many threads as it likes, unlike in the tests."""
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    environment[WORKSPACE_VARIABLE] = str(workspace)
    command = [sys.executable, *script, "-m", *overrides]
    return subprocess.Popen(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        # A shell starts its background jobs, as these tests may be one, with Ctrl-C ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def descendants(pid):
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


@pytest.mark.fault(
    "Processes",
    "Ctrl-C in the middle of a sweep",
    "exit code 130; STOPPED; finished by the same command",
)
@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done_and_the_command_goes_on(workspace):
    overrides = ["model=xgb", "model.max_depth=range(2,6)",
                 "model.learning_rate=interval(0.01,0.3)", TRIALS.format(40),
                 "hydra.sweeper.sampler=random", "hydra.sweeper.n_jobs=2"]  # fmt: skip
    process = start(workspace, *overrides)
    wait_for_trials(workspace, 5)
    os.killpg(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130, out
    folder = sweep_folder(workspace)
    states = [t.state for t in study_of(folder).trials]
    assert TrialState.RUNNING not in states
    assert load_record(folder).status == "STOPPED"
    done = states.count(TrialState.COMPLETE)
    assert 1 <= done < 40
    parent, children = children_of(workspace, folder)
    ranks = [run.data.metrics["rank"] for run in children["trial"] if "rank" in run.data.metrics]
    assert sorted(ranks) == list(range(1, done + 1))
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    views = client.get_experiment(parent.info.experiment_id).tags
    assert f"mlflow.sharedViewState.student_perf.sweep.{folder.name}" in views
    process = start(workspace, *overrides)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    assert f"{done} done" in out
    check_agreement(workspace, 40)


def wait_for_trials(workspace, n):
    records = "*/[0-9]*/record.json"
    wait_until(lambda: len(list((workspace / "multirun").glob(records))) >= n)


# Each configuration runs once, so the space has to be larger than the number of trials.
REMOVED = ["model=xgb", "model.max_depth=range(2,9)", "model.learning_rate=interval(0.01,0.3)",
           TRIALS.format(60), "split.n_splits=2", "hydra.sweeper.sampler=random",
           "report.importance=false"]  # fmt: skip


def wait_for_predictions(workspace, number):
    wait_until(lambda: list((workspace / "multirun").glob(f"*/{number}/predictions.parquet")))


@pytest.mark.fault(
    "Disk",
    "the folder of a sweep removed in its middle",
    "one line, exit code 1; nothing is written there again",
)
@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_sweep_whose_folder_is_removed_ends_in_one_line(workspace, n_jobs):
    process = start(workspace, *REMOVED, f"hydra.sweeper.n_jobs={n_jobs}")
    wait_for_predictions(workspace, 5)
    folder = sweep_folder(workspace)
    while folder.exists():  # a trial may be written meanwhile
        shutil.rmtree(folder, ignore_errors=True)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 1, out
    assert "Traceback" not in out
    said = [line for line in out.splitlines() if "student_perf: " in line]
    assert said == [f"student_perf: {folder}: was removed while the sweep ran; run the command "
                    "again to start over"]  # fmt: skip
    assert not list(folder.glob("[0-9]*"))


@pytest.mark.fault(
    "Disk",
    "the journal of a sweep removed in its middle",
    "one line, exit code 1; the same command rebuilds it and goes on",
)
@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_sweep_whose_journal_is_removed_shows_what_ran_and_goes_on(workspace, n_jobs):
    words = [*REMOVED, "tracking=off", f"hydra.sweeper.n_jobs={n_jobs}"]
    process = start(workspace, *words)
    wait_for_predictions(workspace, 5)
    folder = sweep_folder(workspace)
    (folder / "study.journal").unlink()
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 1, out
    assert "Traceback" not in out
    assert "Best: trial" in out
    assert out.splitlines()[-1] == (f"student_perf: {folder}/study.journal: was removed while the "
                                    "sweep ran; run the command again to go on")  # fmt: skip
    out, _ = start(workspace, *words).communicate(timeout=600)
    assert "study.journal was lost: rebuilt from the records of" in out
    assert audit(folder).wrong == []
    assert len(study_of(folder).trials) == 60


@pytest.mark.fault(
    "Disk",
    "the folder of one trial removed in the middle of a sweep",
    "named, and the trial is run again, with the same figures",
)
@pytest.mark.slow
def test_a_trial_whose_folder_is_removed_is_named_and_run_again(workspace):
    process = start(workspace, *REMOVED, "hydra.sweeper.n_jobs=2")
    wait_for_predictions(workspace, 5)
    folder = sweep_folder(workspace)
    wait_until(lambda: load_record(folder / "3").status == "FINISHED")
    value = load_record(folder / "3").metrics["cv_accuracy_mean"]
    shutil.rmtree(folder / "3")
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    assert "Trial 3: its folder was removed; it was run again." in out
    assert load_record(folder / "3").metrics["cv_accuracy_mean"] == value
    account = audit(folder)
    assert account.wrong == []
    assert account.counted[0] == "study: 60 trials (60 complete)"
    assert account.counted[-1] == "MLflow: 60 runs of trials"


@pytest.mark.fault(
    "Disk",
    "the journal of a sweep emptied, or with garbage in it",
    "rebuilt from the records of the trials; the damaged one is kept",
)
@pytest.mark.slow
@pytest.mark.parametrize("damage", [b"", b"{oops\n"])
def test_a_damaged_journal_is_rebuilt_and_no_folder_is_overwritten(workspace, damage):
    words = [*QUICK, SPACE, "tracking=off"]
    out, _ = start(workspace, *words, TRIALS.format(5)).communicate(timeout=600)
    folder = sweep_folder(workspace)
    before = {f: f.read_bytes() for f in folder.glob("[0-9]*/*")}
    journal = folder / "study.journal"
    content = journal.read_bytes()
    journal.write_bytes(content + damage if damage else b"")
    process = start(workspace, *words, TRIALS.format(8))
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    assert "rebuilt from the records of 5 trials." in out
    assert "5 done, 3 to go" in out
    assert {f: f.read_bytes() for f in before} == before
    assert len(study_of(folder).trials) == 8
    (kept,) = folder.glob("study.journal.damaged-*")
    assert kept.read_bytes() == (content + damage if damage else b"") or not damage


@pytest.mark.fault(
    "Processes",
    "kill -9 of a worker, of all children and of the command, at random moments",
    "the same command finishes 200 trials, each once",
)
@pytest.mark.slow
def test_kill_at_any_moment_loses_and_doubles_nothing(workspace, record_property):
    """`kill -9` of a worker, of all, and of the command itself, at random moments."""
    overrides = ["model=xgb", "model.n_estimators=20", "model.max_depth=range(2,9)",
                 "model.learning_rate=interval(0.01,0.3)", TRIALS.format(200),
                 "hydra.sweeper.sampler=random", "hydra.sweeper.n_jobs=2"]  # fmt: skip
    rng = random.Random(0)
    targets = ("worker", "all", "command", "worker", "command", "all")
    record_property("times", len(targets))
    for target in targets:
        process = start(workspace, *overrides)
        wait_for_trials(workspace, 1)
        time.sleep(rng.uniform(2, 5))
        victims = descendants(process.pid)
        chosen = {"worker": victims[-1:], "all": victims, "command": [process.pid]}[target]
        for pid in chosen:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if target != "command":
            time.sleep(rng.uniform(0, 1))
            process.kill()
        process.communicate(timeout=600)
    process = start(workspace, *overrides)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 0, out
    folder = sweep_folder(workspace)
    failed = {t.number for t in study_of(folder).trials if t.state == TrialState.FAIL}
    assert len(failed) <= 3  # six workers were killed, and a trial is given up after two
    for number in failed:
        cause = f"worker ended by signal 9 (SIGKILL) in trial {number}"
        assert load_record(folder / str(number)).error == cause
    check_agreement(workspace, 200, failed)
    numbers = [json.loads(f.read_text())["tags"]["student_perf.trial_number"]
               for f in sweep_folder(workspace).glob("[0-9]*/record.json")]  # fmt: skip
    assert sorted(map(int, numbers)) == list(range(200))


@pytest.mark.slow
def test_forked_processes_may_train_and_load_in_several_threads(workspace, tmp_path):
    """A pool of threads begun before a fork would let both workers and publisher wait for ever."""
    script = tmp_path / "big.py"
    script.write_text(BIG)
    words = ["model=xgb", "model.n_estimators=10", "model.max_depth=2,3", *QUICK]
    process = start(workspace, *words, "hydra.sweeper.n_jobs=2", script=[script])
    try:
        out, _ = process.communicate(timeout=600)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert process.returncode == 0, out
    check_agreement(workspace, 2)


@pytest.mark.slow
def test_workers_in_processes_give_the_values_of_one(workspace, plan_of):
    for n_jobs in (1, 2):
        process = start(workspace / str(n_jobs), "tracking=off", "model=xgb",
                        "model.max_depth=2,3,4", "model.learning_rate=0.05,0.1",
                        f"hydra.sweeper.n_jobs={n_jobs}")  # fmt: skip
        out, _ = process.communicate(timeout=600)
        assert process.returncode == 0, out
    values = [
        {t.number: t.value for t in study_of(sweep_folder(workspace / str(n))).trials}
        for n in (1, 2)
    ]
    assert values[0] == values[1]
    assert len(values[0]) == 6


@pytest.mark.slow
def test_open_study_is_what_the_sweep_left(train, workspace, plan_of):
    train("-m", "tracking=off", "split.n_splits=3", QUICK[1], SPACE, TRIALS.format(2))
    plan, _ = plan_of(SPACE, n_trials=2)
    assert len(open_study(plan).trials) == 2


SEARCH = ["-m", "model.C=tag(log,interval(0.01,10))", "model.class_weight=null,balanced",
          "hydra.sweeper.n_trials=11", *QUICK]  # fmt: skip


@pytest.mark.slow
def test_a_sweep_leaves_its_page_with_the_importances_of_optuna(train, workspace):
    outcome = train(*SEARCH, "tracking=off")
    folder = sweep_folder(workspace)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert f"report   {folder}/report.html" in outcome.out.replace("\n", "")
    assert "Which parameters mattered" in text
    assert shlex.join(["python", "-m", "student_perf.train", *SEARCH]).replace("'", "&#39;") in text
    record = load_record(folder)
    assert "**Best**: trial" in record.tags[tags.NOTE]
    assert "11 finished" in record.tags[tags.NOTE]
    expected = importances(load_journal(folder / "study.journal", folder.name))
    assert read_outcome(folder).importances == expected
    assert sum(expected.values()) == pytest.approx(1)
    (folder / "study.journal").unlink()
    outcome = read_outcome(folder)
    assert not outcome.importances
    assert "Which parameters mattered" not in sweep_page(outcome)


@pytest.mark.slow
def test_a_best_at_an_end_of_what_was_tried_is_said_everywhere_and_can_stop(train, workspace):
    # Each of the four is at an end, whichever is best.
    words = ["-m", "model.C=0.00001,0.00002,0.00003,1", "tracking=off", "split.n_splits=2"]
    words += ["report.importance=false"]
    done = train(*words)
    assert done.code == 0
    assert re.search(r"SP501: model\.C=\S+: lies at the \w+ end", " ".join(done.out.split()))
    folder = sweep_folder(workspace)
    for place in (folder, folder / "winner"):
        assert "what the sweep tried (1e-05 to 1)" in load_record(place).checks["SP501"]
    assert "SP501" in (folder / "report.html").read_text(encoding="utf-8")
    stopped = train(*words, "guards.SP501=error")
    assert stopped.code == 1
    assert "guards.SP501=warn goes on anyway" in stopped.err


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_mlflow_has_the_page_and_the_note(train, workspace):
    assert train("-m", "model.C=0.1,1", *QUICK).code == 0
    folder = sweep_folder(workspace)
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    parent = client.get_run((folder / "mlflow_run_id").read_text())
    sent = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "config.yaml", ".hydra", "provenance.json"} <= sent
    (hydra,) = client.list_artifacts(parent.info.run_id, ".hydra")
    assert hydra.path == ".hydra/hydra.yaml"
    assert "OptunaSweeper" in (folder / ".hydra" / "hydra.yaml").read_text(encoding="utf-8")
    winner = load_record(folder / "winner").mlflow_run_id
    assert f"run `{winner}`" in parent.data.tags["mlflow.note.content"]
    assert parent.data.tags["student_perf.target"].startswith("score: ")


@pytest.mark.slow
def test_a_sweep_into_a_store_of_an_unknown_schema_says_so_once(train, workspace, monkeypatch):
    monkeypatch.setattr(rows, "KNOWN_REVISIONS", ())
    outcome = train("-m", SPACE, TRIALS.format(2))
    words = "a schema that this version does not know"
    assert (outcome.code, " ".join(outcome.out.split()).count(words)) == (0, 1)
    assert (sweep_folder(workspace) / "train.log").read_text().count(words) == 1
    check_agreement(workspace, 2)


@pytest.mark.slow
def test_a_page_that_fails_does_not_fail_the_sweep(train, workspace, monkeypatch):
    def broken(*_args):
        raise ValueError("out of ink")

    monkeypatch.setattr("student_perf.pages.report.write_report", broken)
    outcome = train("-m", "model.C=0.1,1", *QUICK, "tracking=off")
    assert outcome.code == 0
    assert "No report was written: ValueError: out of ink" in outcome.out
    assert load_record(sweep_folder(workspace)).status == "FINISHED"


def test_the_outcome_of_a_folder_that_is_not_a_sweep_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no record\.json"):
        read_outcome(tmp_path)


@pytest.mark.slow
def test_terminal_report_and_note_name_the_same_best_under_a_constraint(train, plan_of, workspace):
    words = ["model.C=1e-5,1e-3,0.1,10", "tracking=off", "split.n_splits=3",
             "report.importance=false"]  # fmt: skip
    plan, evaluator = plan_of(words[0], study_name="free")
    run_trials(plan, evaluator)
    trials = {n: load_record(plan.folder / str(n)) for n in range(4)}
    near = {n: record.mean("adjacent_accuracy") for n, record in trials.items()}
    scores = {n: record.mean("accuracy") for n, record in trials.items()}
    highest = max(scores, key=scores.get)
    limit = (near[highest] + max(near.values())) / 2  # which the highest accuracy breaks
    keeps = [n for n in scores if near[n] >= limit]
    assert highest not in keeps
    best = max(keeps, key=scores.get)
    limited = train("-m", *words, "hydra.sweeper.study_name=limited",
                    f"hydra.sweeper.constraints={{adjacent_accuracy: {limit}}}")  # fmt: skip
    folder = workspace / "multirun" / "limited"
    record, winner = load_record(folder), load_record(folder / "winner")
    assert record.objectives == {"metrics": ["accuracy"], "limits": {"adjacent_accuracy": limit}}
    assert winner.trial_number == record.metrics["best_trial"] == best
    assert f"Best: trial {best}, accuracy" in limited.out
    assert f"Best: trial {best}, accuracy" in (folder / "report.html").read_text(encoding="utf-8")
    assert f"**Best**: trial {best}, accuracy" in record.tags[tags.NOTE]
    assert study_of(folder).best_trial.number == best
