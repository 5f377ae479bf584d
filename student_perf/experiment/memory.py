"""Whether a run fits into memory: estimated before the first fit, since the system would end it
without a word.
"""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from student_perf.data import Dataset
from student_perf.errors import ConfigError
from student_perf.evaluation.contained import contained, process_kept
from student_perf.tables.memory import available_memory, rows_that_fit

_FEW_ROWS = 100_000  # of any width that occurs; the estimate would take longer than it is worth
_TRIED_ROWS = 20_000
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
    """How many columns the model gets, as some of the rows show."""
    rows = np.sort(np.random.default_rng(0).choice(dataset.n_rows, _TRIED_ROWS, replace=False))
    preprocess = clone(pipeline.named_steps["preprocess"])
    try:
        with contained("while the memory was estimated"), process_kept():
            prepared = preprocess.fit_transform(dataset.rows(rows), dataset.target[rows])
    except Exception:  # all rows may do, else the first fit says what is wrong
        return dataset.features.shape[1]
    return int(prepared.shape[1])
