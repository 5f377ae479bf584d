"""The contract of a dataset's features: what a model was trained on, and which rows it may get.

It is made from the development rows and the facts in the dataset's config, checked before training,
and saved with every run and model, so later predictions are checked by the same rules.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
import yaml

from student_perf.config.schema import DatasetConfig
from student_perf.config.typed import typed_node
from student_perf.data.cleaning import date_columns_made, derived_columns, settled_steps
from student_perf.data.dataset import Dataset
from student_perf.data.filters import filtered_ranges
from student_perf.errors import ConfigError, DataError, one_line
from student_perf.tables.numbers import NumberForm
from student_perf.tables.options import ReadOptions
from student_perf.text import plural

_MOST_ROWS = 5

Problem = Literal[
    "column missing",
    "not a number",
    "not a date",
    "not as derived",
    "unknown category",
    "missing value",
    "range",
]


@dataclass(frozen=True)
class ColumnContract:
    """Rules of one column: kind, categories in order or range, and whether cells may be missing. A
    column of `text` takes any.
    """

    kind: Literal["numeric", "categorical", "text"]
    may_be_missing: bool
    categories: list[str] | None = None
    lowest: float | None = None
    highest: float | None = None


@dataclass(frozen=True)
class Contract:
    """Rules of every feature column.

    Attributes:
        target: Name of the target.
        classes: Its classes, lowest first; empty for numbers.
        columns: Rules by column, in the order of the features.
        clean: Cleaning steps as the dataset declares them; new rows go through them too.
        declared: Columns whose categories or range come from the config, not from the rows; among
            them those by whose numbers it filters the rows.
        read: How the training file was read, as `tables.options.ReadOptions` names it; empty
            without a file.
        forms: How columns wrote their numbers, where `read` does not say it all.
        weight: Column of the weights in training, which nobody needs to predict.
    """

    target: str
    classes: list[str]
    columns: dict[str, ColumnContract]
    clean: list[Any] = field(default_factory=list)
    declared: list[str] = field(default_factory=list)
    read: dict[str, Any] = field(default_factory=dict)
    forms: dict[str, NumberForm] = field(default_factory=dict)

    @property
    def number_columns(self) -> list[str]:
        """Columns whose cells the reader of the training file took for numbers."""
        numeric = [name for name, rules in self.columns.items() if rules.kind == "numeric"]
        by_step = {name for name, form in self.forms.items() if form.by_step}
        return [name for name in {*numeric, *self.forms} if name not in by_step]

    @property
    def made_of(self) -> dict[str, tuple[str, ...]]:
        """Columns that a step makes of others, which new rows may hold instead."""
        dates = {name: (source,) for name, source in self.of_dates.items()}
        return dates | self.derived

    @property
    def sources(self) -> set[str]:
        """Every column that a file of new rows may be read for, each of which it holds once."""
        return {*self.columns, *(one for names in self.made_of.values() for one in names)}

    @property
    def of_dates(self) -> dict[str, str]:
        """Columns that a step makes of dates."""
        return date_columns_made(self.clean)

    @property
    def derived(self) -> dict[str, tuple[str, ...]]:
        """Columns that a step computes from columns of numbers, which may stand beside them."""
        return derived_columns(self.clean)

    @property
    def optional(self) -> list[str]:
        """Columns that follow from others of the contract."""
        known = set(self.columns)
        return [name for name in self.columns if known.issuperset(self.derived.get(name, [None]))]

    def inputs(self, held: Collection[str]) -> dict[str, tuple[str, ...] | None]:
        """For each column those among `held` that it is taken from; None if they do not suffice."""
        found: dict[str, tuple[str, ...]] = {name: (name,) for name in held}
        for name, sources in self.made_of.items():
            if all(source in found for source in sources):
                own = found.get(name, ()) if name in self.derived else ()
                taken = (*own, *(one for source in sources for one in found[source]))
                found[name] = tuple(dict.fromkeys(taken))
        return {name: found.get(name) for name in self.columns}

    weight: str | None = None

    @property
    def options(self) -> ReadOptions:
        """How files of new rows are read."""
        return ReadOptions(**self.read)

    def to_yaml(self) -> str:
        """Text that `contract_from_yaml` reads back."""
        return yaml.safe_dump(asdict(self), sort_keys=False, allow_unicode=True)


@dataclass(frozen=True)
class Violation:
    """A rule that some rows of a column break; `value` is the first of their values."""

    column: str
    rule: str
    value: str
    count: int
    rows: list[int]
    problem: Problem

    def __str__(self) -> str:
        shown = ", ".join(map(str, self.rows))
        more = ", ..." if self.count > len(self.rows) else ""
        rows = f" ({plural(self.count, 'row')}: {shown}{more})"
        return f"column '{self.column}': {self.value} {self.rule}{rows if self.count else ''}"


def make_contract(dataset: Dataset, rows: np.ndarray, config: DatasetConfig) -> Contract:
    """Contract from the rows with these numbers; declared categories and ranges come first."""
    columns, ranges = {}, _declared_ranges(config)
    for name in map(str, dataset.features.columns):
        column = dataset.features[name].iloc[rows]  # one at a time, never a copy of all
        missing = bool(column.isna().any())
        if name in dataset.numeric:
            low, high = ranges.get(name, (column.min(), column.max()))
            known = not pd.isna(low)
            lowest, highest = (float(low), float(high)) if known else (None, None)
            columns[name] = ColumnContract("numeric", missing, None, lowest, highest)
        elif name in dataset.text:
            columns[name] = ColumnContract("text", missing)
        else:
            seen = sorted(column.dropna().unique().tolist())
            declared = [str(category) for category in config.categories.get(name, seen)]
            columns[name] = ColumnContract("categorical", missing, declared)
    return Contract(
        dataset.target_name,
        [str(label) for label in dataset.classes],
        columns,
        clean=settled_steps(config.clean, dataset.lineage),
        declared=sorted({*config.categories, *ranges} & set(columns)),
        read=asdict(dataset.read_as) if dataset.read_as is not None else {},
        forms=dict(dataset.forms),
        weight=config.weight,
    )


def _declared_ranges(config: DatasetConfig) -> dict[str, tuple[float, float]]:
    """What `dataset.ranges` declares, and no more of it than the rows were filtered by: the model
    has learned from no other row.
    """
    ranges = {name: (float(low), float(high)) for name, (low, high) in config.ranges.items()}
    for name, (low, high) in filtered_ranges(config.clean).items():
        lowest, highest = ranges.get(name, (low, high))
        ranges[name] = (max(low, lowest), min(high, highest))
    return ranges


def contract_from_yaml(text: str) -> Contract:
    """The contract that `Contract.to_yaml` wrote. Raises DataError for another text."""
    try:
        content = yaml.safe_load(text)
        contract = typed_node(Contract, content, "contract")
        typed_node(ReadOptions, contract.read, "read")
        columns = {
            str(name): typed_node(ColumnContract, rules, f"columns.{name}")
            for name, rules in contract.columns.items()
        }
        forms = {
            str(name): typed_node(NumberForm, form, f"forms.{name}")
            for name, form in contract.forms.items()
        }
        return replace(contract, columns=columns, forms=forms)
    except (yaml.YAMLError, ConfigError, ValueError, RecursionError) as error:
        raise DataError(
            f"contract.yaml: is not a contract ({one_line(error)[:200]}); get the run again"
        ) from error


def check_contract(features: pd.DataFrame, contract: Contract) -> None:
    """Raise DataError with the first violations, if any."""
    violations = find_violations(features, contract)
    if violations:
        more = f"; and {len(violations) - 3} more" if len(violations) > 3 else ""
        raise DataError(
            f"{'; '.join(map(str, violations[:3]))}{more}; correct the data, or what "
            "dataset.categories and dataset.ranges declare"
        )


def find_violations(
    features: pd.DataFrame, contract: Contract, most_rows: int | None = _MOST_ROWS
) -> list[Violation]:
    """Every rule of the contract that `features` breaks, in column order.

    Each comes with the first `most_rows` of its rows; None gives all of them.
    """
    found = []
    for name, rules in contract.columns.items():
        if name not in features:
            words = ("is a required column", "the table lacks it, it")
            found.append(Violation(name, *words, 0, [], "column missing"))
        elif rules.kind == "numeric" and not pd.api.types.is_numeric_dtype(features[name]):
            found.append(_wrong_kind(features[name], most_rows))
        else:
            found += _wrong_cells(features[name], rules, most_rows)
    return found


def _wrong_cells(
    column: pd.Series, rules: ColumnContract, most_rows: int | None
) -> Iterator[Violation]:
    """What is wrong with the cells of a column of the right kind, missing cells first."""
    missing = column.isna().to_numpy()
    wrong = np.zeros(len(column), dtype=bool)
    problem: Problem = "unknown category"
    if rules.kind == "categorical":
        rule = f"is not one of {', '.join(rules.categories or [])}"
        wrong = ~column.isin(rules.categories or []).to_numpy()
    elif rules.lowest is not None and rules.highest is not None:
        problem, rule = "range", f"is outside {rules.lowest:g} to {rules.highest:g}"
        wrong = ~column.between(rules.lowest, rules.highest).to_numpy()
    if missing.any() and not rules.may_be_missing:
        rows = np.flatnonzero(missing).tolist()
        words = ("is not allowed, every row had a value in training", "a missing value")
        yield Violation(str(column.name), *words, len(rows), rows[:most_rows], "missing value")
    if len(rows := np.flatnonzero(wrong & ~missing).tolist()):
        value = f"'{column.iloc[rows[0]]}'"
        yield Violation(str(column.name), rule, value, len(rows), rows[:most_rows], problem)


def _wrong_kind(column: pd.Series, most_rows: int | None) -> Violation:
    numbers = pd.to_numeric(column, errors="coerce")
    wrong = np.flatnonzero(numbers.isna() & column.notna())
    value = f"'{column.iloc[wrong[0]]}'" if len(wrong) else "text"
    rows = [int(row) for row in wrong]
    words = ("is not a number", value)
    return Violation(str(column.name), *words, len(rows), rows[:most_rows], "not a number")
