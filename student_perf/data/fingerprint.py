"""SHA-256 of content: the same table gives the same hash on every machine and library version."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd


def fingerprint_table(table: pd.DataFrame) -> str:
    """Hex SHA-256 over the column names, kinds, values and their order in `table`.

    MLflow's own digest does not serve: it skips text columns with a missing value and reads at most
    10,000 rows. Here every cell and the order of rows count:

    >>> marks = pd.DataFrame({"name": ["Ada", None], "mark": [1, 2]})
    >>> fingerprint_table(marks) == fingerprint_table(marks.astype({"mark": "float32"}))
    True
    >>> fingerprint_table(marks) == fingerprint_table(marks[::-1])
    False
    """
    return combine_columns(fingerprint_columns(table))


def fingerprint_columns(
    table: pd.DataFrame, names: Iterable[Hashable] | None = None
) -> dict[str, str]:
    """Hash of each named column, by default of all; two at a time, since hashing releases the
    interpreter's lock.
    """
    chosen = list(table.columns if names is None else names)
    columns = (table[name] for name in chosen)
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(map(str, chosen), pool.map(_fingerprint_column, columns), strict=True))


def combine_columns(hashes: Mapping[str, str]) -> str:
    """Hex SHA-256 of a table from the hashes of its columns, by name in their order."""
    digest = hashlib.sha256(b"table")
    for name, column_hash in hashes.items():
        data = name.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data + bytes.fromhex(column_hash))
    return digest.hexdigest()


def _fingerprint_column(column: pd.Series) -> str:
    """Hex SHA-256 of a column's kind, values and row order.

    Numbers and booleans enter as little-endian float64 with one NaN pattern, everything else as the
    lengths and bytes of its UTF-8 texts. So neither pandas' string backend nor the width of an
    integer column changes the hash.
    """
    digest = hashlib.sha256(len(column).to_bytes(8, "little"))
    if pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column):
        values = column.to_numpy(dtype="<f8", na_value=np.nan, copy=True)
        values[np.isnan(values)] = np.nan
        values[values == 0] = 0.0  # -0.0 equals 0.0, so it must not hash differently
        digest.update(b"number")
        digest.update(values.data)
        return digest.hexdigest()
    # Each distinct text once, in order of appearance, then the rows as their numbers: the same
    # information as the texts row by row, in a fraction of the time.
    codes, texts = pd.factorize(column, use_na_sentinel=True)
    digest.update(b"text")
    for text in texts:
        data = str(text).encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "little") + data)
    digest.update(np.ascontiguousarray(codes, dtype="<i8").data)
    return digest.hexdigest()


def fingerprint_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Hex SHA-256 over index arrays and their order; each enters as little-endian int64."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(len(array).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()
