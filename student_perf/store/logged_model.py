"""A logged model as MLflow's `python_function`: it cleans, refuses and answers as `predict` does.

MLflow imports this module, from the code that the model carries, wherever the model is loaded:
`mlflow models serve`, `mlflow.pyfunc.load_model`, a registered version, a Spark UDF. The model's
file is read like any other, so classes of the user's own must be trusted there too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from student_perf.data.features import Refusal, prepare_features
from student_perf.errors import DataError
from student_perf.runs.layout import CONTRACT_FILE, MODEL_FILE
from student_perf.store.attachments import PROBABILITIES
from student_perf.store.kept_model import KeptModel, read_kept_model

_MOST_ROWS = 5
_LONGEST_REASON = 300


class LoggedModel:
    """A kept model that MLflow asks."""

    def __init__(self, kept: KeptModel) -> None:
        self._kept = kept

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> np.ndarray | pd.DataFrame:
        """Labels or numbers, one for each row; with the parameter `probabilities` a table of
        `prediction` and `proba_<class>`.

        Raises MlflowException if the contract refuses a row.
        """
        try:
            features, refused = prepare_features(model_input, self._kept.contract)
        except DataError as error:
            raise _refusal(str(error)) from error
        if refused:
            raise _refusal(_reasons(refused, len(features)))
        output = self._kept.output(features)
        classes = self._kept.contract.classes
        if not classes:
            return output
        labels: np.ndarray = np.asarray(classes, dtype=object)[output.argmax(axis=1)]
        if not (params or {}).get(PROBABILITIES):
            return labels
        shares = {f"proba_{label}": output[:, code] for code, label in enumerate(classes)}
        return pd.DataFrame({"prediction": labels} | shares)


def _load_pyfunc(path: str) -> LoggedModel:
    """The model in a folder; MLflow calls this."""
    return LoggedModel(read_kept_model(Path(path), f"{MODEL_FILE} with {CONTRACT_FILE}"))


def _reasons(refused: Mapping[int, Refusal], n_rows: int) -> str:
    first = [f"row {row}: {why}"[:_LONGEST_REASON] for row, why in refused.items()][:_MOST_ROWS]
    more = f"; and {len(refused) - len(first)} more" if len(refused) > len(first) else ""
    return f"{len(refused)} of {n_rows} rows refused: {'; '.join(first)}{more}"


def _refusal(words: str) -> Exception:
    """What MLflow's server answers as status 400."""
    from mlflow.exceptions import MlflowException

    refusal: Exception = MlflowException.invalid_parameter_value(words)
    return refusal
