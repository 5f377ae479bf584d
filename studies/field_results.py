"""What the methods of studies/field.py have answered: a file a fit, small enough to be committed.

`TABLE/FOLD-METHOD.npz` holds `output` (float32: probabilities of shape (n, K), or numbers of shape
(n,)), `seconds` of the fit and of the answers, and `about`, a text of JSON. `TABLE/FOLD-truth.npz`
holds the rows and their true values. The repository leaves out those of tables in files, which it
may not hold either; `field.py` writes them again where the files are.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from student_perf.atomic import write_atomic
from studies.small_tables import SmallTable

RESULTS = Path(__file__).with_name("results") / "field"
OURS = "auto"
OWN = (OURS, "tuned xgb", "linear")
RIVALS = {"flaml": "flaml", "autogluon": "autogluon", "autogluon best": "autogluon"}
METHODS = (*OWN, *RIVALS)


@dataclass(frozen=True)
class Setting:
    """What each method may use: seconds and cores of a fit, and how many fits run at a time."""

    seconds: float
    cores: int
    jobs: int


@dataclass(frozen=True, eq=False)
class Fit:
    """The answers of a method to the test rows of a fold.

    Attributes:
        output: Probabilities of shape (n, K), or numbers of shape (n,).
        seconds: Of the fit and of the answers; the latter is NaN for a method without an answer,
            whose output is the dummy's.
        setting: What it might use.
        software: Name and version, or the commit of this project.
        error: Why there is no answer, else empty.
    """

    output: np.ndarray
    seconds: tuple[float, float]
    setting: Setting
    software: str = ""
    error: str = ""


@dataclass(frozen=True, eq=False)
class Truth:
    """The test rows of a fold, shape (n,), their true values, and what the dummy answers to each:
    a number of shape (), or probabilities of shape (K,).
    """

    row: np.ndarray
    target: np.ndarray
    dummy: np.ndarray = field(default_factory=lambda: np.zeros(()))

    @property
    def of_dummy(self) -> np.ndarray:
        """Its answers to all rows."""
        answers: np.ndarray = np.broadcast_to(self.dummy, (len(self.row), *self.dummy.shape))
        return answers


def folder_of(place: Path, table: SmallTable) -> Path:
    """Where the results of a table are."""
    return place / re.sub(r"[^a-z0-9]+", "-", table.name.lower()).strip("-")


def fit_file(place: Path, table: SmallTable, fold: int, method: str) -> Path:
    """Where the answers of a method are kept."""
    return folder_of(place, table) / f"{fold}-{method.replace(' ', '_')}.npz"


def truth_file(place: Path, table: SmallTable, fold: int) -> Path:
    """Where the true values of a fold are kept."""
    return folder_of(place, table) / f"{fold}-truth.npz"


def write_fit(file: Path, fit: Fit) -> None:
    """Keep answers, as a whole or not at all."""
    about = {"setting": asdict(fit.setting), "software": fit.software, "error": fit.error}
    _write(
        file,
        output=fit.output.astype(np.float32),
        seconds=np.array(fit.seconds, np.float32),
        about=np.array(json.dumps(about)),
    )


def read_fit(file: Path) -> Fit:
    """Answers that were kept; probabilities sum to 1 again, which float32 misses by a little."""
    with np.load(file) as content:
        about: dict[str, Any] = json.loads(str(content["about"]))
        output = content["output"].astype(np.float64)
        fit, predict = map(float, content["seconds"])
    if output.ndim == 2:
        output /= output.sum(axis=1, keepdims=True)
    setting = Setting(**about["setting"])
    return Fit(output, (fit, predict), setting, about["software"], about["error"])


def write_truth(file: Path, truth: Truth) -> None:
    """Keep the true values of a fold."""
    target = truth.target.astype(np.float32 if truth.dummy.ndim == 0 else np.int16)
    _write(file, row=truth.row.astype(np.int32), target=target, dummy=truth.dummy)


def read_truth(file: Path) -> Truth:
    """The true values of a fold."""
    with np.load(file) as content:
        target = content["target"]
        kind = np.float64 if target.dtype.kind == "f" else np.int64
        return Truth(content["row"].astype(np.int64), target.astype(kind), content["dummy"])


def _write(file: Path, **arrays: np.ndarray) -> None:
    content = io.BytesIO()
    np.savez_compressed(content, **arrays)  # type: ignore[arg-type]
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(file, content.getvalue())
