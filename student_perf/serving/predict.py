"""Predictions for the rows of a file, read in parts; each row is answered or refused."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from student_perf.data.columns import label_of
from student_perf.data.contract import Contract
from student_perf.data.features import Refusal, prepare_features, shares_among
from student_perf.data.outside import TrainingRanges
from student_perf.errors import ConfigError, DataError, StudentPerfError, suggest
from student_perf.runs.golden import check_golden_rows
from student_perf.runs.layout import holds_record
from student_perf.runs.record import load_record
from student_perf.scoring.conformal import classes_within, interval_within
from student_perf.serving.output_file import check_target, form_like, is_parquet, open_writer
from student_perf.serving.summary import Summary
from student_perf.store.kept_model import KeptModel
from student_perf.tables.files import first_line, iter_tables, left_out_at_end, new_file_options
from student_perf.tables.options import PLAIN, ReadOptions
from student_perf.text import spreadsheet_cell

_ROWS_AT_ONCE = 20_000
_FLAGGED = "unknown category"
_BETWEEN = "; "  # the classes of a set
_AsCell = Callable[[str], object]


def check_model(kept: KeptModel) -> list[str]:
    """The golden rows that a model answers differently, and those of its packages that changed.

    Empty if all answers agree. Raises ConfigError if the model has no golden rows.
    """
    if kept.golden is None:
        raise ConfigError(f"{kept.source}: has no golden rows to check; train the model again")
    wrong = [str(one) for one in check_golden_rows(kept.golden, kept.contract, kept.output)]
    if not wrong:
        return []
    changes, others = kept.version_changes()
    return [
        *wrong,
        *map(str, changes),
        *([f"{others} packages of other models changed"] if others else []),
    ]


def _check_golden(kept: KeptModel) -> None:
    if kept.golden is not None and (wrong := check_model(kept)):
        raise StudentPerfError(f"{kept.source}: {'; '.join(wrong)}; see: check {kept.source}")


def predict_file(
    kept: KeptModel,
    source: Path,
    target: Path,
    named: Mapping[str, Any] | None = None,
    flag_unknown: bool = False,
    rows_at_once: int = _ROWS_AT_ONCE,
    keep: Sequence[str] = (),
    coverage: float | None = None,
) -> Summary:
    """Predict every row of a CSV or parquet file into another, which appears only when complete.

    The columns are `row` (from 0), `prediction`, `proba_<class>` for each class, with `coverage`
    also `set` (classes, the lowest first) or `low` and `high` (of a number), and `reason` for a
    refused row, which has no prediction. A CSV is written as the source is, if that is a text file;
    no text of it is a formula to a spreadsheet.

    Args:
        kept: The model, checked by its golden rows first.
        source: The file to read.
        target: The file to write.
        named: How the source is written where it is not written as the training file, by the keys
            of `tables.options.ReadOptions`.
        flag_unknown: Predict a row whose first problem is an unknown category, as one of no known
            category, and still give the reason.
        rows_at_once: The most rows in memory.
        keep: Columns of the input that the output has too, after `row`, as text.
        coverage: In which share of new rows the set or interval shall hold the truth.

    Raises:
        StudentPerfError: The model fails its golden rows, a column is missing or there twice, the
            coverage cannot be shown, a file has no rows, or cannot be read or written.
    """
    check_target(source, target)
    _check_golden(kept)
    contract, copied, named = kept.contract, list(dict.fromkeys(keep)), named or {}
    options = new_file_options(source, contract.options, named, contract.number_columns)
    form = form_like(source, options, target)
    job = _Job(kept, _as_cell(target, form), flag_unknown, coverage)
    rows = _Rows(source, options, rows_at_once, contract.sources)
    summary = _begun(kept, rows, _read_as(options, contract.options, named), form)
    with open_writer(target, _schema(job, copied), form) as writer:
        _answer_rows(job, rows, copied, writer, summary)
    return summary


def _as_cell(target: Path, form: ReadOptions) -> _AsCell:
    if is_parquet(target):
        return str
    return partial(spreadsheet_cell, decimal=form.decimal or ".")


def _begun(kept: KeptModel, rows: _Rows, read_as: str, form: ReadOptions) -> Summary:
    written_as = form.describe() if form != PLAIN else ""
    return Summary(
        read_as=read_as,
        written_as=written_as,
        left_out=left_out_at_end(rows.source, rows.options),
        is_training_file=_is_training_file(kept, rows.source),
    )


def _is_training_file(kept: KeptModel, source: Path) -> bool:
    """Whether these are the bytes that the record of the model's run names."""
    if not holds_record(kept.folder) or not (known := load_record(kept.folder).raw_sha256):
        return False
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == known


def _read_as(options: ReadOptions, trained: ReadOptions, named: Collection[str]) -> str:
    """How a file is read, empty if that is as the training file was."""
    read, before = _described(options, named), _described(trained, ())
    return read if read != before else ""


def _described(options: ReadOptions, named: Collection[str]) -> str:
    """Without the signs that a file which holds numbers as numbers does not need."""
    if options.separator is not None:
        return options.describe()
    unused = {sign: None for sign in ("decimal", "thousands") if sign not in named}
    return replace(options, **unused).describe()


@dataclass(frozen=True)
class _Rows:
    """A file of new rows and how it is read."""

    source: Path
    options: ReadOptions
    at_once: int
    once: Collection[str]  # columns that it may not hold twice

    def parts(self) -> Iterator[pd.DataFrame]:
        return iter_tables(self.source, self.options, self.at_once, self.once)


def _answer_rows(
    job: _Job, rows: _Rows, copied: Sequence[str], writer: Any, summary: Summary
) -> None:
    contract = job.kept.contract
    shares, ranges = _shares(rows, contract), TrainingRanges(contract)
    for raw in rows.parts():
        prepared = prepare_features(raw, contract, rows.options, shares)
        ranges.add(prepared[0])
        answers = _answered(job, prepared, summary)
        writer.write_table(_with_copies(answers, raw, copied, job.as_cell))
    if not summary.rows:
        raise DataError(f"{rows.source}: has no rows below its header; there is nothing to predict")
    summary.outside = ranges.far_outside()
    if summary.outside:
        summary.first_line = first_line(rows.source, rows.options, summary.rows)


def _shares(rows: _Rows, contract: Contract) -> dict[str, float]:
    """What no part of the file shows alone: where numbers among percentages may be shares."""
    found: dict[str, float] = {}
    if any(form.is_percent for form in contract.forms.values()):
        for raw in rows.parts():
            found = shares_among(raw, contract) | found  # the first of the file
    return found


@dataclass(frozen=True)
class _Job:
    """What is asked of a model."""

    kept: KeptModel
    as_cell: _AsCell
    flag_unknown: bool
    coverage: float | None

    @cached_property
    def limit(self) -> float | None:
        """That of the prediction sets, None without any. Raises ConfigError if there is none."""
        return None if self.coverage is None else self.kept.limit(self.coverage)

    @property
    def classes(self) -> list[str]:
        """Of the model, none for numbers."""
        return self.kept.contract.classes


def _answered(
    job: _Job, prepared: tuple[pd.DataFrame, Mapping[int, Refusal]], summary: Summary
) -> pa.Table:
    features, broken = prepared
    flagged = [r for r, why in broken.items() if job.flag_unknown and why.problem == _FLAGGED]
    usable = np.ones(len(features), dtype=bool)
    usable[list(broken)] = False
    usable[flagged] = True
    reasons = {row: job.as_cell(str(why)) for row, why in broken.items()}
    table = _table(job, features, usable, reasons, first=summary.rows)
    summary.rows += len(features)
    summary.refused += int((~usable).sum())
    summary.flagged += len(flagged)
    summary.problems.update(why.problem for why in broken.values())
    return table


def _table(
    job: _Job, features: pd.DataFrame, usable: np.ndarray, reasons: dict[int, object], first: int
) -> pa.Table:
    n, classes = len(features), job.classes
    output = np.full((n, max(1, len(classes))), np.nan)
    if usable.any():
        answers = job.kept.output(features if usable.all() else features[usable])
        output[usable] = answers.reshape(-1, output.shape[1])
    columns: dict[str, Any] = {"row": pa.array(np.arange(first, first + n))}
    if classes:
        labels = np.asarray([job.as_cell(label) for label in classes])
        best = np.nan_to_num(output).argmax(axis=1)
        columns["prediction"] = pa.array(labels[best], pa.string(), mask=~usable)
        for code, label in enumerate(classes):
            columns[f"proba_{label}"] = pa.array(output[:, code], mask=~usable)
    else:
        columns["prediction"] = pa.array(output[:, 0], mask=~usable)
    if job.limit is not None:
        columns |= _sets(job, output, usable, job.limit)
    columns["reason"] = pa.array([reasons.get(row) for row in range(n)], pa.string())
    return pa.table(columns, schema=_schema(job))


def _sets(job: _Job, output: np.ndarray, usable: np.ndarray, limit: float) -> dict[str, pa.Array]:
    """The set of classes of each row as one text, or the ends of its interval."""
    if not job.classes:
        low, high = interval_within(output[:, 0], limit)
        return {"low": pa.array(low, mask=~usable), "high": pa.array(high, mask=~usable)}
    held = classes_within(np.nan_to_num(output), limit)
    texts = [
        job.as_cell(_BETWEEN.join(np.asarray(job.classes)[of_row])) if known else None
        for of_row, known in zip(held, usable, strict=True)
    ]
    return {"set": pa.array(texts, pa.string())}


def _with_copies(
    answers: pa.Table, raw: pd.DataFrame, names: Sequence[str], as_cell: _AsCell
) -> pa.Table:
    """The answers with these columns of the input after `row`."""
    for place, name in enumerate(names, start=1):
        answers = answers.add_column(place, name, _copied(raw, name, as_cell))
    return answers


def _copied(raw: pd.DataFrame, name: str, as_cell: _AsCell) -> pa.Array:
    """A column of the input as text. Raises DataError if there is none."""
    if name not in raw:
        raise DataError(
            f"--keep {name}: the input has no such column; {suggest(name, raw.columns)}"
        )
    # Whole numbers are floats in a part of the file that lacks some.
    cells = [None if pd.isna(cell) else as_cell(label_of(cell)) for cell in raw[name]]
    return pa.array(cells, pa.string())


def _schema(job: _Job, keep: Sequence[str] = ()) -> pa.Schema:
    """Columns of the output. Raises ConfigError for one to keep that has the name of another."""
    classes = job.classes
    fields = [("row", pa.int64()), ("prediction", pa.string() if classes else pa.float64())]
    fields += [(f"proba_{label}", pa.float64()) for label in classes]
    if job.limit is not None:
        of_number = [("low", pa.float64()), ("high", pa.float64())]
        fields += [("set", pa.string())] if classes else of_number
    fields.append(("reason", pa.string()))
    for name in keep:
        if name in {known for known, _ in fields}:
            raise ConfigError(f"--keep {name}: the output has a column of that name; rename it")
    return pa.schema([fields[0], *((name, pa.string()) for name in keep), *fields[1:]])
