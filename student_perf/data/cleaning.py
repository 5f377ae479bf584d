"""Cleaning as declared in YAML: ordered named steps, each of which reports what it changed.

A step is one entry of `dataset.clean`: its name, or a group with `step` and its options:

    clean:
      - normalise_text
      - {step: drop_columns, columns: [remarks]}
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from student_perf.config.overrides import literal, shell_word
from student_perf.data.columns import label_of
from student_perf.data.dates import date_columns, read_dates
from student_perf.data.derive import check_derivation, computed, contradictions
from student_perf.data.filters import kept_rows, told
from student_perf.data.fingerprint import combine_columns, fingerprint_columns
from student_perf.data.missing import missing_rule
from student_perf.data.spellings import Spellings, declared_spellings
from student_perf.errors import ConfigError, DataError, suggest
from student_perf.tables.numbers import parse_numbers, parsed_cells
from student_perf.tables.options import ReadOptions
from student_perf.text import in_nfc, plural

_EXAMPLES = 3
_ADVISED = re.compile(r"""(['"])dataset\.clean=\[normalise_text,(.+?)\]\1(?=[\s,;)]|$)""")
_EPOCH = "1970-01-01"
_NOT_REPEATED = (
    "dataset.clean: one_hot makes its columns from the values of the training rows, which new rows "
    "cannot repeat; train without it, models encode categories"
)


@dataclass(frozen=True)
class LineageStep:
    """What one step did: rows before and after, changed cells, examples, table hash after, and what
    it has decided by itself: in words, and as options that repeat it.
    """

    step: str
    rows_before: int
    rows_after: int
    cells_changed: int
    examples: list[str]
    sha256: str
    notes: tuple[str, ...] = ()
    decided: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Declared:
    """What the dataset's config declares: the target, the categories of columns in order, words for
    missing cells, and columns of text, in which no word is a gap. For new rows `answers` holds the
    values that training has seen.
    """

    target: str
    categories: Mapping[str, Sequence[str]]
    missing_words: Sequence[str] | None = None
    answers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    text: Collection[str] = ()


@dataclass(frozen=True)
class Change:
    """Result of a step; `columns` names those whose values changed, None says that rows moved;
    `notes` and `decided` say what the step has decided by itself.
    """

    table: pd.DataFrame
    columns: list[str] | None
    cells: int = 0
    examples: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    decided: Mapping[str, Any] = field(default_factory=dict)


def after_steps(message: str, clean: Sequence[Any]) -> str:
    """A message whose line to type adds to the steps that are declared, so that it takes none away.

    >>> after_steps("try 'dataset.clean=[normalise_text,drop_duplicates]'", ["drop_missing_target"])
    "try 'dataset.clean=[drop_missing_target,drop_duplicates]'"
    """
    if not clean or list(clean) == ["normalise_text"] or not _ADVISED.search(message):
        return message
    try:
        declared = literal(list(clean), "dataset.clean")[1:-1]
    except ConfigError:  # a step that only a file can hold
        return message

    def line(advised: re.Match[str]) -> str:
        return shell_word(f"dataset.clean=[{declared},{advised[2]}]")

    return _ADVISED.sub(line, message)


def clean_table(
    table: pd.DataFrame,
    steps: Sequence[Any],
    declared: Declared,
    notes: tuple[str, ...] = (),
    percents: Sequence[str] = (),
) -> tuple[pd.DataFrame, tuple[LineageStep, ...], dict[str, str]]:
    """Clean a table by the declared steps; `notes` are what reading has decided, and `percents` the
    columns whose percent signs it has taken off.

    Returns:
        The cleaned table with rows numbered from 0, what reading and each step did, and the hash of
        each column.

    Raises:
        DataError: A step or option is unknown, or a declared column holds a value outside its
            categories: a value that no rule maps stops the run.
    """
    hashes = fingerprint_columns(table)
    rows = len(table)
    decided = {"percents": list(percents)}
    lineage = [LineageStep("read", rows, rows, 0, [], combine_columns(hashes), notes, decided)]
    for number, entry in enumerate(steps):
        name, options = _parsed(entry, f"dataset.clean[{number}]")
        before = len(table)
        change = _STEPS[name](table, declared, **options)
        table = change.table.reset_index(drop=True)
        _check_derived(table, change, steps[:number], f"dataset.clean[{number}]: {name}")
        hashes |= fingerprint_columns(table, change.columns)
        hashes = {str(column): hashes[str(column)] for column in table.columns}
        lineage.append(
            LineageStep(
                name,
                before,
                len(table),
                change.cells,
                list(change.examples),
                combine_columns(hashes),
                change.notes,
                change.decided,
            )
        )
    check_categories(table, declared.categories)
    return table, tuple(lineage), hashes


def clean_features(
    table: pd.DataFrame, steps: Sequence[Any], declared: Declared, percents: Collection[str] = ()
) -> tuple[pd.DataFrame, dict[str, pd.Series]]:
    """Clean new rows by those steps of the training that change single cells.

    A word that training has seen as an answer stays one. No row is dropped, and missing columns are
    skipped. Cells of which a step makes no number stay as they are.

    Args:
        table: Cells as the training's reader leaves them.
        steps: Those of the training, with what they have decided there.
        declared: What the training has declared and seen.
        percents: Columns whose cells need a percent sign where `to_numeric` reads them.

    Returns:
        The table, and for each column of dates, or one that a step derives and the rows hold, the
        rule that a cell breaks, None for good ones.

    Raises:
        DataError: New rows cannot repeat a step.
    """
    problems: dict[str, pd.Series] = {}
    for number, entry in enumerate(steps):
        name, options = _parsed(entry, f"dataset.clean[{number}]")
        if name == "one_hot":
            raise DataError(_NOT_REPEATED)
        if name == "date_parts" and options["column"] in table:
            column = options.pop("column")
            found = read_dates(table[column], **({"day_first": None, "since": _EPOCH} | options))
            problems[column] = found.problems
            table = table.drop(columns=column).assign(**found.columns)
        elif name == "derive":
            table = _derived_again(table, problems, **options)
        elif name == "map_values" and options["column"] in table:
            table = _map_values(table, declared, **options).table
        elif name in ("normalise_text", "to_numeric"):
            named = options.get("columns") or [*_text_columns(table), *_mixed_columns(table)]
            present = [column for column in named if column in table]
            if present and name == "normalise_text":
                table = _normalise_text(table, declared, present).table
            elif present:
                signs = signs_of(options)
                numbers = {c: parsed_cells(table[c], signs, c in percents) for c in present}
                table = table.assign(**numbers)
    return table, problems


def _derived_again(
    table: pd.DataFrame, problems: dict[str, pd.Series], column: str, of: list[str], by: str
) -> pd.DataFrame:
    """New rows with the column, if they hold its sources. `problems` gets the rules that its cells
    break if the rows hold it already.
    """
    if not set(of) <= set(table.columns):
        return table
    values = computed(table, of, by)
    if column in table:
        problems[column] = contradictions(table[column], values, of, by)
    return table.assign(**{column: values})


def settled_steps(steps: Sequence[Any], lineage: Sequence[LineageStep]) -> list[Any]:
    """The declared steps with what each has decided by itself, so that new rows repeat it."""
    if len(lineage) != len(steps) + 1:  # rows without a file were never cleaned
        return list(steps)
    return [
        dict(entry) | dict(done.decided) if done.step == "date_parts" else entry
        for entry, done in zip(steps, lineage[1:], strict=True)
    ]


def date_columns_made(steps: Sequence[Any]) -> dict[str, str]:
    """The columns that `date_parts` makes, and the date that each is made of."""
    return {
        f"{entry['column']}_{part}": str(entry["column"])
        for entry in steps
        if isinstance(entry, Mapping) and entry.get("step") == "date_parts"
        for part in entry["parts"]
    }


def derived_columns(steps: Sequence[Any]) -> dict[str, tuple[str, ...]]:
    """The columns that `derive` makes, and those that each is made of, in order of the steps."""
    return {
        str(entry["column"]): tuple(map(str, entry["of"]))
        for entry in steps
        if isinstance(entry, Mapping) and entry.get("step") == "derive"
    }


def signs_of(options: Mapping[str, Any]) -> ReadOptions:
    """How a step `to_numeric` reads the cells of its columns."""
    return ReadOptions(decimal=options.get("decimal", "."), thousands=options.get("thousands"))


def numeric_steps(steps: Sequence[Any]) -> dict[str, ReadOptions]:
    """The columns of which `to_numeric` makes numbers, and how it reads them."""
    return {
        str(column): signs_of(entry)
        for entry in steps
        if isinstance(entry, Mapping) and entry.get("step") == "to_numeric"
        for column in entry["columns"]
    }


def check_categories(table: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> None:
    """Raise DataError with the values outside the categories of declared columns, if any."""
    problems = []
    for column, allowed in categories.items():
        if column not in table:
            raise DataError(
                f"dataset.categories.{column}: no such column; "
                f"{suggest(column, map(str, table.columns))}"
            )
        outside = table[column][table[column].notna() & ~table[column].isin(list(allowed))]
        outside = outside.astype(object)  # a category counts values that no row has
        problems += [
            f"{column}='{value}' ({plural(count, 'row')}, first: row "
            f"{outside.index[outside == value][0]})"
            for value, count in outside.value_counts().items()
        ]
    if problems:
        more = f" and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise DataError(
            f"values outside the declared categories: {'; '.join(problems[:5])}{more}; "
            "map them with a step of dataset.clean or declare them in dataset.categories"
        )


def _parsed(entry: Any, path: str) -> tuple[str, dict[str, Any]]:
    options = dict(entry) if isinstance(entry, Mapping) else {"step": entry}
    name = str(options.pop("step", None))
    if name not in _STEPS:
        raise DataError(f"{path}.step={name}: no such cleaning step; {suggest(name, _STEPS)}")
    parameters = list(inspect.signature(_STEPS[name]).parameters.values())[2:]
    known = {parameter.name for parameter in parameters}
    for option in options:
        if option not in known:
            raise DataError(
                f"{path}.{option}: {name} has no such option; {suggest(str(option), known)}"
            )
    for parameter in parameters:
        if parameter.default is parameter.empty and parameter.name not in options:
            raise DataError(f"{path}: {name} needs '{parameter.name}'; add it to the step")
    return name, options


def _normalise_text(
    table: pd.DataFrame, declared: Declared, columns: list[str] | None = None
) -> Change:
    """Trim and collapse white space, turn words for "missing" into missing cells, and give a
    declared category or class its declared spelling, whatever its case and accents.
    """
    chosen = _checked_columns(table, columns) if columns else _text_columns(table)
    rules, notes = {}, list[str]()
    for name in chosen:
        listed = declared.categories.get(name)
        if listed is None and name == declared.target:
            listed = declared.answers.get(name)
        spelling = declared_spellings(listed or ())
        known = declared.answers.get(name, declared.categories.get(name))
        words = () if name in declared.text else declared.missing_words
        rule = missing_rule(table[name], words, known, declared.target)
        notes += rule.notes
        rules[name] = partial(_normalised, spelling=spelling, missing=rule.words)
    return replace(_with_values(table, rules), notes=tuple(notes))


def _normalised(text: Any, spelling: Spellings, missing: frozenset[str]) -> Any:
    if isinstance(text, float):  # among the text of new rows
        return text
    words = " ".join(in_nfc(str(text)).split())
    if words.casefold() in missing and words.casefold() not in spelling.known:
        return None
    return spelling.of(words)


def _map_values(table: pd.DataFrame, _: Declared, column: str, values: Mapping[str, Any]) -> Change:
    """Replace values of a column; null makes them missing."""
    _checked_columns(table, [column])
    texts = {label_of(old): new for old, new in values.items()}
    return _with_values(table, {column: lambda value: texts.get(label_of(value), value)})


def _to_numeric(
    table: pd.DataFrame,
    _: Declared,
    columns: list[str],
    decimal: str = ".",
    thousands: str | None = None,
) -> Change:
    """Turn text columns into numbers; other text stops the run."""
    if decimal == thousands:
        other = "," if decimal == "." else "."
        raise DataError(
            f"dataset.clean: to_numeric has '{decimal}' as decimal and as thousands sign, one sign "
            f"cannot be both; add decimal: '{other}'"
        )
    new, percents = {}, []
    options = ReadOptions(decimal=decimal, thousands=thousands)
    for name in _checked_columns(table, columns):
        column = table[name]
        if pd.api.types.is_numeric_dtype(column) and not options.plain_numbers:
            raise DataError(
                f"dataset.clean: to_numeric of '{name}' with decimal '{decimal}' comes too late, "
                "the file gave numbers already; name the signs for the file: dataset.decimal and "
                "dataset.thousands, or leave out the step"
            )
        numbers = parse_numbers(column, options)
        signed = parse_numbers(column, options, is_percent=True)
        if is_percent := signed.notna().any() and not pd.api.types.is_numeric_dtype(column):
            numbers = signed
            percents.append(name)
        lost = column[numbers.isna() & column.notna()]
        if len(lost):
            words = ", which has no percent sign, as others have" if is_percent else ""
            raise DataError(
                f"dataset.clean: to_numeric of '{name}' meets '{lost.iloc[0]}'{words} ("
                f"{plural(len(lost), 'row')}, first: row {lost.index[0]}); map these values to "
                "null first"
            )
        new[name] = numbers
    notes = tuple(f"'{name}': percent signs taken off" for name in percents)
    return Change(table.assign(**new), list(new), notes=notes, decided={"percents": percents})


def _drop_columns(table: pd.DataFrame, _: Declared, columns: list[str]) -> Change:
    """Leave columns out."""
    return Change(table.drop(columns=_checked_columns(table, columns)), [])


def _drop_missing_target(table: pd.DataFrame, declared: Declared) -> Change:
    """Drop rows without a target, which is never imputed and never becomes a class."""
    _checked_columns(table, [declared.target])
    return _kept(table, table[declared.target].notna())


def _filter_rows(
    table: pd.DataFrame,
    _: Declared,
    column: str,
    range: Sequence[float] | None = None,  # noqa: A002 (the option's name)
    values: Sequence[Any] | None = None,
) -> Change:
    """Keep the rows whose cell lies in a range or is one of some values; the target may decide."""
    _checked_columns(table, [column])
    kept = kept_rows(table[column], range, values)
    return replace(_kept(table, kept), notes=(told(table[column], kept, range, values),))


def _derive(table: pd.DataFrame, declared: Declared, column: str, of: list[str], by: str) -> Change:
    """Add a column that is the mean, sum, difference, ratio or product of others."""
    known = of if isinstance(of, Sequence) and not isinstance(of, str) else []
    _checked_columns(table, known)
    check_derivation(table, column, of, by, declared.target)
    values = computed(table, of, by)
    gaps = int((values.isna() & table[of].notna().all(axis=1)).sum())
    rows = "1 row has" if gaps == 1 else f"{gaps} rows have"
    notes = (f"'{column}': {rows} no {by}, as when one divides by 0",) if gaps else ()
    return Change(table.assign(**{column: values}), [column], len(table), notes=notes)


def _drop_duplicates(table: pd.DataFrame, _: Declared, ignore: list[str] | None = None) -> Change:
    """Drop rows that repeat an earlier row in every column, or in all but those to ignore."""
    ignored = set(_checked_columns(table, ignore or []))
    return _kept(table, ~table.duplicated([name for name in table if name not in ignored]))


def _one_hot(table: pd.DataFrame, _: Declared, columns: list[str]) -> Change:
    """Add a column of 0 and 1 for each value of a column. Models encode categories themselves,
    inside each fold; applied to the target, this is the leak of `experiment=leak_demo`.
    """
    added = {
        f"{column}_{value}": (table[column] == value).astype(np.float64)
        for column in _checked_columns(table, columns)
        for value in table[column].dropna().unique()
    }
    return Change(table.assign(**added), list(added), len(table) * len(added))


def _date_parts(
    table: pd.DataFrame,
    _: Declared,
    column: str,
    parts: list[str],
    day_first: bool | None = None,
    since: str = _EPOCH,
) -> Change:
    """Replace a column of dates by numbers, named after it and the part: `day_year`."""
    _checked_columns(table, [column])
    found = date_columns(table[column], parts, day_first, since)
    added = found.columns
    cleaned = table.drop(columns=column).assign(**added)
    return Change(cleaned, list(added), len(table), decided={"day_first": found.day_first})


_STEPS: dict[str, Callable[..., Change]] = {
    "normalise_text": _normalise_text,
    "map_values": _map_values,
    "to_numeric": _to_numeric,
    "drop_columns": _drop_columns,
    "drop_missing_target": _drop_missing_target,
    "drop_duplicates": _drop_duplicates,
    "filter_rows": _filter_rows,
    "derive": _derive,
    "date_parts": _date_parts,
    "one_hot": _one_hot,
}


def _text_columns(table: pd.DataFrame) -> list[str]:
    return [
        str(name)
        for name in table.columns
        if pd.api.types.is_string_dtype(table[name])
        or isinstance(table[name].dtype, pd.CategoricalDtype)
    ]


def _mixed_columns(table: pd.DataFrame) -> list[str]:
    """Columns of new rows with numbers among text."""
    return [str(name) for name in table.columns if table[name].dtype == object]


def _check_derived(table: pd.DataFrame, change: Change, before: Sequence[Any], where: str) -> None:
    """Refuse a step that changes what an earlier one has derived a column from, or that column:
    rows that hold the result of all steps would contradict themselves.
    """
    for column, sources in derived_columns(before).items():
        for name in (column, *sources):
            if name not in table:
                raise DataError(
                    f"{where} takes away '{name}', which belongs to the derived column '{column}'; "
                    "leave it out with dataset.drop instead"
                )
            if name in (change.columns or ()):
                raise DataError(
                    f"{where} changes '{name}', which belongs to the derived column '{column}'; "
                    "put the step before derive"
                )


def _checked_columns(table: pd.DataFrame, columns: Sequence[str]) -> list[str]:
    for name in columns:
        if name not in table:
            raise DataError(
                f"dataset.clean: the table has no column '{name}'; "
                f"{suggest(str(name), map(str, table.columns))}"
            )
    return list(columns)


def _with_values(table: pd.DataFrame, rules: Mapping[str, Callable[[Any], Any]]) -> Change:
    """Apply each column's rule to its distinct values; missing cells stay missing.

    Columns without a change are not copied, so the cost hardly grows with the number of rows.
    """
    cells, examples, changed = 0, [], {}
    with ThreadPoolExecutor(2) as pool:
        coded = pool.map(pd.factorize, (table[name] for name in rules))
    for (name, rule), (codes, values) in zip(rules.items(), coded, strict=True):
        new = [rule(value) for value in values]
        differs = np.array([after != before for before, after in zip(values, new, strict=True)])
        if not differs.any():
            continue
        cells += int(np.bincount(codes[codes >= 0], minlength=len(values))[differs].sum())
        first = int(np.flatnonzero(differs)[0])
        shown = "missing" if new[first] is None else f"'{new[first]}'"
        examples.append(f"{name}: '{values[first]}' -> {shown}")
        choice = pd.Series([*new, None], dtype="object")
        if all(isinstance(value, str) for value in choice.dropna()):
            choice = choice.astype("str")
        elif pd.api.types.is_numeric_dtype(table[name]) and _is_numeric(choice):
            choice = pd.to_numeric(choice)  # else the numbers would count as words
        # The code -1 of a missing cell takes the last value, the missing one.
        changed[name] = choice.take(codes % len(choice)).set_axis(table.index)
    return Change(table.assign(**changed), list(changed), cells, tuple(examples[:_EXAMPLES]))


def _is_numeric(values: pd.Series) -> bool:
    return all(isinstance(v, (int, float, np.number)) for v in values.dropna())


def _kept(table: pd.DataFrame, keep: pd.Series) -> Change:
    dropped = np.flatnonzero(~keep)
    examples = tuple(f"row {row}" for row in dropped[:_EXAMPLES])
    return Change(table[keep], None if len(dropped) else [], 0, examples)
