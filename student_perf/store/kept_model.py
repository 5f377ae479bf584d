"""A model that a run kept, with what belongs to it: contract, golden rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import yaml

from student_perf.data.contract import Contract, contract_from_yaml
from student_perf.errors import ConfigError, StudentPerfError, one_line
from student_perf.evaluation.contained import contained
from student_perf.models.libraries import PACKAGES, packages_of
from student_perf.runs.golden import GoldenRows, golden_from_json
from student_perf.runs.layout import (
    CONTRACT_FILE,
    GOLDEN_FILE,
    LOGGED_PLACE,
    MODEL_FILE,
    SETS_FILE,
    holds_record,
)
from student_perf.runs.model_file import load_model, trusted_types
from student_perf.runs.prediction_sets import sets_from_json
from student_perf.runs.record import RunRecord, load_record
from student_perf.runs.versions import Change, changes, trained_elsewhere
from student_perf.scoring.checks import checked_answer
from student_perf.scoring.conformal import OPTION, PredictionSets
from student_perf.store.address import LENGTH_OF_ID
from student_perf.store.model_folder import model_folder

_T = TypeVar("_T")


@dataclass(frozen=True)
class KeptModel:
    """A fitted model and its rules; `golden` and `sets` are None if the run kept none; `name` is
    the run's with its folder, or else the word that named the model, with the run it comes from.
    """

    source: str
    name: str
    folder: Path
    model: Any
    contract: Contract
    golden: GoldenRows | None
    sets: PredictionSets | None = None

    def limit(self, coverage: float) -> float:
        """How strange an answer in the set of a new row may be, for a rate of coverage.

        Raises:
            ConfigError: The run kept no limits, or cannot show this one.
        """
        if self.sets is None:
            raise ConfigError(
                f"{OPTION} {coverage:g}: {self.source} has kept no scores of held-out rows; train "
                "the model again, or leave it out"
            )
        return self.sets.limit(coverage)

    def version_changes(self) -> tuple[list[Change], int]:
        """Packages of the model whose versions have changed since its golden rows were answered,
        and the number of other packages of models that have.
        """
        if self.golden is None:
            return [], 0
        used = packages_of(trusted_types(_found(self.folder, self.source, MODEL_FILE, None)))
        others = set(PACKAGES) - set(used)
        return changes(self.golden.packages, used), len(changes(self.golden.packages, others))

    def output(self, features: pd.DataFrame) -> np.ndarray:
        """Probabilities (n, K) in the order of the contract's classes, or numbers (n,).

        Raises:
            ModelError: The answer breaks a rule of `scoring.checks`.
            StudentPerfError: The model cannot answer.
        """
        answer = self.model.predict_proba if self.contract.classes else self.model.predict
        own, where = features.copy(), f"from {self.source}"  # a copy, which it may change
        try:
            with contained(where):
                return checked_answer(answer(own), len(own), len(self.contract.classes), where)
        except StudentPerfError:
            raise
        except Exception as error:  # whatever the model raises in other versions, or if changed
            versions = trained_elsewhere(self.version_changes()[0], "answer")
            reason = versions or f"does not answer ({one_line(error)}); train the model again"
            raise StudentPerfError(f"{self.source}: {reason}") from error


def load_kept_model(word: str, store: str | None = None) -> KeptModel:
    """The model of the run that a word means, of a sweep's winner, or at an address of MLflow's
    registry such as `models:/name@alias`, which need not be of a run here.

    Only types on the reviewed list are restored, never a pickle.

    Raises:
        ChangedError: A file is not as the run left it.
        ConfigError: There is no such run, or it has no model.
        TrackingError: The store does not answer or has no such model.
    """
    return read_kept_model(model_folder(word, store), word)


def read_kept_model(folder: Path, source: str) -> KeptModel:
    """The model in the folder of a run, or of a model that MLflow has logged.

    Raises:
        ChangedError: A file is not as the run left it.
        ConfigError: The folder holds no model; `source` is what the message calls it.
    """
    record = load_record(folder) if holds_record(folder) else None
    model_file = _found(folder, source, MODEL_FILE, record)
    contract = _parsed(_found(folder, source, CONTRACT_FILE, record), contract_from_yaml)
    golden = _parsed_if_there(_places(folder, GOLDEN_FILE, record), golden_from_json)
    sets = _parsed_if_there(_places(folder, SETS_FILE, record), sets_from_json)
    return KeptModel(
        source=source,
        name=_named(folder, source) if record is None else f"{record.name}, {record.folder}",
        folder=folder,
        model=load_model(model_file, golden.packages if golden else None),
        contract=contract,
        golden=golden,
        sets=sets,
    )


def _named(folder: Path, source: str) -> str:
    """The word for a model of MLflow's, with the run that it comes from: an alias moves."""
    file = folder / "MLmodel"
    run_id = _parsed(file, _run_id) if file.is_file() else ""
    return f"{source} (run {run_id[:LENGTH_OF_ID]})" if run_id else source


def _run_id(described: str) -> str:
    return str(yaml.safe_load(described).get("run_id") or "")


def _parsed_if_there(places: list[Path], parse: Callable[[str], _T]) -> _T | None:
    files = [path for path in places if path.is_file()]
    return _parsed(files[0], parse) if files else None


def _parsed(file: Path, parse: Callable[[str], _T]) -> _T:
    try:
        return parse(file.read_text(encoding="utf-8"))
    except Exception as error:  # whatever a parser raises for a file that it did not write
        raise ConfigError(
            f"{file}: cannot be read ({one_line(error)[:200]}); get it again"
        ) from error


def _found(folder: Path, source: str, name: str, record: RunRecord | None) -> Path:
    for path in _places(folder, name, record):
        if path.is_file():
            return path
    raise ConfigError(
        f"{source}: holds no {name}, so it is not a model that a run here has kept; name a run"
    )


def _places(folder: Path, name: str, record: RunRecord | None) -> list[Path]:
    if record is not None:
        return [record.file(name)]
    # The last are those of a logged model, now and by earlier versions.
    return [folder / place / name for place in ("", LOGGED_PLACE, "extra_files")]
