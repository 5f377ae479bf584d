"""SHAP values of a kept model by raw column, whatever the pipeline makes of a column."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from student_perf.atomic import write_atomic
from student_perf.data import load_dataset
from student_perf.errors import ConfigError, DataError
from student_perf.evaluation.splits import make_split
from student_perf.experiment.rebuild import rebuild_config
from student_perf.plots.shap import shap_figure
from student_perf.plots.style import png
from student_perf.runs.record import Recorded
from student_perf.store.kept_model import KeptModel, load_kept_model
from student_perf.tables.files import csv_text

TABLE_FILE, PICTURE_FILE = "shap.csv", "shap.png"
_PERMUTATIONS = 3  # of each row; the values of a row sum up exactly after any number of them


@dataclass(frozen=True)
class ShapValues:
    """SHAP values of some rows.

    `values` has shape (rows, columns, outputs), in the unit of the outputs: probabilities of
    classes, or the target's unit. `base`, shape (outputs,), is the mean answer to the background.
    """

    columns: list[str]
    outputs: list[str]
    values: np.ndarray
    base: np.ndarray
    features: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """One row for each column, the largest first.

        Its columns are `column`, `mean_abs_shap` (the mean over rows and outputs), and, for several
        outputs, the mean over rows for each.
        """
        by_output = np.abs(self.values).mean(axis=0)
        named = {name: by_output[:, i] for i, name in enumerate(self.outputs)}
        first = {"column": self.columns, "mean_abs_shap": by_output.mean(axis=1)}
        table = pd.DataFrame(first | (named if len(named) > 1 else {}))
        return table.sort_values("mean_abs_shap", ascending=False, kind="stable", ignore_index=True)


def shap_of(kept: KeptModel, background: pd.DataFrame, rows: pd.DataFrame, seed: int) -> ShapValues:
    """SHAP values of `rows` for any model, by permutation.

    Columns that are left out take their values from `background`. Source: Lundberg and Lee 2017;
    Strumbelj and Kononenko 2014.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about versions of other libraries
        import shap

    table = pd.concat([background, rows], ignore_index=True)
    # shap computes with numbers only, so each cell becomes the position of its value.
    coded = {name: pd.factorize(table[name], use_na_sentinel=False) for name in table}
    codes = np.column_stack([codes for codes, _ in coded.values()]).astype(np.float64)

    def answer(positions: np.ndarray) -> np.ndarray:
        cells = {
            name: pd.Series(values).take(positions[:, i].astype(np.int64)).array
            for i, (name, (_, values)) in enumerate(coded.items())
        }
        typed = pd.DataFrame(cells).astype(table.dtypes.to_dict())
        return kept.output(typed).reshape(len(positions), -1)

    masker = shap.maskers.Independent(codes[: len(background)], max_samples=len(background))
    explainer = shap.explainers.Permutation(answer, masker, seed=seed)
    # Each permutation asks for every column twice, forwards and backwards, and once for none.
    evaluations = _PERMUTATIONS * (2 * len(coded) + 1)
    explained = explainer(codes[len(background) :], max_evals=evaluations, silent=True)
    values = np.asarray(explained.values).reshape(len(rows), len(coded), -1)
    return ShapValues(
        columns=[str(name) for name in coded],
        outputs=kept.contract.classes or [kept.contract.target],
        values=values,
        base=answer(codes[: len(background)]).mean(axis=0),
        features=rows,
    )


def explain_run(
    recorded: Recorded, n_rows: int, n_background: int, data: str | None
) -> tuple[pd.DataFrame, list[Path]]:
    """Write table and picture of a run's kept model into the run's folder.

    Explains test rows if the run has some (without looking at their labels), else development rows;
    the background is development rows.

    Args:
        recorded: The run.
        n_rows: The most rows to explain.
        n_background: The most rows of the background.
        data: The data file, if it is elsewhere on this machine.

    Returns:
        The table of `ShapValues.table`, and the files.

    Raises:
        ConfigError: A number of rows is below 1.
        DataError: The data is not that of the run.
    """
    if min(n_rows, n_background) < 1:
        given = f"--rows {n_rows} --background {n_background}"
        raise ConfigError(f"{given}: both must be at least 1; leave them out")
    kept = load_kept_model(str(recorded.folder))
    config = rebuild_config(recorded.composed, data)
    dataset = load_dataset(config.dataset)
    if dataset.sha256 != recorded.record.data_sha256:
        raise DataError(f"{recorded.folder}: the data is not the run's; name its file by --data")
    split = make_split(dataset, config.split)
    rng = np.random.default_rng(config.seed)
    explained = split.test if len(split.test) else split.development
    result = shap_of(
        kept,
        dataset.features.iloc[_some(split.development, n_background, rng)].reset_index(drop=True),
        dataset.features.iloc[_some(explained, n_rows, rng)].reset_index(drop=True),
        config.seed,
    )
    table, picture = recorded.folder / TABLE_FILE, recorded.folder / PICTURE_FILE
    write_atomic(table, csv_text(result.table()))
    part = "test" if len(split.test) else "development"
    shown = f"{recorded.record.name}, {len(result.features)} {part} rows"
    unit = "probability, mean over classes" if kept.contract.classes else kept.contract.target
    write_atomic(picture, png(shap_figure(result.table(), unit, shown)))
    return result.table(), [table, picture]


def _some(rows: np.ndarray, most: int, rng: np.random.Generator) -> np.ndarray:
    return np.sort(rng.choice(rows, most, replace=False)) if len(rows) > most else rows
