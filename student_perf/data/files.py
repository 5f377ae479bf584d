"""Tables from files: CSV, ARFF and parquet, chosen by the file's ending."""

from __future__ import annotations

import codecs
import csv
import io
from pathlib import Path

import pandas as pd

from student_perf.errors import DataError, one_line, suggest

_HEAD = 2**16  # a header row fits into this many bytes
ENDINGS = (".csv", ".txt", ".tsv", ".arff", ".parquet")


def read_file(path: Path, separator: str = ",") -> pd.DataFrame:
    """Table in a file the user names. Raises DataError with `dataset.path` and the fix."""
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggest(path.name, [name for name in near if name.endswith(ENDINGS)])
        raise DataError(f"dataset.path={path}: {problem}; {hint}")
    return parse_table(path.read_bytes(), path.name, separator, f"dataset.path={path}")


def parse_table(data: bytes, name: str, separator: str, origin: str) -> pd.DataFrame:
    """Table in a file's bytes; `name` tells the format and `origin` begins error messages.

    Raises DataError for an empty file, an unknown ending, and content that is no table.
    """
    ending = Path(name).suffix.lower()
    if ending not in ENDINGS:
        raise DataError(f"{origin}: the ending '{ending}' is none of {', '.join(ENDINGS)}")
    if not data.strip():
        raise DataError(f"{origin}: the file is empty; it needs a header row and rows below")
    try:
        if ending == ".parquet":
            return pd.read_parquet(io.BytesIO(data))
        if ending == ".arff":
            return _read_arff(data.decode("utf-8-sig"))
        return _read_csv(data, separator)
    except (ValueError, TypeError, NotImplementedError, OSError) as error:
        raise DataError(
            f"{origin}: cannot be read as a table ({one_line(error)[:200]}); "
            "check the format, dataset.separator and that text is UTF-8"
        ) from error


def _read_csv(data: bytes, separator: str) -> pd.DataFrame:
    if len(separator) != 1:
        raise ValueError(f"the separator must be one character, not '{separator}'")
    if b"\0" in data[:_HEAD]:
        raise ValueError("it holds zero bytes, so it is no UTF-8 text")
    header = data.removeprefix(codecs.BOM_UTF8)[:_HEAD].decode("utf-8", "replace").lstrip("\n\r")
    names = [name.strip() for name in next(csv.reader(io.StringIO(header), delimiter=separator))]
    if "" in names:
        raise ValueError(f"column {names.index('') + 1} has no name")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(f"column name '{repeated[0]}' stands twice")
    # Arrow's reader is the fastest, and it refuses rows that are too long or too short.
    table: pd.DataFrame = pd.read_csv(io.BytesIO(data), sep=separator, engine="pyarrow")
    for name in table.columns:
        # Arrow gives text that is no UTF-8 as bytes.
        if pd.api.types.infer_dtype(table[name], skipna=True) == "bytes":
            raise ValueError(f"column '{name}' is no UTF-8 text")
    return table


def _read_arff(text: str) -> pd.DataFrame:
    from scipy.io import arff

    try:
        rows, meta = arff.loadarff(io.StringIO(text))
    except StopIteration as error:
        raise ValueError("it has no @data section") from error
    if not meta.names():
        raise ValueError("it declares no @attribute")
    table = pd.DataFrame(rows)
    for column in table.columns:
        if table[column].dtype == object:
            # ARFF writes a missing nominal value as ?
            decoded = table[column].str.decode("utf-8").astype("str")
            table[column] = decoded.mask(decoded == "?")
    return table
