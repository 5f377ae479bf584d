"""True and False: labels as a target, 1 and 0 as a feature, in every format, with gaps or not."""

from __future__ import annotations

import pandas as pd

_NUMBERS = {"true": 1.0, "false": 0.0}


def is_boolean(column: pd.Series) -> bool:
    """Whether a column holds true and false only, as booleans or as words.

    >>> is_boolean(pd.Series(["True", None, "FALSE"])), is_boolean(pd.Series(["true", "yes"]))
    (True, False)
    """
    if pd.api.types.is_bool_dtype(column):
        return True
    if pd.api.types.is_numeric_dtype(column):
        return False
    values = column.dropna()
    if not len(values) or str(values.iloc[0]).casefold() not in _NUMBERS:
        return False  # most columns of text end here, without a look at every row
    return {str(value).casefold() for value in values.unique()} <= set(_NUMBERS)


def booleans_as_numbers(column: pd.Series) -> pd.Series:
    """1 and 0 as float64, NaN for anything else."""
    if pd.api.types.is_bool_dtype(column) and not column.hasnans:
        return column.astype("float64")
    words = column.astype("str").str.casefold()
    return words.map(_NUMBERS).astype("float64").where(column.notna())


def booleans_as_labels(column: pd.Series) -> pd.Series:
    """Labels as text; words stay as they are written."""
    return column.astype("object").map(str, na_action="ignore").astype("str")
