"""Whether a run fits into memory: estimated before the first fit, since the system would end it
without a word.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from student_perf.data import Dataset
from student_perf.errors import ConfigError
from student_perf.evaluation.contained import contained, process_kept
from student_perf.tables.memory import available_memory, rows_that_fit

_FEW_ROWS = 100_000  # of any width that occurs; the estimate would take longer than it is worth
_TRIED_ROWS = 20_000
_MANY_WORDS = 1_000  # of a column, of which too few stand in those rows
_OF_SPARSE = 1.5  # a number and its place, beside a number
# The rows of a fold, raw and prepared, and the parts of the prepared ones before they are joined:
# measured with xgboost on a million rows x 30 columns, 2.0 of both with one-hot encoding and 1.1
# with categories as they are.
_COPIES = 2.5


def refuse_beyond_memory(dataset: Dataset, pipeline: Pipeline, n_workers: int = 1) -> None:
    """Raise ConfigError, with the sample that fits, for a run that needs more memory than is there.

    Args:
        dataset: The rows, which are in memory already.
        pipeline: The unfitted preprocessing and model.
        n_workers: How many processes fit at the same time.
    """
    if dataset.n_rows < _FEW_ROWS:
        return
    width = dataset.features.shape[1] + _prepared_width(dataset, pipeline)
    needed = _COPIES * 8 * dataset.n_rows * width * n_workers
    available = available_memory()
    if needed > available:
        fitting = rows_that_fit(dataset.n_rows, needed, available)
        fewer = ", or fewer workers: hydra.sweeper.n_jobs=1" if n_workers > 1 else ""
        raise ConfigError(
            f"dataset={dataset.name}: training on {dataset.n_rows} rows needs about "
            f"{needed / 1e9:.2g} GB of memory, and {available / 1e9:.2g} GB are available; take a "
            f"sample of the rows: dataset.sample={fitting}{fewer}"
        )


def _prepared_width(dataset: Dataset, pipeline: Pipeline) -> int:
    """How many columns the model gets, as some of the rows show; of a sparse table how many dense
    ones would take as much.
    """
    rows = np.sort(np.random.default_rng(0).choice(dataset.n_rows, _TRIED_ROWS, replace=False))
    some = dataset.rows(rows)
    preprocess = clone(pipeline.named_steps["preprocess"])
    most = max((some[name].nunique() for name in dataset.categorical), default=0)
    known = np.arange(dataset.n_rows) if most > _MANY_WORDS else rows
    try:
        with contained("while the memory was estimated"), process_kept():
            preprocess.fit(dataset.rows(known), dataset.target[known])
            prepared = preprocess.transform(some)
    except Exception:  # all rows may do, else the first fit says what is wrong
        return dataset.features.shape[1]
    if issparse(prepared):
        return math.ceil(_OF_SPARSE * int(prepared.nnz) / len(rows))
    return int(prepared.shape[1])
