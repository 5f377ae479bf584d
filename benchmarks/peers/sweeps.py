"""Runs of peers/app.py in a peer's environment, and what they left in MLflow."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from processes import Measured, run_measured

_APP = Path(__file__).parent / "app.py"
_STORE = "mlflow.db"
# The runs of trials; (d) has one more for the study.
_TRIALS = (
    "SELECT start_time / 1000.0, end_time / 1000.0 FROM runs WHERE start_time >= ? "
    "AND status = 'FINISHED' AND run_uuid IN "
    "(SELECT run_uuid FROM params WHERE key = 'model._target_')"
)

_LAST_SCORES = (
    "SELECT key, value FROM latest_metrics WHERE run_uuid = "
    "(SELECT run_uuid FROM runs ORDER BY start_time DESC LIMIT 1)"
)


@dataclass(frozen=True)
class Peer:
    """A sweeper by its name in `PACKAGES`, its interpreter, and the folder of rows and folds."""

    name: str
    python: Path
    data: Path

    def scores(self, model: str) -> dict[str, float]:
        """Mean scores of a model's defaults by metric. Leaves the store that sweeps start from."""
        self._used.mkdir(exist_ok=True)
        self._run(self._used, [f"model={model}"])
        metrics = dict(_query(self._used / _STORE, _LAST_SCORES))
        ends = ("cv_", "_mean")
        return {
            key.removeprefix(ends[0]).removesuffix(ends[1]): value
            for key, value in metrics.items()
            if key.startswith(ends[0]) and key.endswith(ends[1])
        }

    def sweep(
        self, arguments: list[str], n_trials: int, n_jobs: int
    ) -> tuple[list[tuple[float, float]], Measured]:
        """Start and end of each trial of a sweep, seconds since the epoch, and its processes."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            shutil.copy(self._used / _STORE, folder)
            options = _sweep_options(self.name, n_trials, n_jobs, folder)
            measured = self._run(folder, ["-m", *arguments, *options])
            trials = _query(folder / _STORE, _TRIALS, measured.started * 1000)
        assert len(trials) == n_trials, measured.output
        return trials, measured

    @property
    def _used(self) -> Path:
        return self.data / self.name

    def _run(self, folder: Path, arguments: list[str]) -> Measured:
        command = [
            str(self.python),
            str(_APP),
            *arguments,
            f"data={self.data}",
            f"tracking_uri=sqlite:///{folder}/{_STORE}",
            f"hydra.run.dir={folder}/run",
        ]
        modules = {"PYTHONPATH": str(_APP.parents[1]), "PYTHONWARNINGS": "ignore"}
        # MLflow puts artifacts of a sqlite store into the current folder.
        return run_measured([["env", "-C", str(folder), *command]], os.environ | modules)


def _query(database: Path, statement: str, *values: float) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(database)
    try:
        return connection.execute(statement, values).fetchall()
    finally:
        connection.close()


def _sweep_options(peer: str, n_trials: int, n_jobs: int, folder: Path) -> list[str]:
    """Overrides of a sweep by the peer's sweeper that leaves everything in `folder`."""
    options = [f"hydra.sweep.dir={folder}/multirun", "hydra.sweep.subdir=${hydra.job.num}"]
    if n_jobs > 1:
        options += ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={n_jobs}"]
    if peer == "official":
        return [
            *options,
            "hydra/sweeper=optuna",
            "hydra/sweeper/sampler=tpe",
            "hydra.sweeper.sampler.seed=0",
            "hydra.sweeper.direction=maximize",
            f"hydra.sweeper.n_trials={n_trials}",
            f"hydra.sweeper.n_jobs={n_jobs}",
        ]
    here = "hydra.sweeper.optuna_config"
    # It makes a categorical of each `range`; the values it draws from are the same.
    sampler = "{_target_:optuna.samplers.TPESampler,seed:0}"
    # It refuses several jobs on a study in memory.
    storage = [f"{here}.storage=sqlite:///{folder}/study.db"] if n_jobs > 1 else []
    return [
        *options,
        "hydra/sweeper=mlflow_optuna",
        f"{here}.sampler={sampler}",
        f"{here}.direction=maximize",
        f"{here}.n_trials={n_trials}",
        *storage,
    ]
