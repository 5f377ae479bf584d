"""Tables from files: CSV, ARFF and parquet, chosen by the file's ending."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pandas._libs.parsers import STR_NA_VALUES  # type: ignore[import-not-found]
from pyarrow import csv as arrow_csv

from student_perf.errors import DataError, one_line, suggest
from student_perf.text import spreadsheet_cell

_BLOCK = 2**20  # bytes of a CSV parsed at once; Arrow reads up to 32 blocks ahead
_HEAD = 2**16  # a header row fits into this many bytes
_MOST_BYTES = 2 * 2**30  # of a table in memory, and of a parquet row group, both unpacked
ENDINGS = (".csv", ".txt", ".tsv", ".arff", ".parquet")
CHUNKED_ENDINGS = (".csv", ".txt", ".tsv", ".parquet")


def read_file(path: Path, separator: str = ",") -> pd.DataFrame:
    """Read the table in a file that the user names.

    Raises:
        DataError: Names `dataset.path` and the fix.
    """
    if not path.is_file():
        problem = "is a folder" if path.is_dir() else "no such file"
        near = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = suggest(path.name, [name for name in near if name.endswith(ENDINGS)])
        raise DataError(f"dataset.path={path}: {problem}; {hint}")
    _refuse_oversized(path, f"dataset.path={path}")
    return parse_table(path, path.name, separator, f"dataset.path={path}")


def parse_table(source: Path | bytes, name: str, separator: str, origin: str) -> pd.DataFrame:
    """Parse the table in a file or in its bytes.

    Args:
        source: Path or content.
        name: File name, whose ending gives the format.
        separator: Between the cells of a CSV.
        origin: Start of error messages.

    Raises:
        DataError: The file is empty, its ending is unknown, or its content is not a table.
    """
    ending = Path(name).suffix.lower()
    if ending not in ENDINGS:
        raise DataError(f"{origin}: the ending '{ending}' is not one of {', '.join(ENDINGS)}")
    head = _head(source)
    if not head.strip():
        raise DataError(f"{origin}: the file is empty; it needs a header row and rows below")
    try:
        if ending == ".parquet":
            return pd.read_parquet(_opened(source))
        if ending == ".arff":
            data = source.read_bytes() if isinstance(source, Path) else source
            return _read_arff(data.decode("utf-8-sig"))
        _check_header(head, separator)
        return _read_csv(source, separator)
    except (ValueError, TypeError, NotImplementedError, OSError) as error:
        raise DataError(
            f"{origin}: cannot be read as a table ({_problem(error)}); "
            "check the format, dataset.separator and that text is UTF-8"
        ) from error


def iter_tables(path: Path, separator: str, n_rows: int) -> Iterator[pd.DataFrame]:
    """Read a CSV or parquet file in tables of about `n_rows`, so memory does not grow with it.

    Cells of a CSV are text, as nobody knows yet what later rows hold; the same cells are missing as
    with `parse_table`.

    Raises:
        DataError: As `read_file`.
    """
    ending, origin = path.suffix.lower(), f"{path}"
    if ending not in CHUNKED_ENDINGS:
        known = ", ".join(CHUNKED_ENDINGS)
        raise DataError(f"{origin}: the ending '{ending}' is not one of {known}")
    if not path.is_file():
        raise DataError(f"{origin}: no such file; name a CSV or parquet file")
    try:
        if ending == ".parquet":
            with pq.ParquetFile(path) as file:
                _refuse_wide_groups(file.metadata, n_rows)
                for batch in file.iter_batches(n_rows):
                    yield batch.to_pandas()
            return
        _check_header(_head(path), separator)
        for batch in _open_csv(path, separator):
            for first in range(0, batch.num_rows, n_rows):
                yield batch.slice(first, n_rows).to_pandas()
    except (ValueError, TypeError, NotImplementedError, OSError) as error:
        raise DataError(
            f"{origin}: cannot be read as a table ({_problem(error)}); "
            "check the format, the separator and that text is UTF-8"
        ) from error


def _problem(error: Exception) -> str:
    if "straddl" in str(error):  # Arrow's word for a row that does not fit into a block
        return f"a row, or a quoted cell that never ends, is longer than {_BLOCK:,} bytes"
    return one_line(error)[:200]


def _refuse_oversized(path: Path, origin: str) -> None:
    """Raise DataError for a large table, since it is read into memory as a whole."""
    size = path.stat().st_size
    if path.suffix.lower() == ".parquet":
        try:
            metadata = pq.read_metadata(path)
        except (ValueError, OSError):
            return  # not a parquet file; the parser says why
        groups = (metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
        # Equal values take hardly any room in the file, but eight bytes each in memory.
        size = max(sum(groups), 8 * metadata.num_rows * metadata.num_columns)
    if size > _MOST_BYTES:
        raise DataError(
            f"{origin}: unpacks to {size / 2**30:.1f} GiB, more than the {_MOST_BYTES / 2**30:g} "
            "GiB that are read at once; take a sample of the rows"
        )


def _refuse_wide_groups(metadata: pq.FileMetaData, n_rows: int) -> None:
    """Raise ValueError if `n_rows` rows, or a row group, unpack to more than fits."""
    for number in range(metadata.num_row_groups):
        size = metadata.row_group(number).total_byte_size
        size = max(size, 8 * min(n_rows, metadata.num_rows) * metadata.num_columns)
        if size > _MOST_BYTES:
            raise ValueError(
                f"row group {number} unpacks to {size / 2**30:.1f} GiB, more than "
                f"{_MOST_BYTES / 2**30:g}; write it in smaller row groups"
            )


def _open_csv(path: Path, separator: str) -> arrow_csv.CSVStreamingReader:
    """Batches of a CSV with every cell as text; cells are missing if pandas reads them so."""
    parsing = arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True)
    blocks = arrow_csv.ReadOptions(block_size=_BLOCK)
    with arrow_csv.open_csv(path, read_options=blocks, parse_options=parsing) as peek:
        types = dict.fromkeys(peek.schema.names, pa.string())
    as_text = arrow_csv.ConvertOptions(
        column_types=types, null_values=list(STR_NA_VALUES), strings_can_be_null=True
    )
    return arrow_csv.open_csv(
        path, read_options=blocks, parse_options=parsing, convert_options=as_text
    )


def _head(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source[:_HEAD]
    with source.open("rb") as file:
        return file.read(_HEAD)


def _opened(source: Path | bytes) -> Path | io.BytesIO:
    return io.BytesIO(source) if isinstance(source, bytes) else source


def _check_header(head: bytes, separator: str) -> None:
    """Raise ValueError if the first line cannot name the columns."""
    if len(separator) != 1:
        raise ValueError(f"the separator must be one character, not '{separator}'")
    if b"\0" in head:
        raise ValueError("it holds zero bytes, so it is not UTF-8 text")
    text = head.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace").lstrip("\n\r")
    names = [name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=separator))]
    if "" in names:
        raise ValueError(f"column {names.index('') + 1} has no name")
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise ValueError(f"column name '{repeated[0]}' occurs twice")


def _read_csv(source: Path | bytes, separator: str) -> pd.DataFrame:
    # Arrow's reader is the fastest, and it refuses rows that are too long or too short.
    table: pd.DataFrame = pd.read_csv(_opened(source), sep=separator, engine="pyarrow")
    for name in table.columns:
        # Arrow gives text in another encoding as bytes.
        if table[name].dtype == object and any(isinstance(v, bytes) for v in table[name]):
            raise ValueError(f"column '{name}' is not UTF-8 text")
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


def csv_text(table: pd.DataFrame) -> str:
    """The table as CSV for people, too: no cell is a formula to a spreadsheet.

    >>> csv_text(pd.DataFrame({"group": ["=1+1", "-2"], "gap": [-0.5, 1.0]})).split()
    ['group,gap', "'=1+1,-0.5", '-2,1.0']
    """
    return str(table.map(spreadsheet_cell).rename(columns=spreadsheet_cell).to_csv(index=False))
