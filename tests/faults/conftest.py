"""Commands in processes of their own, which a fault is brought about for, and what must hold."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import optuna
import pytest
from mlflow import MlflowClient

from student_perf.masking import masked
from student_perf.paths import WORKSPACE_VARIABLE
from student_perf.runs.record import load_record
from student_perf.sweep.account import audit
from student_perf.sweep.storage import open_storage
from tests.conftest import Outcome, write_grades
from tests.faults import gated
from tests.sweep.conftest import wait_until

N_TRIALS = 10
NAME = "mine"


@dataclass
class Bench:
    """A current folder with a model that waits at a gate, and a workspace.

    `words` come after each sweep's own.
    """

    here: Path
    workspace: Path
    environment: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Of the sweep."""
        return self.workspace / "multirun" / NAME

    @property
    def store(self) -> str:
        """The default one."""
        return f"sqlite:///{self.workspace}/mlflow.db"

    def data(self) -> list[str]:
        """Words that name rows and model, alike for runs and sweeps."""
        return ["dataset=csv", f"dataset.path={self.here}/grades.csv", "dataset.target=grade",
                "dataset.classes=[low,mid,high]", "model=gated", "split.n_splits=2",
                "report.importance=false"]  # fmt: skip

    def start(self, *words: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[str]:
        """`python -m student_perf ...`, in a process group of its own."""
        number = len(self.processes)
        with (self.here / f"{number}.out").open("w") as out, \
                (self.here / f"{number}.err").open("w") as err:  # fmt: skip
            process = subprocess.Popen(
                [*prefix, sys.executable, "-m", "student_perf", *words],
                cwd=self.here,
                env=os.environ | {WORKSPACE_VARIABLE: str(self.workspace)} | self.environment,
                stdout=out,
                stderr=err,
                text=True,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
        self.processes.append(process)
        return process

    def sweep_words(self, *words: str, n_jobs: int = 2) -> list[str]:
        """A sweep of ten trials, by two workers."""
        own = [f"hydra.sweeper.n_jobs={n_jobs}", f"hydra.sweeper.study_name={NAME}"]
        return ["train", "-m", *self.data(), f"model.level=range(0,{N_TRIALS})", *own, *words]

    def start_sweep(self, *words: str, **more: Any) -> subprocess.Popen[str]:
        """The sweep, which waits at the gate once it is there."""
        return self.start(*self.sweep_words(*words), **more)

    def wait_for(self, condition: Callable[[], object]) -> None:
        """Wait for a state that the process started first brings about, or for its end."""
        first = self.processes[0]
        wait_until(lambda: condition() or first.poll() is not None)
        assert condition(), self.outcome(first)

    def await_gate(self) -> None:
        """Wait until both workers wait, and every trial before that has ended."""
        self.wait_for(lambda: len(self.waiting()) == 2)
        self.wait_for(lambda: all(self.has_ended(number) for number in range(3)))

    def waiting(self) -> list[int]:
        """Ids of the workers that wait."""
        files = self.here.glob(f"{gated.WAITING}*")
        return [int(file.name.removeprefix(gated.WAITING)) for file in files]

    def await_sent(self) -> None:
        """Wait until the trials before the gate are in MLflow."""
        records = [self.folder / str(number) for number in range(3)]
        self.wait_for(lambda: all(load_record(folder).mlflow_run_id for folder in records))

    def has_ended(self, number: int) -> bool:
        """Whether a trial has."""
        file = self.folder / str(number) / "record.json"
        return file.is_file() and '"status": "RUNNING"' not in file.read_text()

    def open_gate(self) -> None:
        """Let all fits go on, from now on."""
        (self.here / gated.OPEN).touch()

    def outcome(self, process: subprocess.Popen[str]) -> Outcome:
        """What it left, once it has ended."""
        code = process.wait(timeout=900)
        number = self.processes.index(process)
        texts = [(self.here / f"{number}.{end}").read_text() for end in ("out", "err")]
        assert "Traceback" not in "".join(texts), texts
        return Outcome(code, *texts)

    def run(self, *words: str, **more: Any) -> Outcome:
        """A command from its start to its end."""
        return self.outcome(self.start(*words, **more))

    def sweep(self, *words: str) -> Outcome:
        """The whole sweep, with the gate open."""
        self.open_gate()
        return self.outcome(self.start_sweep(*words))


@pytest.fixture
def bench(tmp_path, workspace):
    """A `Bench` whose processes end with the test."""
    here = tmp_path / "here"
    (here / "conf/model").mkdir(parents=True)
    (here / "conf/model/gated.yaml").write_text(
        "name: gated\nlevel: 0\nat: 3\nnoise: 0\nclassifier:\n  _target_: gated.Gated\n"
    )
    (here / "conf/trusted.yaml").write_text("trusted: [gated]\n")
    shutil.copy(gated.__file__, here / "gated.py")
    write_grades(here / "grades.csv")
    # Publishers get their share of a busy machine, or sweeps would wait for them.
    (here / "sitecustomize.py").write_text("import os\nos.nice = lambda increment: 0\n")
    places = [str(here), os.environ.get("PYTHONPATH", "")]
    made = Bench(here, workspace, {"PYTHONPATH": os.pathsep.join(filter(None, places))})
    yield made
    for process in made.processes:
        for end in (process.kill, lambda group=process.pid: os.killpg(group, signal.SIGKILL)):
            try:
                end()
            except ProcessLookupError:
                continue
        process.wait()


@pytest.fixture
def small_disk(tmp_path):
    """Makes a file system of some megabytes."""
    places = []

    def make(megabytes: int) -> Path:
        place = tmp_path / f"disk{len(places)}"
        place.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)]
        if shutil.which("mount") is None or subprocess.run(words, capture_output=True).returncode:
            pytest.skip("mounting a small file system is not permitted here")
        places.append(place)
        return place

    yield make
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, left: int = 0) -> Path:
    """A file that takes the space of a disk but for some bytes."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            file.write(bytes(max(0, shutil.disk_usage(place).free - left)))
            while not left:
                file.write(bytes(4096))
        except OSError:
            pass
    return ballast


def one_error(outcome: Outcome, *words: str, code: int = 1) -> str:
    """The one line on standard error of a command that ended with a code, besides warnings."""
    assert outcome.code == code, outcome
    lines = outcome.err.splitlines()
    (line,) = (line for line in lines if not line.startswith("student_perf: warning: "))
    for word in words:
        assert word in line, line
    return line


def check_whole(
    folder: Path, store: str | None, storage: str | None = None, audited: bool = True
) -> None:
    """Optuna, the disk and MLflow have the same ten trials, each once and finished."""
    study = optuna.load_study(
        study_name=folder.name, storage=open_storage(storage or str(folder / "study.journal"))
    )
    assert [t.number for t in study.trials] == list(range(N_TRIALS))
    assert {t.state.name for t in study.trials} == {"COMPLETE"}
    assert sorted(t.params["model.level"] for t in study.trials) == list(range(N_TRIALS))
    values = [t.value for t in study.trials]
    records = [load_record(folder / str(n)) for n in range(N_TRIALS)]
    assert {r.status for r in (*records, load_record(folder))} == {"FINISHED"}
    assert [r.metrics["cv_accuracy_mean"] for r in records] == values
    assert load_record(folder / "winner").status == "FINISHED"
    if store is not None:
        _check_store(folder, store, values)
    has_password = store is not None and masked(store) != store
    if audited and not has_password:  # which is not on record
        assert audit(folder).wrong == []


def runs_in(store: str) -> list[Any]:
    """All runs that MLflow has of the project's experiment."""
    client = MlflowClient(tracking_uri=store)
    experiment = client.get_experiment_by_name("student_perf")
    return list(client.search_runs([experiment.experiment_id], max_results=1000))


def _check_store(folder: Path, store: str, values: list[float]) -> None:
    mine = (folder / "mlflow_run_id").read_text()
    runs = [r for r in runs_in(store) if mine in (r.info.run_id,
            r.data.tags.get("mlflow.parentRunId"))]  # fmt: skip
    kinds = Counter(run.data.tags["student_perf.kind"] for run in runs)
    kinds.pop("replaced", None)  # of a winner that was run again
    assert kinds == {"trial": N_TRIALS, "sweep": 1, "final": 1}
    whole = [run for run in runs if run.data.tags["student_perf.kind"] != "replaced"]
    assert {run.info.status for run in whole} == {"FINISHED"}
    assert not any(run.info.status == "RUNNING" for run in runs)
    scores = {
        int(run.data.tags["student_perf.trial_number"]): run.data.metrics["cv_accuracy_mean"]
        for run in runs
        if run.data.tags["student_perf.kind"] == "trial"
    }
    assert scores == dict(enumerate(values))
