import json
import logging
import os
import re
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from student_perf.experiment import prepare
from student_perf.paths import WORKSPACE_VARIABLE
from student_perf.runs.layout import RECORD_FILE
from student_perf.runs.record import load_record
from student_perf.train import _mend_words
from tests.documentation import CUT, is_shown, marked
from tests.hostile import RAISED, Shares
from tests.servers import mlflow_server
from tests.tiers import few_fast

HEAVY = ("pandas", "sklearn", "xgboost", "mlflow", "optuna")


@pytest.mark.parametrize(
    ("typed", "mended"),
    [
        (["model=rf", "-m", "seed=1,2"], ["model=rf", "seed=1,2", "-m"]),
        (["a=1", "--config-dir", "x", "b=2"], ["a=1", "b=2", "--config-dir", "x"]),
        (["-m", "a=1", "b=2"], ["-m", "a=1", "b=2"]),
        (["model=rf", "-m"], ["model=rf", "-m"]),
    ],
)
def test_overrides_may_stand_on_both_sides_of_a_flag(monkeypatch, typed, mended):
    monkeypatch.setattr(sys, "argv", ["train.py", *typed])
    _mend_words()
    assert sys.argv[1:] == mended


def test_a_run_prints_result_and_places(train, workspace, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)  # works from any folder
    outcome = train("tracking=off", "model=logreg")
    assert (outcome.code, outcome.err) == (0, "")
    assert "856 rows" in outcome.out
    assert "172 test rows set aside, unopened" in outcome.out
    number = r"0\.\d{3}"
    mean_and_std, train_and_dummy = f"{number} +{number}", f"{number} +{number}"
    line = f"> +accuracy +{mean_and_std} +{number} to {number} +{train_and_dummy}"
    assert re.search(line, outcome.out)
    (folder,) = workspace.glob("outputs/*/*")
    assert str(folder) in outcome.out
    assert load_record(folder).status == "FINISHED"
    assert not list(tmp_path.glob("outputs"))


def test_the_pages_show_what_the_default_run_prints(train):
    """The front pages a few lines, with each cut marked; the page of a run all but its places."""
    printed = train("tracking=off").out
    for page in ("README.md", "README.es.md", "docs/what_a_run_shows.md"):
        assert is_shown(marked(page, "default-run"), printed), page
    assert CUT not in marked("docs/what_a_run_shows.md", "default-run").splitlines()


@pytest.mark.slow
def test_hydra_and_the_log_leave_their_files(train, workspace):
    train("tracking=off", "model=dummy", "seed=3")
    (folder,) = workspace.glob("outputs/*/*")
    assert (folder / ".hydra/overrides.yaml").read_text() == (
        "- tracking=off\n- model=dummy\n- seed=3\n"
    )
    first = (folder / "train.log").read_text().splitlines()[0]
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO +student_perf\.experiment\.show: ", first
    )


QUICK = ("tracking=off", "model=dummy", "split=holdout", "report.importance=false")


@pytest.mark.slow
def test_a_used_folder_is_refused_before_anything_is_written(train, workspace):
    words = (*QUICK, f"hydra.run.dir={workspace / 'mine'}")
    assert train(*words).code == 0
    before = {p: p.read_bytes() for p in (workspace / "mine").rglob("*") if p.is_file()}
    again = train(*words, "seed=5")
    assert (again.code, len(again.err.splitlines())) == (1, 1)
    assert f"hydra.run.dir={workspace / 'mine'}: is not empty; name another folder" in again.err
    after = {p: p.read_bytes() for p in (workspace / "mine").rglob("*") if p.is_file()}
    assert after == before


@pytest.mark.slow
def test_relative_paths_and_words_beyond_the_grammar_as_they_are_typed(
    train, workspace, grades, monkeypatch
):
    """Also where `hydra.job.chdir` has moved to the run's folder, and without an experiment."""
    monkeypatch.chdir(grades.parent)
    text = grades.read_text().replace("grade", "año", 1)
    (grades.parent / "a=b (1).csv").write_text(text)
    words = ("dataset=csv", "dataset.path=a=b (1).csv", "dataset.target=año", "experiment=null")
    done = train(*QUICK, *words, "hydra.job.chdir=true")
    assert (done.code, done.err) == (0, "")
    assert Path.cwd() == grades.parent
    (record,) = workspace.rglob(RECORD_FILE)
    assert load_record(record.parent).status == "FINISHED"


@pytest.mark.slow
def test_two_starts_in_the_same_second_never_share_a_folder(train, workspace, monkeypatch):
    monkeypatch.setattr(
        "student_perf.train.run", lambda cfg: 0.0 if cfg else 1.0
    )  # only Hydra's part
    frozen = SimpleNamespace(now=lambda: datetime(2026, 1, 2, 3, 4, 5))
    monkeypatch.setattr("hydra.core.utils.datetime", frozen)
    for _ in range(8):
        assert train("tracking=off").code == 0
    assert len(list(workspace.glob("outputs/2026-01-02/03-04-05_*"))) == 8


@pytest.mark.slow
def test_an_unexpected_error_is_one_line_with_its_traceback_in_the_log(
    train, workspace, monkeypatch
):
    def broken(*_args, **_kwargs):
        raise RuntimeError("no space left\n\nmore")

    monkeypatch.setattr("student_perf.experiment.records.write_result", broken)
    outcome = train("tracking=off", "model=dummy")
    assert outcome.code == 1
    assert outcome.err == "student_perf: RuntimeError: no space left\n"
    (log,) = workspace.rglob("train.log")
    assert "Traceback" in log.read_text()


def test_the_variable_brings_the_traceback_and_stays_as_it_was(train, monkeypatch):
    assert "HYDRA_FULL_ERROR" not in os.environ
    train("model=xbg")
    assert "HYDRA_FULL_ERROR" not in os.environ
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(Exception, match="Could not find 'model/xbg'"):
        train("model=xbg")


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
@pytest.mark.slow
def test_a_signal_ends_a_run_with_its_code_also_within_a_fit(train, monkeypatch, name, code):
    if not hasattr(signal, name):
        pytest.skip(f"the system has no {name}")

    def interrupted(*_args, **_kwargs):
        signal.raise_signal(getattr(signal, name))

    monkeypatch.setattr("sklearn.linear_model.LogisticRegression.fit", interrupted)
    done = train("tracking=off")
    assert (done.code, "the model raised" in done.err) == (code, False)


@pytest.mark.parametrize("word", few_fast([w for w in RAISED if not w.startswith("_")], 2))
def test_whatever_a_model_raises_ends_in_one_line_and_code_1(train, workspace, monkeypatch, word):
    # pytest-xdist cannot send a captured line with a lone surrogate.
    monkeypatch.setattr(logging.getLogger("student_perf.experiment.run"), "disabled", True)
    monkeypatch.setattr(prepare, "build_estimator", lambda *_, **__: Shares(in_fit=RAISED[word]))
    outcome = train("tracking=off", "split.n_splits=2")
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert word in line
    assert len(line) < 3000
    (record,) = workspace.rglob("record.json")
    assert load_record(record.parent).status == "FAILED"


@pytest.mark.parametrize("error", [SystemExit(0), GeneratorExit()])
def test_what_ends_the_process_outside_a_model_is_a_failure_as_well(train, monkeypatch, error):
    def leaving(*_args, **_kwargs):
        raise error

    monkeypatch.setattr("student_perf.experiment.run.prepare", leaving)
    outcome = train("tracking=off", "model=dummy")
    assert outcome.code == 1
    assert outcome.err.startswith(f"student_perf: {type(error).__name__}")


def call(workspace, *arguments):
    environment = os.environ | {WORKSPACE_VARIABLE: str(workspace)}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=300
    )


@pytest.mark.parametrize("flag", few_fast([["--help"], ["--cfg", "job"]], 1))
def test_help_and_config_import_nothing_heavy(workspace, flag):
    program = (
        "import sys; sys.argv = ['train.py', *{flag}]\n"
        "from student_perf.train import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', [m for m in {heavy} if m in sys.modules])"
    )
    done = call(workspace, "-c", program.format(flag=flag, heavy=HEAVY))
    assert done.stdout.rstrip().endswith("LOADED []"), done.stdout + done.stderr
    assert "model" in done.stdout


@pytest.mark.slow
def test_the_command_as_a_user_types_it(workspace):
    done = call(workspace, "-m", "student_perf.train", "model=xgb")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert done.stderr == ""
    (folder,) = workspace.glob("outputs/*/*")
    assert load_record(folder).mlflow_run_id in done.stdout
    assert (workspace / "mlflow.db").is_file()


@pytest.mark.fault(
    "Together",
    "16 runs started at once on a fresh store",
    "all are FINISHED, each in MLflow once",
)
@pytest.mark.slow
def test_fresh_store_takes_sixteen_first_runs_at_once(workspace):
    environment = os.environ | {WORKSPACE_VARIABLE: str(workspace)}
    command = [sys.executable, "-m", "student_perf.train", "model=dummy", "split=holdout"]
    running = [
        subprocess.Popen(
            command, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
        )
        for _ in range(16)
    ]
    errors = [process.communicate(timeout=900)[1] for process in running]
    assert [process.returncode for process in running] == [0] * 16, errors
    ids = {load_record(p.parent).mlflow_run_id for p in workspace.glob("outputs/*/*/record.json")}
    assert len(ids - {None}) == 16


@pytest.mark.slow
def test_two_processes_give_the_same_numbers_to_the_last_digit(workspace):
    for _ in range(2):
        done = call(workspace, "-m", "student_perf.train", "model=xgb", "tracking=off")
        assert done.returncode == 0, done.stderr
    one, two = (
        json.loads(path.read_text())["metrics"]
        for path in workspace.glob("outputs/*/*/metrics.json")
    )
    assert one == two
    files = [p.read_bytes() for p in workspace.glob("outputs/*/*/predictions.parquet")]
    assert files[0] == files[1]


@pytest.mark.slow
def test_a_real_server_takes_a_run(workspace, tmp_path):
    with mlflow_server(tmp_path) as uri:
        done = call(workspace, "-m", "student_perf.train", "tracking=server", f"tracking.uri={uri}")
        assert done.returncode == 0, done.stderr + (tmp_path / "server.log").read_text()
        assert not (workspace / "mlflow.db").exists()
        from mlflow import MlflowClient

        client = MlflowClient(tracking_uri=uri)
        experiment = client.get_experiment_by_name("student_perf")
        (run,) = client.search_runs([experiment.experiment_id])
        assert run.info.status == "FINISHED"
        logged = {file.path for file in client.list_artifacts(run.info.run_id)}
        assert {"confusion_matrix.png", "predictions.parquet", "train.log"} <= logged


@pytest.mark.slow
def test_the_model_of_a_numeric_target_joins_the_config_that_was_named(train, grades, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "mine.yaml").write_text(
        "defaults: [config, _self_]\nseed: 7\nsplit: {n_splits: 3}\ntracking: {enabled: false}\n"
        "report: {importance: false}\n"
    )
    outcome = train("--config-dir", str(folder), "-cn", "mine", "dataset=csv",
                    f"dataset.path={grades}", "dataset.target=hours",
                    "dataset.clean=[normalise_text,drop_missing_target]")  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "ridge on csv, split kfold, seed 7" in outcome.out
    assert "3 folds over" in outcome.out
    assert "mlflow" not in outcome.out


@pytest.mark.slow
def test_a_warning_of_a_library_does_not_decide_whether_a_run_is_sent(workspace):
    command = [sys.executable, "-W", "error", "-m", "student_perf.train", "model=tree"]
    done = subprocess.run([*command, "report.importance=false"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Not in MLflow yet" not in done.stdout
