"""Text as numbers, as the file writes them: decimal comma, thousands, percent signs."""

from __future__ import annotations

import re
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from student_perf.tables.options import DOUBTFUL_WORDS, TAKEN_AS_MISSING, ReadOptions
from student_perf.text import plural

_LEADING_ZERO = r"^\s*[+-]?0[0-9]+\s*$"


def number_pattern(decimal: str, thousands: str | None) -> str:
    """Regular expression of a whole cell that is a number, with or without a percent sign.

    Groups of three begin with 1 to 9: nobody writes a thousand as 0.967.
    """
    digits = r"[0-9]+"
    if thousands is not None:
        digits = rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    fraction = rf"{re.escape(decimal)}[0-9]+"
    return rf"^\s*[+-]?(?:{digits}(?:{fraction})?|{fraction})(?:[eE][+-]?[0-9]+)?\s*%?\s*$"


def parse_numbers(texts: pd.Series, options: ReadOptions) -> pd.Series:
    """Each cell as float64; NaN where it is missing or no number.

    >>> parse_numbers(pd.Series(["1.234,5", "7", "x"]), ReadOptions(decimal=",", thousands="."))
    0    1234.5
    1       7.0
    2       NaN
    dtype: float64
    """
    if pd.api.types.is_numeric_dtype(texts) or (
        options.plain_numbers and not texts.astype("str").str.endswith("%").any()
    ):
        return pd.to_numeric(texts, errors="coerce").astype("float64")
    words = texts.astype("str").where(texts.notna())
    valid = words.str.fullmatch(number_pattern(options.decimal or ".", options.thousands)[1:-1])
    plain = words.where(valid.fillna(False).astype("bool"))
    return pd.to_numeric(_as_written_by_programs(plain, options), errors="coerce").astype("float64")


def _as_written_by_programs(texts: pd.Series, options: ReadOptions) -> pd.Series:
    if options.thousands is not None:
        texts = texts.str.replace(options.thousands, "", regex=False)
    if options.decimal not in (None, "."):
        texts = texts.str.replace(options.decimal, ".", regex=False)
    return texts.str.rstrip("% ")


def typed_column(texts: pa.Array | pa.ChunkedArray, options: ReadOptions) -> tuple[Any, str | None]:
    """A column of text as numbers if all its cells are, else as text.

    Words that may stand for "missing" do not keep a column from being one of numbers. Codes with
    leading zeros stay text.

    Returns:
        The Arrow column, and what was decided about it in words, None if nothing was.
    """
    if texts.null_count == len(texts):
        return pc.cast(texts, pa.float64()), None
    trimmed = pc.utf8_trim_whitespace(texts)
    declared = options.missing_words is not None
    candidate, words = (trimmed, {}) if declared else _without_doubtful(trimmed)
    if candidate.null_count == len(candidate) or not _looks_numeric(candidate, options):
        return texts, None
    if pc.any(pc.match_substring_regex(candidate, _LEADING_ZERO)).as_py():
        return texts, "kept as text, since numbers with leading zeros are codes"
    notes = []
    if pc.all(pc.ends_with(candidate, "%")).as_py():
        notes.append("percent signs taken off")
    elif pc.any(pc.ends_with(candidate, "%")).as_py():
        return texts, None
    numbers = _cast(candidate, options)
    if numbers is None:
        return texts, None
    notes += [
        f"{word} among numbers {TAKEN_AS_MISSING} ({plural(count, 'row')})"
        for word, count in words.items()
    ]
    return numbers, "; ".join(notes) or None


def _without_doubtful(texts: Any) -> tuple[Any, dict[str, int]]:
    """The column with words that may be missing as missing, and how often each occurs."""
    is_doubtful = pc.is_in(pc.utf8_lower(texts), value_set=pa.array(sorted(DOUBTFUL_WORDS)))
    if not pc.any(is_doubtful).as_py():
        return texts, {}
    counts = pc.value_counts(pc.filter(texts, is_doubtful)).to_pylist()
    words = {f"'{one['values']}'": one["counts"] for one in counts}
    return pc.if_else(is_doubtful, pa.scalar(None, texts.type), texts), words


def _looks_numeric(texts: Any, options: ReadOptions) -> bool:
    """A look at the first cells, so that columns of text cost nothing more."""
    if options.plain_numbers and not pc.any(pc.ends_with(texts.slice(0, 1000), "%")).as_py():
        return _try_cast(texts.slice(0, 1000), pa.float64()) is not None
    pattern = number_pattern(options.decimal or ".", options.thousands)
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _cast(texts: Any, options: ReadOptions) -> Any:
    """Whole numbers as int64, others as float64; None if a cell holds something else."""
    texts = pc.utf8_trim_whitespace(pc.utf8_rtrim(texts, "%"))
    if options.thousands is not None:
        texts = pc.replace_substring(texts, options.thousands, "")
    if options.decimal not in (None, "."):
        texts = pc.replace_substring(texts, options.decimal, ".")
    whole = _try_cast(texts, pa.int64())
    return whole if whole is not None else _try_cast(texts, pa.float64())


def _try_cast(texts: Any, kind: pa.DataType) -> Any:
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        return None
