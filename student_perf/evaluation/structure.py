"""What the rows of a table have to do with each other, found before any training.

Random folds are honest for rows that do not know each other. Copies, several rows of one person and
rows in time are not such rows. Each function here looks for one kind and answers with a frozen
tie or None. Targets are read of the given rows only.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from student_perf.data.dataset import Dataset
from student_perf.data.dates import looks_like_dates, times_of
from student_perf.errors import DataError

Kind = Literal["copied rows", "groups", "time", "blocks", "sorted by target"]

# Copies: of this share of the rows, while few distinct rows differ in a single column only. Rows of
# few values repeat by chance, but then far more of them differ in one column than in none.
_COPIED_SHARE, _NEAR_TO_COPIED = 0.02, 0.5
_FEWEST_GROUPS, _LARGEST_SHARE, _SMALLEST_MEAN = 15, 0.2, 1.5
_FIXED = 0.9  # agreement of a trait within groups, beyond chance: a birth date, a mother's job
_FEWEST_FIXED = 2
_SLOW = 0.4  # agreement of a trait between neighbouring values, beyond chance
_SURE = {True: 1e-3, False: 1e-6}  # p-value of a group's effect, if it is named like an identifier
_EFFECT = 0.1  # least share of the target's variance that groups explain
_BLOCK = 0.8  # agreement of neighbouring rows beyond chance, of a sorted column
_LIKE_NEIGHBOURS = 0.15  # the same, median over the other columns
_MOST_ROWS = 20_000
_BINS = 8
_FEWEST_TIMES = 4
_YEARS = 1900, 2100
_DAYS = 10_000, 50_000  # since 1970: of 1997 to 2106; other numbers count something else

_ID = re.compile(
    r"(?:^|[_\W])(?:id|ids|key|pupil|student|alumn[oa]|alun[oa]|estudiante|sch[uü]ler|person|"
    r"subject|patient|user|household|school|escuela|escola|teacher|class(?:room)?|group|grupo)"
    r"(?:$|[_\W])|[a-z]I[Dd]$",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"(?:^|[_\W])(?:date|day|days|year|month|semest(?:er|re)|term|cohort|wave|period|quarter|"
    r"time|timestamp|fecha|año|ano|anio|jahr|data)(?:$|[_\W])",
    re.IGNORECASE,
)
_NO_TIME = re.compile(r"birth|born|nac|gebur|built", re.IGNORECASE)


@dataclass(frozen=True)
class Tie:
    """What ties rows together.

    Attributes:
        kind: What was found.
        columns: The columns that show it.
        message: One sentence without its end.
        line: What to type.
    """

    kind: Kind
    columns: tuple[str, ...]
    message: str
    line: str


def find_structure(dataset: Dataset, rows: np.ndarray) -> list[Tie]:
    """All that is found, what weighs most first; `rows` are those whose targets may be read."""
    found = (
        copied_rows(dataset),
        repeated_ids(dataset, rows),
        time_order(dataset),
        blocks(dataset, rows),
        sorted_by_target(dataset, rows),
    )
    return [one for one in found if one is not None]


def copied_rows(dataset: Dataset) -> Tie | None:
    """Rows that repeat the features of another one, where chance does not explain it."""
    groups = dataset.duplicate_groups
    sizes = np.bincount(groups)
    n_rows, n_distinct = len(groups), len(sizes)
    n_alike = int(sizes[sizes > 1].sum())
    if n_alike < max(4, _COPIED_SHARE * n_rows):
        return None
    first = np.unique(groups, return_index=True)[1]
    if _share_of_near(dataset.features.iloc[first]) > _NEAR_TO_COPIED * n_alike / n_rows:
        return None
    message = (
        f"{n_alike} of {n_rows} rows are copies of each other by all {dataset.features.shape[1]} "
        f"features ({n_distinct} distinct rows)"
    )
    return Tie("copied rows", (), message, copies_line(dataset))


def copies_line(dataset: Dataset) -> str:
    """What takes copies out. They may differ in what the model does not get, as in the number of a
    row, so these columns do not count.
    """
    ignored = ", ".join(map(_quoted, map(str, dataset.dropped)))
    step = f"{{step: drop_duplicates, ignore: [{ignored}]}}" if ignored else "drop_duplicates"
    return f"'dataset.clean=[normalise_text,{step}]'"


def _share_of_near(distinct: pd.DataFrame) -> float:
    """Share of distinct rows that differ from another one in a single column."""
    hashed = [
        pd.util.hash_pandas_object(distinct.iloc[:, number], index=False).to_numpy()
        * np.uint64(2 * number + 3)
        for number in range(distinct.shape[1])
    ]
    total = np.sum(hashed, axis=0, dtype=np.uint64)
    is_near = np.zeros(len(distinct), dtype=bool)
    for one in hashed:
        is_near |= pd.Series(total - one).duplicated(keep=False).to_numpy()
    return float(is_near.mean())


def repeated_ids(dataset: Dataset, rows: np.ndarray) -> Tie | None:
    """A column by whose values rows belong together: an identifier that occurs several times.

    Either two other columns hardly vary within its values, as traits of a person do, or its values
    decide much of the target, and it is text or named like an identifier.
    """
    rows, columns = rows[:_MOST_ROWS], _columns(dataset)
    best: tuple[float, Tie] | None = None
    for name, column in columns.items():
        known = rows[column.iloc[rows].notna().to_numpy()]
        values = column.iloc[known]
        if not _may_be_id(values) or _is_time(name, values):
            continue
        others = {other: columns[other].iloc[known] for other in columns if other != name}
        traits = [other for other, cells in others.items() if _is_trait(values, cells, name)]
        group = pd.factorize(values)[0]
        effect, p_value = _effect(group, dataset.target[known], dataset.task)
        is_named = _ID.search(name) is not None
        is_label = is_named or not pd.api.types.is_numeric_dtype(values)
        is_effect = is_label and effect >= _EFFECT and p_value < _SURE[is_named]
        if len(traits) < _FEWEST_FIXED and not is_effect:
            continue
        why = f"alike in {', '.join(traits[:3])}" if traits else "alike in the target"
        message = (
            f"'{name}' has {values.nunique()} values in {len(known)} rows, and rows of one value "
            f"are {why}"
        )
        tie = Tie("groups", (name,), message, line_of("groups", name, dataset))
        if best is None or len(traits) + effect > best[0]:
            best = len(traits) + effect, tie
    return best[1] if best else None


def _is_trait(values: pd.Series, cells: pd.Series, name: str) -> bool:
    """Whether a column is fixed by the values of another one, as a trait is by who one is.

    What follows from a number, as its bands do, changes slowly with it and is not a trait.
    """
    codes = _codes(cells)
    if _agreement(pd.factorize(values)[0], codes) < _FIXED:
        return False
    if not pd.api.types.is_numeric_dtype(values) or _ID.search(name) is not None:
        return True
    first = values.drop_duplicates().sort_values().index
    one_each = codes[values.index.get_indexer(first)]
    return bool(one_each.min() < one_each.max() and _neighbours(one_each) < _SLOW)


def column_line(kind: Kind, name: str) -> str:
    """What declares the column of a group or of a time."""
    return f"dataset.{'time' if kind == 'time' else 'group'}={_quoted(name)}"


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"\w+", name) else f'"{name}"'


def line_of(kind: Kind, name: str, dataset: Dataset) -> str:
    """What to type for groups or a time in a column."""
    grouped = "stratified_group_kfold" if dataset.classes else "group_kfold"
    return f"{column_line(kind, name)} split={'temporal' if kind == 'time' else grouped}"


def _may_be_id(values: pd.Series) -> bool:
    if pd.api.types.is_float_dtype(values) and not (values.dropna() % 1 == 0).all():
        return False
    counts = values.value_counts()
    is_many = len(counts) >= _FEWEST_GROUPS and len(values) >= _SMALLEST_MEAN * len(counts)
    return bool(is_many and counts.iloc[0] <= _LARGEST_SHARE * len(values))


def time_order(dataset: Dataset) -> Tie | None:
    """A column that says when rows arose: dates, or whole years, or days by its name."""
    for name, column in _columns(dataset).items():
        if _NO_TIME.search(name) or column.isna().any() or not _is_time(name, column):
            continue
        if column.nunique() < _FEWEST_TIMES:
            continue
        with suppress(DataError):  # dates in an unclear order of day and month
            times = times_of(column)
            ends = (column.iloc[times.argmin()], column.iloc[times.argmax()])
            first, last = (f"{v:g}" if isinstance(v, float) else str(v) for v in ends)
            message = f"'{name}' says when rows arose ({first} to {last})"
            return Tie("time", (name,), message, line_of("time", name, dataset))
    return None


def _is_time(name: str, column: pd.Series) -> bool:
    if pd.api.types.is_datetime64_any_dtype(column):
        return True
    if not pd.api.types.is_numeric_dtype(column):
        return looks_like_dates(column)
    is_year, is_day = (bool(column.between(*ends).all()) for ends in (_YEARS, _DAYS))
    is_moment = is_year or (is_day and _TIME.search(name) is not None)
    return is_moment and bool((column % 1 == 0).all())


def blocks(dataset: Dataset, rows: np.ndarray) -> Tie | None:
    """Neighbouring rows of the file that are alike in most columns, as those of one class, school
    or session are if the file lists one after the other.
    """
    rows = np.sort(rows)[:_MOST_ROWS]
    if len(rows) < 10 * _BINS:
        return None
    codes = {name: _codes(column.iloc[rows]) for name, column in _columns(dataset).items()}
    alike = {name: _neighbours(code) for name, code in codes.items() if code.max() > 0}
    if not alike:
        return None
    sorted_by = [name for name, value in alike.items() if value >= _BLOCK]
    groups = [name for name in sorted_by if _may_be_id(_columns(dataset)[name].iloc[rows])]
    others = [value for name, value in alike.items() if name not in sorted_by]
    if not others or np.median(others) < _LIKE_NEIGHBOURS:
        return None
    name = groups[0] if groups else "COLUMN"
    what = f"sorted by '{groups[0]}'" if groups else "alike in most columns"
    more = "" if groups else "; if they are of one person or class, add a column that says so"
    message = f"neighbouring rows of the file are {what}{more}"
    return Tie("blocks", tuple(groups[:1]), message, line_of("blocks", name, dataset))


def sorted_by_target(dataset: Dataset, rows: np.ndarray) -> Tie | None:
    """A file in the order of its target: folds must be drawn, not taken one after the other."""
    rows = np.sort(rows)[:_MOST_ROWS]
    codes = _codes(pd.Series(dataset.target[rows]))
    if len(rows) < 10 * _BINS or codes.max() < 1 or _neighbours(codes) < _BLOCK:
        return None
    message = f"the rows are sorted by '{dataset.target_name}'"
    return Tie("sorted by target", (dataset.target_name,), message, "split=kfold")


def _columns(dataset: Dataset) -> dict[str, pd.Series]:
    tables = (dataset.features, dataset.dropped)
    return {str(name): table[name] for table in tables for name in table}


def _codes(column: pd.Series) -> np.ndarray:
    """Codes of the values, shape (n,); numbers of many values in bins of equal size."""
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > _BINS:
        ranks = column.rank(pct=True).fillna(0).to_numpy()
        return np.ceil(ranks * _BINS).astype(np.int64)
    return pd.factorize(column, use_na_sentinel=False)[0].astype(np.int64)


def _agreement(group: np.ndarray, codes: np.ndarray) -> float:
    """How much oftener than by chance two rows of a group agree: 0 by chance, 1 always."""
    if codes.max() < 1:
        return 0.0
    cells = np.unique(group * (codes.max() + 1) + codes, return_counts=True)[1]
    pairs, all_codes = np.bincount(group), np.bincount(codes)
    n_pairs = (pairs * (pairs - 1)).sum()
    if n_pairs == 0:
        return 0.0
    by_chance = (all_codes * (all_codes - 1)).sum() / (len(codes) * (len(codes) - 1))
    observed = (cells * (cells - 1)).sum() / n_pairs
    return float((observed - by_chance) / (1 - by_chance))


def _neighbours(codes: np.ndarray) -> float:
    """How much oftener than by chance neighbouring rows agree."""
    shares = np.bincount(codes) / len(codes)
    by_chance = float((shares**2).sum())
    return float(((codes[1:] == codes[:-1]).mean() - by_chance) / max(1 - by_chance, 1e-9))


def _effect(group: np.ndarray, target: np.ndarray, task: str) -> tuple[float, float]:
    """The intraclass correlation of the target within groups (Shrout and Fleiss 1979, ICC(1)), of
    classes that of their indicators together, and the p-value of the F test.
    """
    values = np.eye(int(target.max()) + 1)[target] if task == "classification" else target[:, None]
    sizes = np.bincount(group)
    n, n_groups = len(group), len(sizes)
    sums = np.array([np.bincount(group, column, n_groups) for column in values.T]).T
    means = sums / sizes[:, None]
    within = float(((values - means[group]) ** 2).sum())
    between = float((sizes[:, None] * (means - values.mean(axis=0)) ** 2).sum())
    if within + between == 0 or n <= n_groups:
        return 0.0, 1.0
    of_between, of_within = between / (n_groups - 1), within / (n - n_groups)
    size = (n - (sizes**2).sum() / n) / (n_groups - 1)
    effect = (of_between - of_within) / (of_between + (size - 1) * of_within)
    ratio = of_between / of_within if of_within > 0 else np.inf
    return float(effect), float(fdtrc(n_groups - 1, n - n_groups, ratio))
