"""A model that a run kept, with what belongs to it: contract, golden rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from student_perf.config.load import default_tracking
from student_perf.data.contract import Contract, contract_from_yaml
from student_perf.errors import ConfigError
from student_perf.runs.golden import GOLDEN_FILE, GoldenRows, golden_from_json
from student_perf.runs.model_file import load_model
from student_perf.runs.record import CONTRACT_FILE, MODEL_FILE
from student_perf.store.client import download
from student_perf.store.find import LATEST, latest_run
from student_perf.store.search import is_run_id


@dataclass(frozen=True)
class KeptModel:
    """A fitted model and its rules; `golden` is None where the run kept no golden rows."""

    source: str
    folder: Path
    model: Any
    contract: Contract
    golden: GoldenRows | None

    def output(self, features: pd.DataFrame) -> np.ndarray:
        """Probabilities (n, K) in the order of the contract's classes, or numbers (n,)."""
        answer = self.model.predict_proba if self.contract.classes else self.model.predict
        return np.asarray(answer(features), dtype=np.float64)


def load_kept_model(source: str) -> KeptModel:
    """The model in a run folder, of an MLflow run id, of the `latest` run, or at an MLflow URI
    such as `models:/name@alias`.

    Only types on the reviewed list are restored, never a pickle. Raises ConfigError or
    TrackingError where there is no model.
    """
    folder = fetch_folder(source)
    model_file = _found(folder, source, MODEL_FILE)
    contract = _found(folder, source, CONTRACT_FILE).read_text(encoding="utf-8")
    golden = [path for path in _places(folder, GOLDEN_FILE) if path.is_file()]
    return KeptModel(
        source=source,
        folder=folder,
        model=load_model(model_file),
        contract=contract_from_yaml(contract),
        golden=golden_from_json(golden[0].read_text(encoding="utf-8")) if golden else None,
    )


def fetch_folder(source: str) -> Path:
    """The folder that holds a model's files, downloaded where it is in MLflow."""
    if source == LATEST:
        return latest_run().folder
    if Path(source).is_dir():
        return Path(source)
    if is_run_id(source):
        return download(f"runs:/{source}/model", default_tracking().uri)
    if source.startswith(("models:/", "runs:/")):
        return download(source, default_tracking().uri)
    raise ConfigError(
        f"{source}: is no run folder, no MLflow run id, not latest, and no URI like "
        "models:/name@champion; name one of these"
    )


def _found(folder: Path, source: str, name: str) -> Path:
    for path in _places(folder, name):
        if path.is_file():
            return path
    raise ConfigError(f"{source}: holds no {name}, so it is no model that a run here has kept")


def _places(folder: Path, name: str) -> list[Path]:
    return [folder / name, folder / "extra_files" / name]
