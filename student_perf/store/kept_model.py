"""A model that a run kept, with what belongs to it: contract, golden rows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from student_perf.data.contract import Contract, contract_from_yaml
from student_perf.errors import ConfigError
from student_perf.evaluation.contained import contained
from student_perf.runs.golden import GoldenRows, golden_from_json
from student_perf.runs.layout import CONTRACT_FILE, GOLDEN_FILE, MODEL_FILE, holds_record
from student_perf.runs.model_file import load_model
from student_perf.scoring.checks import checked_answer
from student_perf.store.address import default_tracking
from student_perf.store.client import download, model_address
from student_perf.store.find import find_kept, is_on_disk, refuse_nested


@dataclass(frozen=True)
class KeptModel:
    """A fitted model and its rules; `golden` is None if the run kept no golden rows."""

    source: str
    folder: Path
    model: Any
    contract: Contract
    golden: GoldenRows | None

    def output(self, features: pd.DataFrame) -> np.ndarray:
        """Probabilities (n, K) in the order of the contract's classes, or numbers (n,).

        Raises:
            ModelError: The answer breaks a rule of `scoring.checks`.
        """
        answer = self.model.predict_proba if self.contract.classes else self.model.predict
        own, where = features.copy(), f"from {self.source}"  # a copy, which it may change
        with contained(where):
            return checked_answer(answer(own), len(own), len(self.contract.classes), where)


def load_kept_model(word: str, store: str | None = None) -> KeptModel:
    """The model of the run that a word means, of a sweep's winner, or at an address of MLflow's
    registry such as `models:/name@alias`, which need not be of a run here.

    Only types on the reviewed list are restored, never a pickle.

    Raises:
        ConfigError: There is no such run, or it has no model.
        TrackingError: The store does not answer or has no such model.
    """
    folder = _model_folder(word, store)
    model_file = _found(folder, word, MODEL_FILE)
    contract = _found(folder, word, CONTRACT_FILE).read_text(encoding="utf-8")
    golden = [path for path in _places(folder, GOLDEN_FILE) if path.is_file()]
    return KeptModel(
        source=word,
        folder=folder,
        model=load_model(model_file),
        contract=contract_from_yaml(contract),
        golden=golden_from_json(golden[0].read_text(encoding="utf-8")) if golden else None,
    )


def _model_folder(word: str, store: str | None) -> Path:
    """The folder that holds a model's files, downloaded if it is in MLflow only."""
    if Path(word).is_dir() and not holds_record(Path(word)):
        return Path(word)  # an exported or downloaded model
    if word.startswith("models:/"):
        return download(word, store or default_tracking().uri)
    record = find_kept(word, store)
    refuse_nested(record)
    if is_on_disk(record):
        return record.folder
    uri = store or default_tracking().uri
    return download(model_address(record, uri), uri)


def _found(folder: Path, source: str, name: str) -> Path:
    for path in _places(folder, name):
        if path.is_file():
            return path
    raise ConfigError(f"{source}: holds no {name}, so it is not a model that a run here has kept")


def _places(folder: Path, name: str) -> list[Path]:
    return [folder / name, folder / "extra_files" / name]
