"""Shared fixtures: every test works in a folder of its own and sends nothing anywhere else."""

from __future__ import annotations

import copy
import functools
import logging
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from student_perf.config.load import register_resolvers, validate
from student_perf.config.schema import DatasetConfig, ExperimentConfig
from student_perf.config.trusted import ALLOW_PICKLES
from student_perf.data import Dataset
from student_perf.paths import CONF_DIR, WORKSPACE_VARIABLE
from tests.made_runs import make_record, sweep_folder  # noqa: F401 (fixtures)
from tests.made_runs import run_fixture as run_fixture
from tests.reliability import (  # noqa: F401 (hooks)
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
)
from tests.shortcuts import (  # noqa: F401 (fixtures and a hook)
    configs_read_once,
    default_signals,
    end_lent_processes,
    expressions_parsed_once,
    fresh_stores,
    mlflow_loaded,
    no_pictures,
    options_joined_once,
    pictures,
    pytest_collection,
    ready_stores,
    rows_checked_once,
    same_priority,
    trials_composed_once,
    without_pictures,
)

Compose = Callable[..., ExperimentConfig]


@pytest.fixture(scope="session", autouse=True)
def workspace_of_shared_runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What fixtures of several tests run leaves nothing in the checkout either."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv(WORKSPACE_VARIABLE, str(tmp_path_factory.mktemp("workspace_of_shared_runs")))
        yield


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace; nothing of the user's environment leaks in."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.setenv(WORKSPACE_VARIABLE, str(folder))
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(ALLOW_PICKLES, "")  # so that what a command sets is gone after the test
    monkeypatch.delenv(ALLOW_PICKLES)
    return folder


def compose_config(*overrides: str) -> ExperimentConfig:
    """The valid config that these overrides give, as `student_perf.train` would compose it."""
    # A copy, since resolving values of this test's environment leaves them in it.
    return validate(copy.deepcopy(_composed(*overrides)))


@functools.cache
def _composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        return compose("config", list(overrides))


@pytest.fixture(name="compose_config")
def compose_config_fixture() -> Compose:
    return compose_config


@dataclass(frozen=True)
class Outcome:
    """What a command left on the terminal."""

    code: int
    out: str
    err: str


@pytest.fixture
def train(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """`python -m student_perf.train` within this process."""
    from student_perf.train import main

    def run(*overrides: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["train.py", *overrides])
        if "hydra/launcher=joblib" in overrides:
            end_lent_processes()
        handlers = logging.root.handlers[:]
        try:
            code = main()
        except SystemExit as leaving:
            code = int(leaving.code or 0)
        finally:
            logging.root.handlers[:] = handlers  # Hydra's write to where this test's output goes
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def grades(tmp_path: Path) -> Path:
    """A small CSV of mixed kinds with missing cells and three ordered grades."""
    return write_grades(tmp_path / "grades.csv")


def write_grades(path: Path) -> Path:
    rng = np.random.default_rng(7)
    n = 120
    grade = rng.choice(["low", "mid", "high"], n, p=[0.3, 0.4, 0.3])
    hours = rng.normal(5, 2, n) + 2.0 * (grade == "high")
    table = pd.DataFrame(
        {
            "school": rng.choice(["north", "south"], n),
            "hours": np.where(rng.random(n) < 0.1, np.nan, hours),
            "absences": rng.integers(0, 30, n),
            "paid": rng.random(n) < 0.5,
            "grade": grade,
        }
    )
    table.loc[[3, 5], "school"] = None
    table.to_csv(path, index=False)
    return path


SMALL_CONFIG = DatasetConfig(
    name="small",
    version="1",
    source="test",
    target="grade",
    task="classification",
    bands=None,
    classes=None,
    drop=[],
)


@pytest.fixture
def small_dataset() -> Dataset:
    """60 rows, one numeric and one categorical column, three classes of 20."""
    rng = np.random.default_rng(3)
    target = np.repeat(np.arange(3), 20)
    features = pd.DataFrame(
        {
            "points": target + rng.normal(0, 0.8, 60),
            "school": pd.Series(rng.choice(["north", "south"], 60), dtype="str"),
        }
    )
    return Dataset(
        name="small",
        version="1",
        task="classification",
        target_name="grade",
        features=features,
        target=target,
        classes=("low", "mid", "high"),
        sha256="0" * 64,
    )


@pytest.fixture(scope="session")
def kept_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished run on the grades file; numbers, text and missing cells."""
    from student_perf.experiment.run import run_experiment
    from student_perf.terminal import Terminal

    folder = tmp_path_factory.mktemp("kept")
    config = compose_config(
        "dataset=csv",
        f"dataset.path={write_grades(folder / 'grades.csv')}",
        "dataset.target=grade",
        "dataset.classes=[low,mid,high]",
        "tracking=off",
        "report.importance=false",
        "split=holdout",
    )
    with without_pictures():
        run_experiment(config, folder / "run", Terminal(quiet=True))
    return folder / "run"


@pytest.fixture
def kept_run(workspace: Path, kept_once: Path) -> Path:
    """The test's own copy of `kept_once`."""
    folder = workspace / "outputs/2026-01-02/03-04-05_abcdef01"
    shutil.copytree(kept_once, folder)
    return folder
