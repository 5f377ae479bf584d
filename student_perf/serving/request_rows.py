"""The rows of a request: what the contract allows in JSON, and what it refuses.

pydantic checks a row that the contract allows as it is, in microseconds. A column in which it finds
anything else goes through the preparation of training files and of `predict`, which cleans what it
can and says what is wrong with the rest: there is one set of rules.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated, Any, Literal, NotRequired

import numpy as np
import pandas as pd
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import from_json
from typing_extensions import TypedDict

from student_perf.data.cleaning import clean_features
from student_perf.data.contract import ColumnContract, Contract
from student_perf.data.features import Refusal, declared_by, prepare_cells
from student_perf.errors import suggest
from student_perf.tables.numbers import NumberForm, missing_numbers, plain_cells
from student_perf.text import plural

Columns = Mapping[str, Any] | pd.DataFrame  # values by column name
_LARGEST = 2**53  # as in data.features
_LONGEST_ECHO = 100
_MOST_TOLD = 1000  # refused cells of an answer; the count is always whole
_MOST_SUGGESTIONS = 20  # of an answer; each costs more than a good row


@dataclass(frozen=True)
class RefusedCell:
    """What is wrong with a cell, or with a whole row if `column` is None; rows count from 0."""

    row: int
    column: str | None
    value: str | None
    problem: str
    message: str
    allowed: list[str] | None = None


class MalformedError(Exception):
    """The request is not a batch of rows; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class RefusedError(Exception):
    """Some rows break the contract: the first cells, the number of all by problem, and of rows."""

    def __init__(self, cells: list[RefusedCell], counts: Counter[str], n_rows: int) -> None:
        super().__init__(f"{plural(counts.total(), 'cell')} refused")
        self.cells = cells
        self.counts = counts
        self.n_rows = n_rows


class RequestReader:
    """Reads batches of up to `max_rows` rows and checks them by a contract."""

    def __init__(self, contract: Contract, max_rows: int) -> None:
        self._contract = contract
        self._max_rows = max_rows
        self._row = _row_type(contract)
        rows = Annotated[list[self._row], Field(min_length=1, max_length=max_rows)]  # type: ignore[name-defined]
        batch = _with_strict_keys("Batch", {"rows": rows})
        self._batch: TypeAdapter[Any] = TypeAdapter(batch)
        # Otherwise a cleaning step changes an allowed value, so every row must be cleaned.
        self._allowed_as_is = _is_kept_by_cleaning(contract)

    def read_allowed(self, body: bytes) -> tuple[Columns, int] | None:
        """As `read`, but None unless the contract allows the body as it is."""
        try:
            return self._validated(body) if self._allowed_as_is else None
        except ValidationError:
            return None

    def read(self, body: bytes) -> tuple[Columns, int]:
        """Values by column, in the contract's order and types, and the number of rows.

        Raises MalformedError if the body is not a batch, and RefusedError with the cells that break
        the contract.
        """
        columns = set(self._contract.columns)
        if self._allowed_as_is:
            try:
                return self._validated(body)
            except ValidationError as error:
                columns = _columns_of(error) or columns
        rows = _parsed(body, self._max_rows)
        contract = self._part(columns)
        misshapen = list(_iter_misshapen(rows, self._contract))
        features, cells = _prepared(rows, contract)
        known = {(one.row, one.column) for one in misshapen}
        broken = [one for one in cells if not known & {(one.row, None), (one.row, one.column)}]
        refused: list[_Misshapen | Refusal] = [*misshapen, *broken]
        if refused:
            refused.sort(key=lambda one: one.row)
            counts = Counter(str(one.problem) for one in refused)
            raise RefusedError(_told(refused[:_MOST_TOLD], self._contract), counts, len(rows))
        names = self._contract.columns
        values = {n: features[n] if n in features else [row[n] for row in rows] for n in names}
        return values, len(rows)

    def _validated(self, body: bytes) -> tuple[Columns, int]:
        rows = self._batch.validate_json(body)["rows"]
        return {n: [row[n] for row in rows] for n in self._contract.columns}, len(rows)

    def _part(self, columns: set[str]) -> Contract:
        rules = {n: r for n, r in self._contract.columns.items() if n in columns}
        return replace(self._contract, columns=rules)

    def schema(self) -> dict[str, Any]:
        """JSON schema of a request, without references."""
        row = TypeAdapter(self._row).json_schema()
        rows = {"type": "array", "items": row, "minItems": 1, "maxItems": self._max_rows}
        return {
            "title": "Batch",
            "type": "object",
            "properties": {"rows": rows},
            "required": ["rows"],
            "additionalProperties": False,
        }


def example_row(contract: Contract) -> dict[str, Any]:
    """A row that the contract allows, made of first categories and middles of ranges.

    Golden rows are data of real people, so none of them goes on a page.

    >>> columns = {"age": ColumnContract("numeric", False, None, 15.0, 22.0)}
    >>> example_row(Contract("grade", [], columns))
    {'age': 18.0}
    """
    row: dict[str, Any] = {}
    for name, rules in contract.columns.items():
        if name in contract.optional:
            continue
        if rules.kind == "categorical":
            row[name] = rules.categories[0] if rules.categories else None
        elif rules.kind == "text":
            row[name] = "some words"
        elif rules.lowest is None or rules.highest is None:
            row[name] = 0.0
        elif float(rules.lowest).is_integer() and float(rules.highest).is_integer():
            row[name] = (rules.lowest + rules.highest) // 2
        else:
            row[name] = round((rules.lowest + rules.highest) / 2, 3)
    return row


def _with_strict_keys(name: str, fields: Mapping[str, Any]) -> Any:
    """A dictionary type with exactly these keys; unlike those of a class, any text can be a key."""
    make: Any = TypedDict  # mypy and ruff only know keys that are written out
    return with_config(ConfigDict(extra="forbid"))(make(name, dict(fields)))


def _row_type(contract: Contract) -> Any:
    fields = {}
    missing = missing_numbers(contract.options)
    for name, rules in contract.columns.items():
        form = contract.forms.get(name, NumberForm())
        cell = _cell_type(rules, name in contract.declared, form)
        if rules.kind == "numeric" and (form.is_percent or missing):
            cell = Annotated[cell, AfterValidator(partial(_only_plain, form=form, missing=missing))]
        cell = cell | None if rules.may_be_missing else cell
        fields[name] = NotRequired[cell] if name in contract.optional else cell
    return _with_strict_keys("Row", fields)


def _cell_type(rules: ColumnContract, is_declared: bool, form: NumberForm) -> Any:
    if rules.kind == "categorical":
        return Literal[tuple(rules.categories)] if rules.categories else None
    if rules.kind == "text":
        return str
    low, high = -float(_LARGEST), float(_LARGEST)
    words = "a number"
    if rules.lowest is not None and rules.highest is not None:
        words = (
            f"{rules.lowest:g} to {rules.highest:g} {'allowed' if is_declared else 'in training'}"
        )
        if is_declared:
            low, high = rules.lowest, rules.highest
    words += ", in percent" if form.is_percent else ""
    limits = Field(ge=low, le=high, strict=True, allow_inf_nan=False, description=words)
    return Annotated[float, limits]


def _only_plain(value: float, form: NumberForm, missing: Collection[float]) -> float:
    """A number that may be a share, or that stands for a missing one, is left to the rules of the
    training.
    """
    if value in missing or (form.is_percent and 0 < abs(value) <= 1):
        raise ValueError("has a meaning of its own")
    return value


def _columns_of(error: ValidationError) -> set[str]:
    """Columns with a cell that is not allowed as it is; empty if there are too many to list."""
    if error.error_count() > _MOST_TOLD:
        return set()
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    return {str(one["loc"][2]) for one in errors if len(one["loc"]) > 2}


def _is_kept_by_cleaning(contract: Contract) -> bool:
    """Whether the cleaning steps leave every allowed value as it is, and derive no column from
    others.
    """
    known = declared_by(contract)
    for name, rules in contract.columns.items():
        if rules.kind == "categorical":
            column = pd.Series(rules.categories or [], dtype="str", name=name)
            cleaned = clean_features(column.to_frame(), contract.clean, known)[0][name]
            if not cleaned.equals(column):
                return False
        elif (rules.kind == "text" and contract.clean) or any(
            _touches(step, name) for step in contract.clean
        ):
            return False
    return True


def _touches(step: Any, column: str) -> bool:
    named = step if isinstance(step, Mapping) else {}
    return column == named.get("column") or column in (named.get("columns") or ())


def _parsed(body: bytes, max_rows: int) -> list[Any]:
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise MalformedError(400, f"the body is not JSON: {error}") from None
    rows = content.get("rows") if isinstance(content, dict) and len(content) == 1 else None
    if not isinstance(rows, list) or not rows:
        raise MalformedError(422, 'the body must be {"rows": [...]} with one object for each row')
    if len(rows) > max_rows:
        raise MalformedError(413, f"{len(rows)} rows are more than the limit of {max_rows}")
    return rows


@dataclass(frozen=True)
class _Misshapen:
    """A row that is not an object, lacks a column or has an extra one, or a cell that is a list or
    an object.
    """

    row: int
    column: str | None
    problem: str
    words: str = ""


def _iter_misshapen(rows: list[Any], contract: Contract) -> Iterator[_Misshapen]:
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            yield _Misshapen(number, None, "no row", "the row is not an object")
            continue
        inputs = _inputs(row, contract)
        for name in inputs:
            if inputs[name] is None and name not in contract.optional:
                sources = " and ".join(f"'{one}'" for one in contract.made_of.get(name, ()))
                made_of = f" or {sources}, of which it is made" if sources else ""
                words = f"{name}: the row lacks it{made_of}; write null for a missing value"
                yield _Misshapen(number, name, "column missing", words)
        known = {*contract.columns, *(one for names in inputs.values() for one in names or ())}
        for name, cell in row.items():
            if name not in known:
                yield _Misshapen(number, name, "unknown column")
            elif isinstance(cell, (list, dict)):
                kind = "a list" if isinstance(cell, list) else "an object"
                words = f"{name}: {kind} is not a single value"
                yield _Misshapen(number, name, "wrong kind", words)


def _inputs(row: Any, contract: Contract) -> dict[str, tuple[str, ...] | None]:
    """For each column those of a row that it is taken from: a date only if the row holds none of
    the numbers made of it.
    """
    held = row if isinstance(row, dict) else {}
    replaced = {date for name, date in contract.of_dates.items() if name in held}
    return contract.inputs([name for name in held if name not in replaced])


def _prepared(rows: list[Any], contract: Contract) -> tuple[pd.DataFrame, list[Refusal]]:
    """The rows as `prepare_cells` makes them. Those that hold a date and those that hold the
    numbers made of it are prepared apart, and so with other columns made of others.
    """
    by_names: dict[tuple[str, ...], list[int]] = {}
    for number, row in enumerate(rows):
        inputs = _inputs(row, contract) if contract.made_of else {}
        needed = (one for name in contract.columns for one in inputs.get(name) or (name,))
        by_names.setdefault(tuple(dict.fromkeys(needed)), []).append(number)
    parts, refused = [], []
    for names, numbers in by_names.items():
        part = [rows[number] for number in numbers]
        features, cells = prepare_cells(_raw_table(part, names), contract)
        parts.append(features.set_axis(numbers))
        refused += [replace(one, row=numbers[one.row]) for one in cells]
    features = pd.concat(parts).sort_index() if len(parts) > 1 else parts[0]
    return features, refused


def _raw_table(rows: list[Any], names: Iterable[str]) -> pd.DataFrame:
    """The rows as a program holds them; a list or object counts as missing."""
    table = {}
    for name in names:
        values = [row.get(name) if isinstance(row, dict) else None for row in rows]
        table[name] = plain_cells(None if isinstance(c, (list, dict)) else c for c in values)
    return pd.DataFrame(table)


def _told(refused: Sequence[_Misshapen | Refusal], contract: Contract) -> list[RefusedCell]:
    """The cells as an answer tells them."""
    told = []
    suggestions = _MOST_SUGGESTIONS
    for one in refused:
        if isinstance(one, Refusal):
            told.append(_refused(one, contract))
        elif one.problem == "unknown column":
            name = _echo(str(one.column))
            hint = f"; {suggest(name, contract.columns)}" if suggestions > 0 else ""
            suggestions -= 1
            words = f"{name}: the model has no such column{hint}"
            told.append(RefusedCell(one.row, name, None, one.problem, words))
        else:
            told.append(RefusedCell(one.row, one.column, None, one.problem, one.words))
    return told


def _refused(cell: Refusal, contract: Contract) -> RefusedCell:
    value = None if cell.problem == "missing value" else _echo(cell.value)
    message = f"{cell.column}: {'a missing value' if value is None else repr(value)} {cell.rule}"
    rules = contract.columns.get(cell.column)
    categories = rules.categories if rules else None
    return RefusedCell(cell.row, cell.column, value, cell.problem, message, categories)


def _echo(value: str) -> str:
    return value if len(value) <= _LONGEST_ECHO else f"{value[:_LONGEST_ECHO]}..."


def to_table(columns: Columns, contract: Contract) -> pd.DataFrame:
    """The table that `prepare_cells` makes of values the contract allows."""
    if isinstance(columns, pd.DataFrame):
        return columns
    kinds = {name: rules.kind for name, rules in contract.columns.items()}
    return pd.DataFrame(
        {
            name: np.array(values, dtype=np.float64)
            if kinds[name] == "numeric"
            else pd.Series(values, dtype="str")
            for name, values in columns.items()
        }
    )
