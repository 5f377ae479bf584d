"""The fitted model as a skops file, which holds data and no code.

skops restores an object of a type it does not know only if the caller vouches for the type. The
list below was reviewed type by type: none of them runs code from the file when restored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import skops.io

from student_perf.errors import StudentPerfError

TRUSTED_TYPES = [
    "numpy.dtype",
    "sklearn.tree._tree.Tree",
    "student_perf.models.labels.LabelledClassifier",
    "xgboost.core.Booster",
    "xgboost.sklearn.XGBClassifier",
    "xgboost.sklearn.XGBRegressor",
]


def save_model(model: Any, path: Path) -> None:
    """Write a fitted model. Raises StudentPerfError where it holds a type not on the list."""
    skops.io.dump(model, path)
    unknown = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
    if unknown:
        path.unlink()
        raise StudentPerfError(
            f"{path.name}: the model holds {', '.join(unknown)}, which is not on the reviewed list "
            "of types that load safely; add it to TRUSTED_TYPES after a review"
        )


def load_model(path: Path) -> Any:
    """A fitted model from a file written by `save_model`; refuses types that are not trusted."""
    return skops.io.load(path, trusted=TRUSTED_TYPES)
