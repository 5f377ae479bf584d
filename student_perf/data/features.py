"""New rows as a model takes them: cleaned and typed as in training, and what the contract refuses.

The training rows went through the same steps in `data.dataset`. Here a wrong cell stops nothing,
since one bad row must not cost the others their prediction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from student_perf.data.cleaning import Declared, clean_features
from student_perf.data.columns import as_text, label_of
from student_perf.data.contract import ColumnContract, Contract, Problem, find_violations
from student_perf.data.dataset import trimmed_names
from student_perf.errors import DataError, suggest
from student_perf.tables.numbers import (
    LARGEST,
    NumberForm,
    doubtful_numbers,
    plain_cells,
    read_cells,
    why_no_number,
)
from student_perf.tables.options import ReadOptions

_MOST_NAMED = 5  # columns in a message
_BOOLEANS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Refusal:
    """A cell that breaks the contract; `row` counts the rows of the raw table from 0."""

    row: int
    column: str
    value: str
    problem: Problem
    rule: str

    def __str__(self) -> str:
        value = "a missing value" if self.problem == "missing value" else f"'{self.value}'"
        return f"{self.column}: {value} {self.rule}"


def prepare_features(
    raw: pd.DataFrame,
    contract: Contract,
    options: ReadOptions | None = None,
    shares: Mapping[str, float] | None = None,
) -> tuple[pd.DataFrame, dict[int, Refusal]]:
    """Clean and type raw rows, and find those that the contract refuses.

    Text in a column of numbers becomes missing. A declared range counts; one that only describes
    the training rows does not.

    Args:
        raw: Rows with the contract's columns, or those of which a step makes them.
        contract: That of the training.
        options: How the file of the rows is written; None for rows of a program, as in JSON. Of
            these a text is refused which is another number to programs than to the training file.
        shares: Of a file that is read in parts what `shares_among` finds in all of them.

    Returns:
        The contract's columns, float64 or text, rows numbered from 0; and for each refused row the
        first cell that breaks the contract, in column order, unknown categories last.

    Raises:
        DataError: A column is missing.
    """
    features, refused = prepare_cells(raw, contract, options, shares)
    first: dict[int, Refusal] = {}
    for one in sorted(refused, key=lambda one: one.problem == "unknown category"):
        first.setdefault(one.row, one)
    return features, dict(sorted(first.items()))


def prepare_cells(
    raw: pd.DataFrame,
    contract: Contract,
    options: ReadOptions | None = None,
    shares: Mapping[str, float] | None = None,
) -> tuple[pd.DataFrame, list[Refusal]]:
    """As `prepare_features`, but with every cell that breaks the contract, in column order."""
    raw = trimmed_names(raw)
    held = {name: _as_held(raw[name]) for name in needed_columns(raw, contract)}
    if options is not None and shares is None:
        shares = shares_among(raw, contract)
    refused = list(_doubtful_cells(held, contract, options is None, shares or {}))
    reading = _Reading(contract, options or contract.options)
    table = pd.DataFrame({name: reading.read(name, cells) for name, cells in held.items()})
    percents = [name for name, form in contract.forms.items() if form.by_step and form.is_percent]
    table, broken = clean_features(table, contract.clean, declared_by(contract), percents)
    for name, problems in broken.items():
        problem: Problem = "not as derived" if name in contract.derived else "not a date"
        rows = np.flatnonzero(problems.notna()).tolist()
        refused += [
            Refusal(row, name, str(held[name].iloc[row]), problem, str(problems.iloc[row]))
            for row in rows
        ]
    refused += _sources_without_numbers(table, contract, reading)
    features = {}
    for name, rules in contract.columns.items():
        if rules.kind == "numeric":
            features[name], wrong = _numbers(table[name], rules)
            refused += reading.refusals(name, table[name], wrong)
        else:
            features[name] = table[name].astype("str").where(table[name].notna())
    typed = pd.DataFrame(features)
    refused += _violations(typed, table, contract)
    return typed, _one_a_cell(refused, contract)


def shares_among(raw: pd.DataFrame, contract: Contract) -> dict[str, float]:
    """For each column of percentages in which a number may be a share, the first such number. They
    make all numbers of the column in the same file doubtful.
    """
    raw = trimmed_names(raw)
    found = {}
    for name in _percentages(contract).intersection(raw):
        sizes = _sizes(_as_held(raw[name]))
        if (is_share := (sizes > 0) & (sizes <= 1)).any():
            found[name] = float(sizes[is_share].iloc[0])
    return found


def prepared_target(column: pd.Series, contract: Contract, options: ReadOptions) -> pd.Series:
    """The target of new rows as training read and cleaned its own: numbers, or text."""
    name = contract.target
    if name not in contract.forms and not contract.classes:
        contract = replace(contract, forms=contract.forms | {name: NumberForm()})
    cells = _Reading(contract, options).read(name, _as_held(column.rename(name)))
    table, _ = clean_features(cells.to_frame(name), contract.clean, declared_by(contract))
    cleaned: pd.Series = table[name]
    return cleaned


def declared_by(contract: Contract) -> Declared:
    """What the training declared, and the values it has seen, for cleaning new rows."""
    seen: dict[str, list[str]] = {n: [] for names in contract.made_of.values() for n in names}
    seen[contract.target] = contract.classes
    seen |= {name: rules.categories or [] for name, rules in contract.columns.items()}
    declared = {
        name: values for name, values in seen.items() if name in contract.declared and values
    }
    text = [name for name, rules in contract.columns.items() if rules.kind == "text"]
    return Declared("", declared, contract.options.missing_words, seen, text)


@dataclass(frozen=True)
class _Reading:
    """How the columns of a file of new rows are read, so that they are what training read."""

    contract: Contract
    options: ReadOptions

    def read(self, name: str, cells: pd.Series) -> pd.Series:
        """Numbers where the reader of the training file took them for some, else text."""
        rules, form = self.contract.columns.get(name), self.contract.forms.get(name)
        is_numeric = rules is not None and rules.kind == "numeric"
        if not is_numeric and pd.api.types.is_numeric_dtype(cells):
            return cells if rules is None else as_text(cells)
        if is_numeric or form is not None:
            form = form or NumberForm()
            cells = cells if form.by_step else read_cells(cells, self.options, form)
        if is_numeric or rules is None or isinstance(cells.dtype, pd.StringDtype):
            return cells
        return as_text(cells)

    def refusals(self, name: str, cells: pd.Series, wrong: pd.Series) -> Iterator[Refusal]:
        """What is wrong with cells that should be numbers."""
        form = self.contract.forms.get(name, NumberForm())
        options = form.options(self.options)
        rules: dict[str, str] = {}
        for row in np.flatnonzero(wrong).tolist():
            value = str(cells.iloc[row])
            if value not in rules:
                rules[value] = why_no_number(value, options, form)
            yield Refusal(row, name, value, "not a number", rules[value])


def _doubtful_cells(
    held: dict[str, pd.Series], contract: Contract, of_program: bool, shares: Mapping[str, float]
) -> Iterator[Refusal]:
    """Cells that may be one number or another: a share or a percentage, in a file all numbers of a
    column together; and in the text of a program a fraction or a thousand.
    """
    for name, cells in held.items():
        form = contract.forms.get(name, NumberForm())
        if form.is_percent:
            sizes = _sizes(cells)
            is_share = (sizes > 0) & (sizes <= 1)
            words = "may be a share or a percentage; write 80 or '80%', and '0.8%' if it is that"
            yield from _refused(name, cells, is_share, words)
            if name in shares:  # who writes 0.545 for 54.5 % writes 1.005, too
                words = (
                    f"stands beside {shares[name]}, which may be a share; write it with a percent "
                    "sign"
                )
                yield from _refused(name, cells, sizes > 1, words)
        if of_program and (name in contract.forms or name in contract.columns):
            if name in contract.columns and contract.columns[name].kind != "numeric":
                continue
            options = form.options(contract.options)
            words = "is another number as the training data write it; send a number, not a text"
            yield from _refused(name, cells, doubtful_numbers(cells, options), words)


def _percentages(contract: Contract) -> set[str]:
    return {name for name, form in contract.forms.items() if form.is_percent}


def _sizes(cells: pd.Series) -> pd.Series:
    """How large the cells are that are numbers, NaN for text."""
    numbers = cells if pd.api.types.is_numeric_dtype(cells) else cells.map(_size_or_none)
    return numbers.astype("float64").abs()


def _size_or_none(cell: Any) -> float | None:
    return abs(cell) if isinstance(cell, float) else None


def _refused(name: str, cells: pd.Series, wrong: pd.Series, rule: str) -> Iterator[Refusal]:
    for row in np.flatnonzero(wrong).tolist():
        yield Refusal(row, name, str(cells.iloc[row]), "not a number", rule)


def _as_held(column: pd.Series) -> pd.Series:
    """A column as its source holds it: numbers, text, objects of both, or days."""
    column = column.reset_index(drop=True)
    is_number = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    is_day = pd.api.types.is_datetime64_any_dtype(column)
    if is_number or is_day or isinstance(column.dtype, pd.StringDtype):
        return column
    return plain_cells(column)


def _what_to_do(lacking: str, columns: list[str], needed: Collection[str]) -> str:
    """For a column that the input lacks: the one that it may be, which is not `needed` itself, or
    what the input has.
    """
    if len(columns) < 2:
        return "if the columns of a CSV are apart by another sign: --read 'separator=;'"
    near = suggest(lacking, [name for name in columns if name not in needed])
    if near.startswith("did you mean"):
        return near
    more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
    return f"add it; the input has {', '.join(columns[:_MOST_NAMED])}{more}"


def needed_columns(raw: pd.DataFrame, contract: Contract) -> list[str]:
    """Columns of the raw rows that the contract needs; for one that a step makes, what it makes it
    of, if the rows hold that.

    Raises:
        DataError: One is missing, or there twice.
    """
    columns = [str(name) for name in raw.columns]
    if len(set(columns)) < len(columns):
        _refuse_repeated(columns, contract)
    inputs = contract.inputs(columns)
    lacking = list(dict.fromkeys(_lacking(n, columns, contract) for n in inputs if not inputs[n]))
    if lacking:
        others = ", ".join(lacking[1:_MOST_NAMED])
        n_more = len(lacking) - _MOST_NAMED
        more = f" (also {others}{f' and {n_more} more' if n_more > 0 else ''})" if others else ""
        needed = {name for names in inputs.values() for name in names or ()}
        raise DataError(
            f"column '{lacking[0]}'{more}: the model needs it and the input lacks it; "
            f"{_what_to_do(lacking[0], columns, needed)}"
        )
    return list(dict.fromkeys(name for names in inputs.values() for name in names or ()))


def _refuse_repeated(columns: Sequence[str], contract: Contract) -> None:
    for name in sorted(contract.sources):
        if columns.count(name) > 1:
            raise DataError(
                f"the model needs the column '{name}', which occurs twice; rename or remove one"
            )


def _lacking(name: str, columns: Sequence[str], contract: Contract) -> str:
    """The column that is missing where one cannot be made."""
    made_of = contract.made_of
    for _ in made_of:
        name = next((one for one in made_of.get(name, ()) if one not in columns), name)
    return name


def _sources_without_numbers(
    table: pd.DataFrame, contract: Contract, reading: _Reading
) -> Iterator[Refusal]:
    """What is wrong with cells of columns of which the model gets only what is derived."""
    sources = {name for names in contract.derived.values() for name in names if name in table}
    for name in sorted(sources - set(contract.columns)):
        _, wrong = _numbers(table[name], ColumnContract("numeric", True))
        yield from reading.refusals(name, table[name], wrong)


def _numbers(column: pd.Series, rules: ColumnContract) -> tuple[pd.Series, pd.Series]:
    """A column as float64, and which of its cells hold something other than a finite number."""
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.astype("float64")
    else:
        numbers = column.map(lambda c: c if isinstance(c, float) else np.nan).astype("float64")
        if rules.lowest is not None and (rules.lowest, rules.highest) in ((0, 1), (0, 0), (1, 1)):
            # A training file of true and false gave a column of 1 and 0.
            words = column.astype("str").str.casefold().map(_BOOLEANS)
            numbers = numbers.fillna(words)
    numbers = numbers.where(numbers.abs() <= LARGEST)
    return numbers, numbers.isna() & column.notna()


def _violations(typed: pd.DataFrame, table: pd.DataFrame, contract: Contract) -> Iterator[Refusal]:
    for one in find_violations(typed, _without_observed_ranges(contract), most_rows=None):
        values = table[one.column].iloc[one.rows].map(label_of)
        for row, value in zip(one.rows, values, strict=True):
            yield Refusal(row, one.column, value, one.problem, one.rule)


def _without_observed_ranges(contract: Contract) -> Contract:
    columns = {
        name: rules if name in contract.declared else replace(rules, lowest=None, highest=None)
        for name, rules in contract.columns.items()
    }
    return replace(contract, columns=columns)


def _one_a_cell(refused: list[Refusal], contract: Contract) -> list[Refusal]:
    """The first refusal of each cell in column order: what is wrong with a text comes before the
    gap that it leaves, and a column before those made of it.
    """
    made_of = contract.made_of
    order: dict[str, float] = {name: number for number, name in enumerate(contract.columns)}
    for name in reversed(made_of):
        for source in made_of[name] if name in order else ():
            order[source] = min(order[name] - 0.5, order.get(source, order[name]))
    cells: dict[tuple[int, str], Refusal] = {}
    for one in sorted(refused, key=lambda one: order[one.column]):
        if not any((one.row, source) in cells for source in made_of.get(one.column, ())):
            cells.setdefault((one.row, one.column), one)
    return list(cells.values())
