"""Text as numbers: the one place that knows how a cell is read, in training and afterwards.

A training file is read column by column (`typed_column`), new rows cell by cell (`read_cells`), and
both take a cell for a number by the same rules. What training has found out about a column that
its options do not say is its `NumberForm`, which the contract keeps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from student_perf.tables.options import (
    DOUBTFUL_WORDS,
    MACHINE_WORDS,
    PLAIN,
    TAKEN_AS_MISSING,
    ReadOptions,
    decided_by_column,
    declared_words,
)
from student_perf.text import plural

_LEADING_ZERO = r"^\s*[+-]?0[0-9]+\s*$"
_MACHINE = frozenset(word.lower() for word in MACHINE_WORDS)
LARGEST = 2.0**53  # beyond, a float64 does not hold every whole number


@dataclass(frozen=True)
class NumberForm:
    """How a column of the training table wrote its numbers.

    Attributes:
        decimal: Before the fraction.
        thousands: Between groups of three digits.
        by_step: Whether the file held text, of which a cleaning step with these signs made numbers;
            else the signs are those of the file.
        is_percent: Whether every cell had a percent sign.
    """

    decimal: str = "."
    thousands: str | None = None
    by_step: bool = False
    is_percent: bool = False

    def options(self, of_file: ReadOptions) -> ReadOptions:
        """How cells of this column are read in a file of new rows."""
        if not self.by_step:
            return of_file
        return replace(of_file, decimal=self.decimal, thousands=self.thousands)


@dataclass(frozen=True)
class TypedColumn:
    """A column of a file with its type.

    Attributes:
        cells: Numbers or text, an Arrow column.
        notes: What was decided about it, in words.
        is_percent: Whether percent signs were taken off.
    """

    cells: Any
    notes: tuple[str, ...] = ()
    is_percent: bool = False


def number_pattern(decimal: str, thousands: str | None) -> str:
    """Regular expression of a whole cell that is a number, with or without a percent sign.

    Groups of three begin with 1 to 9: nobody writes a thousand as 0.967. A point may end a number,
    as numpy writes it; a comma may not.
    """
    digits = r"[0-9]+"
    if thousands is not None:
        digits = rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)"
    fraction = rf"{re.escape(decimal)}[0-9]+"
    end = rf"{re.escape(decimal)}[0-9]{'*' if decimal == '.' else '+'}"
    return rf"^\s*[+-]?(?:{digits}(?:{end})?|{fraction})(?:[eE][+-]?[0-9]+)?\s*%?\s*$"


def parse_numbers(cells: pd.Series, options: ReadOptions, is_percent: bool = False) -> pd.Series:
    """Each cell as float64; NaN where it is missing or no number. Numbers stay as they are.

    With `is_percent` a text needs its percent sign, else it must have none.

    >>> parse_numbers(pd.Series(["1.234,5", "7", "x"]), ReadOptions(decimal=",", thousands="."))
    0    1234.5
    1       7.0
    2       NaN
    dtype: float64
    """
    if pd.api.types.is_numeric_dtype(cells):
        return pd.to_numeric(cells, errors="coerce").astype("float64")
    parsed = _parsed(_texts(cells), options, is_percent).to_numpy(zero_copy_only=False)
    numbers = pd.Series(parsed, index=cells.index, name=cells.name, dtype="float64")
    if cells.dtype == object:
        numbers = numbers.fillna(cells.map(_number_or_nan).astype("float64"))
    return numbers


def parsed_cells(cells: pd.Series, options: ReadOptions, is_percent: bool = False) -> pd.Series:
    """The column with those of its cells as numbers that are some: float64 if all are, else
    objects.
    """
    numbers = parse_numbers(cells, options, is_percent)
    numbers = numbers.where(numbers.abs() <= LARGEST)  # a longer one is exact as text only
    others = numbers.isna() & cells.notna()
    if not others.any():
        return numbers
    return numbers.astype("object").where(~others, cells.astype("object"))


def read_cells(cells: pd.Series, options: ReadOptions, form: NumberForm) -> pd.Series:
    """New cells of a column that was one of numbers in the training file, as its reader takes them.

    What the reader would not have taken for a number stays text: a percent sign too many or too
    few, another decimal sign, leading zeros.
    """
    if pd.api.types.is_numeric_dtype(cells):
        return without_declared(parse_numbers(cells, options), options)
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(_texts(cells)))
    words = {word.lower() for word in declared_words(options.missing_words)}
    words |= DOUBTFUL_WORDS if decided_by_column(options.missing_words) else set()
    empty = pa.array(sorted(_MACHINE | words))
    kept = cells.where(~_chosen(pc.is_in(texts, value_set=empty)))
    if not kept.notna().any():
        return kept.astype("float64")
    codes = _chosen(pc.match_substring_regex(texts, _LEADING_ZERO))
    read = without_declared(parsed_cells(kept, options, form.is_percent), options)
    return read.astype("object").where(~codes, kept) if codes.any() else read


def without_declared(numbers: pd.Series, options: ReadOptions) -> pd.Series:
    """Numbers without those that are declared to mean "missing", such as -99, whatever held them.

    >>> without_declared(pd.Series([1.0, -99.0]), ReadOptions(missing_words=["-99"])).tolist()
    [1.0, nan]
    """
    declared = missing_numbers(options)
    return numbers.where(~numbers.isin(declared)) if declared else numbers


def missing_numbers(options: ReadOptions) -> list[float]:
    """The declared words for "missing" that are numbers."""
    words = pd.Series(declared_words(options.missing_words), dtype="str")
    return [float(number) for number in parse_numbers(words, options).dropna()]


def why_no_number(cell: Any, options: ReadOptions, form: NumberForm) -> str:
    """The rule that a cell breaks which should be a number, for its refusal."""
    text = str(cell).strip()
    if not form.by_step and re.match(_LEADING_ZERO, text):
        return "has leading zeros, as codes have; none had some in training"
    if form.is_percent and not pd.isna(parse_numbers(pd.Series([text]), options)[0]):
        return "has no percent sign; every cell had one in training"
    if not form.is_percent and not pd.isna(parse_numbers(pd.Series([text]), options, True)[0]):
        return "has a percent sign; no cell had one in training"
    for decimal, thousands in ((".", None), (",", None), (".", ","), (",", ".")):
        other = replace(options, decimal=decimal, thousands=thousands)
        if not pd.isna(parse_numbers(pd.Series([text]), other)[0]):
            return f"is not a number as the training data write it ({_signs(options)})"
    return "is not a number"


def with_other_decimal(cells: pd.Series, options: ReadOptions) -> pd.Series:
    """Which texts are no number as the file is read, but one with the other decimal sign.

    >>> with_other_decimal(pd.Series(["6.7", "6,7", "x"]), ReadOptions(decimal=",")).tolist()
    [True, False, False]
    """
    other = replace(options, decimal="." if options.decimal == "," else ",", thousands=None)
    return parse_numbers(cells, other).notna() & parse_numbers(cells, options).isna()


def about_other_decimal(cell: str, options: ReadOptions) -> str:
    """What is wrong with such a text, and what to do.

    >>> about_other_decimal("6.7", ReadOptions(decimal=","))
    "has a decimal point where the file has decimal commas; write it as '6,7' in the file"
    """
    mine = options.decimal or "."
    other, name, others = (".", "point", "commas") if mine == "," else (",", "comma", "points")
    thousand, plain = "", f"'{cell.replace(other, mine)}'"
    if re.match(number_pattern(mine, other), cell):
        thousand, plain = "is a number of thousands or ", f"'{cell.replace(other, '')}' or "
        plain += f"'{cell.replace(other, mine)}'"
    return (
        f"{thousand}has a decimal {name} where the file has decimal {others}; write it as "
        f"{plain} in the file"
    )


def doubtful_numbers(cells: pd.Series, options: ReadOptions) -> pd.Series:
    """Which texts are one number as the training data write it, and another one as programs do."""
    if options.plain_numbers or pd.api.types.is_numeric_dtype(cells):
        return pd.Series(False, index=cells.index)
    texts = pd.Series(_texts(cells), index=cells.index, dtype="str")
    here, elsewhere = parse_numbers(texts, options), parse_numbers(texts, PLAIN)
    return here.notna() & elsewhere.notna() & (here != elsewhere)


def typed_column(texts: pa.Array | pa.ChunkedArray, options: ReadOptions) -> TypedColumn:
    """A column of text as numbers if all its cells are, else as text.

    Words that may stand for "missing" do not keep a column from being one of numbers. Codes with
    leading zeros stay text, and so does a column with percent signs in some cells only.
    """
    trimmed = _trimmed(texts, options)
    if trimmed.null_count == len(trimmed):
        return TypedColumn(pc.cast(trimmed, pa.float64()))
    is_open = decided_by_column(options.missing_words)
    candidate, words = _without_doubtful(trimmed) if is_open else (trimmed, {})
    if candidate.null_count == len(candidate) or not _looks_numeric(candidate, options):
        return TypedColumn(texts)
    if pc.any(pc.match_substring_regex(candidate, _LEADING_ZERO)).as_py():
        return TypedColumn(texts, ("kept as text, since numbers with leading zeros are codes",))
    is_percent = bool(pc.all(pc.ends_with(candidate, "%")).as_py())
    if not is_percent and pc.any(pc.ends_with(candidate, "%")).as_py():
        return TypedColumn(texts)
    numbers = _cast(candidate, options)
    if numbers is None:
        return TypedColumn(texts)
    notes = ["percent signs taken off"] if is_percent else []
    notes += [
        f"{word} among numbers {TAKEN_AS_MISSING} ({plural(count, 'row')})"
        for word, count in words.items()
    ]
    return TypedColumn(numbers, tuple(notes), is_percent)


def typed_cells(cells: Sequence[Any], options: ReadOptions) -> TypedColumn:
    """As `typed_column`, for cells of which some are numbers already, as in a sheet or in JSON."""
    cells = [None if _is_missing(cell) else cell for cell in cells]
    known = [cell for cell in cells if cell is not None]
    if known and all(map(_is_number, known)):
        whole = all(map(_is_whole, known)) and max(map(abs, known)) < LARGEST
        kind = int if whole else float
        return TypedColumn(pa.array([None if cell is None else kind(cell) for cell in cells]))
    texts = [None if cell is None else written(cell, options) for cell in cells]
    return typed_column(pa.array(texts, pa.string()), options)


def written(cell: Any, options: ReadOptions = PLAIN) -> str:
    """A cell as text, with the decimal sign that the options read.

    >>> written(3.0), written(7.125, ReadOptions(decimal=",", thousands=".")), written("07")
    ('3', '7,125', '07')
    """
    if not _is_number(cell):
        return str(cell)
    return str(int(cell)) if _is_whole(cell) else str(cell).replace(".", options.decimal or ".")


def plain_cells(cells: Iterable[Any]) -> pd.Series:
    """Cells of any objects: numbers as float64 where they keep their digits, else as text."""
    found = [None if _is_missing(cell) else cell for cell in cells]
    if all(cell is None or _keeps_digits(cell) for cell in found):
        return pd.Series(found, dtype="float64")
    plain = [None if c is None else float(c) if _keeps_digits(c) else written(c) for c in found]
    texts = all(cell is None or isinstance(cell, str) for cell in plain)
    return pd.Series(plain, dtype="str" if texts else "object")


def _signs(options: ReadOptions) -> str:
    thousands = f", thousands '{options.thousands}'" if options.thousands else ""
    return f"decimal '{options.decimal or '.'}'{thousands}"


def _is_missing(cell: Any) -> bool:
    return cell is None or cell is pd.NA or cell is pd.NaT or bool(cell != cell)


def _is_number(cell: Any) -> bool:
    return isinstance(cell, (int, float, np.number)) and not isinstance(cell, (bool, np.bool_))


def _is_whole(cell: Any) -> bool:
    return bool(cell % 1 == 0)


def _keeps_digits(cell: Any) -> bool:
    return _is_number(cell) and abs(cell) <= LARGEST


def _text_or_none(cell: Any) -> str | None:
    return cell if isinstance(cell, str) else None


def _texts(cells: pd.Series) -> pa.Array:
    """The cells that are text as an Arrow column, null for others."""
    return pa.array(cells.map(_text_or_none) if cells.dtype == object else cells, pa.string())


def _chosen(mask: pa.Array) -> np.ndarray:
    chosen: np.ndarray = pc.fill_null(mask, False).to_numpy(zero_copy_only=False)
    return chosen


def _number_or_nan(cell: Any) -> float:
    return float(cell) if _is_number(cell) else float("nan")


def _parsed(texts: pa.Array, options: ReadOptions, is_percent: bool) -> Any:
    """Numbers as float64, null for anything else."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if options.plain_numbers and not is_percent:
        whole = _try_cast(trimmed, pa.float64())  # far cheaper than a pattern, if all are numbers
        if whole is not None and not pc.any(pc.is_inf(whole)).as_py():
            return whole
    pattern = number_pattern(options.decimal or ".", options.thousands)
    fits = pc.match_substring_regex(trimmed, pattern)
    signed = pc.ends_with(trimmed, "%")
    fits = pc.and_(fits, signed if is_percent else pc.invert(signed))
    valid = pc.if_else(pc.fill_null(fits, False), trimmed, pa.scalar(None, pa.string()))
    numbers = pc.cast(_as_programs_write(valid, options), pa.float64())
    return pc.if_else(pc.is_finite(numbers), numbers, pa.scalar(None, pa.float64()))


def _trimmed(texts: Any, options: ReadOptions) -> Any:
    """The column without blanks around its cells; a cell of blanks only is missing."""
    trimmed = pc.utf8_trim_whitespace(texts)
    if trimmed.equals(texts):  # the reader has left out the words for missing already
        return trimmed
    words = _MACHINE | {word.lower() for word in declared_words(options.missing_words)}
    is_missing = pc.is_in(pc.utf8_lower(trimmed), value_set=pa.array(sorted(words)))
    return pc.if_else(is_missing, pa.scalar(None, trimmed.type), trimmed)


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
    first = texts.slice(0, 1000)
    if options.plain_numbers and not pc.any(pc.ends_with(first, "%")).as_py():
        return _try_cast(first, pa.float64()) is not None
    pattern = number_pattern(options.decimal or ".", options.thousands)
    return bool(pc.all(pc.match_substring_regex(texts, pattern)).as_py())


def _cast(texts: Any, options: ReadOptions) -> Any:
    """Whole numbers as int64, others as float64; None if a cell holds something else."""
    texts = _as_programs_write(texts, options)
    numbers = _try_cast(texts, pa.float64())
    if numbers is None:
        return None
    whole = _try_cast(texts, pa.int64())
    return numbers if whole is None else whole


def _as_programs_write(texts: Any, options: ReadOptions) -> Any:
    texts = pc.utf8_trim_whitespace(pc.utf8_rtrim(texts, "%"))
    if options.thousands is not None:
        texts = pc.replace_substring(texts, options.thousands, "")
    if options.decimal not in (None, "."):
        texts = pc.replace_substring(texts, options.decimal, ".")
    return pc.utf8_ltrim(texts, "+")


def _try_cast(texts: Any, kind: pa.DataType) -> Any:
    try:
        return pc.cast(texts, kind)
    except pa.ArrowInvalid:
        return None
