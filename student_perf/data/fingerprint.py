"""SHA-256 of content: the same table gives the same hash on every machine and library version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np
import pandas as pd


def fingerprint_table(table: pd.DataFrame) -> str:
    """Hex SHA-256 over the column names, kinds, values and their order in `table`.

    Numbers and booleans enter as little-endian float64 with one NaN pattern, everything else as the
    length and bytes of its UTF-8 text; so neither the string backend of pandas nor the width of an
    integer column changes the hash. MLflow's own dataset digest is not used: it leaves out text
    columns that hold a missing value and reads 10,000 rows at most.
    """
    digest = hashlib.sha256(f"table:{table.shape[0]}x{table.shape[1]}".encode())
    for name in table.columns:
        column = table[name]
        numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
        digest.update(_sized(str(name)))
        digest.update(b"n" if numeric else b"t")
        digest.update(_number_bytes(column) if numeric else _text_bytes(column))
    return digest.hexdigest()


def fingerprint_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Hex SHA-256 over index arrays and their order; each enters as little-endian int64."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(len(array).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(array, dtype="<i8").tobytes())
    return digest.hexdigest()


def _number_bytes(column: pd.Series) -> bytes:
    values = column.to_numpy(dtype="<f8", na_value=np.nan, copy=True)
    values[np.isnan(values)] = np.nan
    values[values == 0] = 0.0  # -0.0 equals 0.0, so it must not hash differently
    return bytes(values.tobytes())


def _text_bytes(column: pd.Series) -> bytes:
    missing = column.isna().to_numpy()
    texts = column.astype("object").to_numpy()
    # 0xFF never starts UTF-8, so it cannot be taken for a text.
    return b"".join(
        b"\xff" if gone else _sized(str(text)) for text, gone in zip(texts, missing, strict=True)
    )


def _sized(text: str) -> bytes:
    data = text.encode("utf-8", "surrogatepass")
    return len(data).to_bytes(8, "little") + data
