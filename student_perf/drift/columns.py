"""Drift between two tables, column by column: how large it is, and whether chance explains it.

A column alarms if both hold: its test, corrected by Holm (1979) over all columns, is below `alpha`,
and its PSI exceeds its mean without drift by the alarm threshold. The test alone would alarm at
trifles in large tables, the PSI alone at noise in small ones. So the probability of any false alarm
is at most `alpha`. A new category, a missing column and a changed kind alarm without a test: they
break a rule, whatever the sample.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, fisher_exact, ks_2samp, wasserstein_distance

from student_perf.drift.limits import Thresholds
from student_perf.scoring.paired import holm
from student_perf.text import plural

Severity = Literal["alarm", "warn", "ok"]
Role = Literal["feature", "target", "prediction", "performance"]

SEVERITIES: tuple[Severity, ...] = ("alarm", "warn", "ok")
_FEWEST_EXPECTED = 5  # Cochran 1954: below, the chi-square approximation does not hold
_RARE = "(rare)"
_MISSING = "(missing)"


@dataclass(frozen=True)
class ColumnDrift:
    """How one column changed.

    `psi` is in nats, `psi_by_chance` its mean without drift. `p` is the p-value of the column's
    test, `p_holm` the one corrected over all columns. `distance` is the Wasserstein distance in
    standard deviations of the reference, None for categories. `new` and `gone` are categories that
    only one side has; `respelled` are those that differ from one of the reference in case or blanks
    only, with that one, as which they count. Shares are of all rows, with missing cells as a bin of
    their own. A figure that is not defined is NaN.
    """

    name: str
    kind: Literal["numeric", "categorical"]
    test: str = ""
    psi: float = float("nan")
    psi_by_chance: float = float("nan")
    p: float = float("nan")
    p_holm: float = float("nan")
    distance: float | None = None
    missing_reference: float = 0.0
    missing_current: float = 0.0
    new: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    respelled: dict[str, str] = field(default_factory=dict)
    bins: list[str] = field(default_factory=list)
    shares_reference: list[float] = field(default_factory=list)
    shares_current: list[float] = field(default_factory=list)
    role: Role = "feature"
    severity: Severity = "ok"
    reason: str = ""

    @property
    def psi_excess(self) -> float:
        """PSI beyond its mean without drift, at least 0; NaN if there is no PSI."""
        return max(0.0, self.psi - self.psi_by_chance)


@dataclass(frozen=True)
class _Cells:
    """Counts of both sides over the same bins; the last bin may hold the missing cells."""

    labels: list[str]
    reference: np.ndarray
    current: np.ndarray


def compare_tables(
    reference: pd.DataFrame,
    current: pd.DataFrame,
    thresholds: Thresholds,
    known: Mapping[str, Collection[str]] | None = None,
    roles: Mapping[str, Role] | None = None,
) -> list[ColumnDrift]:
    """Drift of every column of either table, not judged yet: `judge` needs all columns.

    Args:
        reference: The rows to compare with.
        current: The rows to judge.
        thresholds: The limits.
        known: By column, declared categories that the reference may lack.
        roles: By column, for columns that are not features.
    """
    compared = []
    for name in map(str, reference.columns):
        declared = (known or {}).get(name, ())
        one = (
            compare_columns(name, reference[name], current[name], thresholds, declared)
            if name in current
            else ColumnDrift(name, _kind(reference[name]), severity="alarm", reason="column gone")
        )
        compared.append(replace(one, role=(roles or {}).get(name, "feature")))
    added = [str(name) for name in current.columns if name not in reference]
    return compared + [
        ColumnDrift(name, _kind(current[name]), severity="warn", reason="new column")
        for name in added
    ]


def compare_columns(
    name: str,
    reference: pd.Series,
    current: pd.Series,
    thresholds: Thresholds,
    known: Collection[str] = (),
) -> ColumnDrift:
    """PSI, test, distance and changed categories of one column; each side needs a row."""
    kind = _kind(reference)
    # An empty side has no kind.
    other = _kind(current) if current.notna().any() and reference.notna().any() else kind
    missing = float(reference.isna().mean()), float(current.isna().mean())
    if kind == "numeric" == other:
        return _compare_numbers(name, _numbers(reference), _numbers(current), missing, thresholds)
    left, right = _texts(reference), _texts(current)
    one = _compare_categories(name, left, right, missing, thresholds, known)
    if kind != other:
        shown = _no_number(current if kind == "numeric" else reference)
        return replace(one, severity="alarm", reason=f"was {kind}, is {other}{shown}")
    return one


def _no_number(column: pd.Series) -> str:
    """A cell that makes a column text, if most of its cells are numbers."""
    texts = _texts(column.dropna())
    words = texts[~texts.str.contains(r"\d")]
    return f" by '{words.iloc[0]}'" if 0 < len(words) < len(texts) / 2 else ""


def population_stability(
    reference: np.ndarray, current: np.ndarray, smoothing: float
) -> tuple[float, float]:
    """PSI of two vectors of counts over the same B bins, and its mean without drift.

    The PSI is sum((q - p) ln(q / p)) for shares p and q; an empty cell counts for `smoothing` rows,
    the others for what they hold. Without drift it is about (1/n + 1/m) times a chi-square variable
    with B - 1 degrees of freedom.
    Source: Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14(4).

    >>> population_stability(np.array([50, 50]), np.array([50, 50]), smoothing=0.5)
    (0.0, 0.02)
    """
    p, q = (
        np.where(counts > 0, counts, smoothing) / counts.sum() for counts in (reference, current)
    )
    psi = float(((q - p) * np.log(q / p)).sum())
    by_chance = (len(reference) - 1) * (1 / reference.sum() + 1 / current.sum())
    return psi, float(by_chance)


def judge(columns: Sequence[ColumnDrift], thresholds: Thresholds) -> list[ColumnDrift]:
    """The columns with corrected p-values and severities, the worst first."""
    corrected = holm([column.p for column in columns])
    judged = [
        _judged(replace(column, p_holm=float(p)), thresholds)
        for column, p in zip(columns, corrected, strict=True)
    ]
    return sorted(judged, key=_rank)


def _judged(column: ColumnDrift, thresholds: Thresholds) -> ColumnDrift:
    if column.severity == "alarm":
        return column
    if column.new:
        shown = ", ".join(f"'{value}'" for value in column.new[:3])
        more = f" and {len(column.new) - 3} more" if len(column.new) > 3 else ""
        return replace(column, severity="alarm", reason=f"new: {shown}{more}")
    if column.respelled:
        written, known = next(iter(column.respelled.items()))
        more = f" and {len(column.respelled) - 1} more" if len(column.respelled) > 1 else ""
        reason = f"other spelling: '{written}' is '{known}'{more}"
        return replace(column, severity="alarm", reason=reason)
    changed = column.p_holm < thresholds.alpha
    if column.role == "performance":
        return replace(column, severity="alarm", reason="worse") if changed else column
    if changed and column.psi_excess >= thresholds.alarm:
        return replace(column, severity="alarm", reason="drift")
    if changed and column.psi_excess >= thresholds.warn:
        return replace(column, severity="warn", reason="some drift")
    if column.missing_current > 0 and column.missing_reference == 0:
        return replace(column, severity="warn", reason="first missing cells")
    if column.gone:
        return replace(column, reason=f"{plural(len(column.gone), 'value')} gone")
    return replace(column, reason="small drift") if changed and not column.reason else column


def _rank(column: ColumnDrift) -> tuple[int, float, float]:
    psi = -column.psi_excess if column.psi == column.psi else float("-inf")
    return SEVERITIES.index(column.severity), psi, column.p_holm


def _compare_numbers(
    name: str,
    reference: np.ndarray,
    current: np.ndarray,
    missing: tuple[float, float],
    thresholds: Thresholds,
) -> ColumnDrift:
    left, right = reference[~np.isnan(reference)], current[~np.isnan(current)]
    cells = _with_missing(
        _quantile_cells(left, right, thresholds.bins),
        len(reference) - len(left),
        len(current) - len(right),
    )
    p_values = []
    if len(left) and len(right):
        p_values.append(float(ks_2samp(left, right, method="asymp").pvalue))
    if any(missing):
        p_values.append(_share_p(reference, current))
    spread = float(left.std()) if len(left) else 0.0
    comparable = spread > 0 and len(right) > 0
    return _column(
        name,
        cells,
        thresholds,
        kind="numeric",
        test="KS" if len(p_values) < 2 else "KS+miss",
        # Two tests of one column: Bonferroni.
        p=min(1.0, len(p_values) * min(p_values)) if p_values else 1.0,
        distance=float(wasserstein_distance(left, right)) / spread if comparable else None,
        missing=missing,
    )


def _compare_categories(
    name: str,
    reference: pd.Series,
    current: pd.Series,
    missing: tuple[float, float],
    thresholds: Thresholds,
    known: Collection[str],
) -> ColumnDrift:
    respelled = _respelled([*reference.dropna().unique(), *map(str, known)], current)
    left, right = reference.value_counts(), current.replace(respelled).value_counts()
    labels = sorted({*left.index, *right.index})
    counts = _Cells(
        labels,
        left.reindex(labels, fill_value=0).to_numpy(),
        right.reindex(labels, fill_value=0).to_numpy(),
    )
    n_missing = int(reference.isna().sum()), int(current.isna().sum())
    cells = _with_missing(counts, *n_missing)
    tested = _pooled(cells)
    one = _column(
        name,
        cells,
        thresholds,
        kind="categorical",
        test="chi2",
        p=_counts_p(tested.reference, tested.current),
        distance=None,
        missing=missing,
    )
    new = sorted(set(right.index) - set(left.index) - {str(value) for value in known})
    gone = sorted(set(left.index) - set(right.index))
    return replace(one, new=new, gone=gone, respelled=respelled)


def _respelled(known: Sequence[str], current: pd.Series) -> dict[str, str]:
    """Values that differ from one known value in case or blanks only, with that value."""
    by_form: dict[str, set[str]] = {}
    for value in known:
        by_form.setdefault(_form(value), set()).add(value)
    unknown = sorted(set(current.dropna().unique()) - set(known))
    meant = {value: by_form.get(_form(value), set()) for value in unknown}
    return {value: next(iter(one)) for value, one in meant.items() if len(one) == 1}


def _form(value: str) -> str:
    return " ".join(value.split()).casefold()


def _column(
    name: str,
    cells: _Cells,
    thresholds: Thresholds,
    *,
    kind: Literal["numeric", "categorical"],
    test: str,
    p: float,
    distance: float | None,
    missing: tuple[float, float],
) -> ColumnDrift:
    psi, by_chance = population_stability(cells.reference, cells.current, thresholds.smoothing)
    return ColumnDrift(
        name,
        kind,
        test=test,
        psi=psi,
        psi_by_chance=by_chance,
        p=p,
        distance=distance,
        missing_reference=missing[0],
        missing_current=missing[1],
        bins=cells.labels,
        shares_reference=(cells.reference / cells.reference.sum()).tolist(),
        shares_current=(cells.current / cells.current.sum()).tolist(),
    )


def _quantile_cells(left: np.ndarray, right: np.ndarray, n_bins: int) -> _Cells:
    """Counts between the reference's quantiles. A value at which several quantiles meet is a bin of
    its own. Leaves out bins that are empty on both sides.
    """
    if not len(left):
        return _Cells(["any number"], np.array([0]), np.array([len(right)]))
    quantiles = np.quantile(left, np.arange(1, n_bins) / n_bins)
    edges, times = np.unique(quantiles, return_counts=True)
    edges = np.unique([*edges, *np.nextafter(edges[times > 1], np.inf)])
    sides = [
        np.bincount(np.searchsorted(edges, side, side="right"), minlength=len(edges) + 1)
        for side in (left, right)
    ]
    labels = [f"below {edges[0]:.4g}", *map(_between, pairwise(edges)), f"from {edges[-1]:.4g}"]
    used = np.flatnonzero(sides[0] + sides[1])
    return _Cells([labels[i] for i in used], *(counts[used] for counts in sides))


def _between(edges: tuple[float, float]) -> str:
    low, high = edges
    only = high == np.nextafter(low, np.inf)
    return f"{low:.4g}" if only else f"{low:.4g} to {high:.4g}"


def _with_missing(cells: _Cells, n_reference: int, n_current: int) -> _Cells:
    if not n_reference and not n_current:
        return cells
    return _Cells(
        [*cells.labels, _MISSING],
        np.append(cells.reference, n_reference),
        np.append(cells.current, n_current),
    )


def _pooled(cells: _Cells) -> _Cells:
    """Pool the values that are too rare for the chi-square approximation. The sum of both sides
    decides which, so the test keeps its level.
    """
    total = cells.reference + cells.current
    smaller = min(cells.reference.sum(), cells.current.sum())
    rare = total * smaller / total.sum() < _FEWEST_EXPECTED
    if rare.sum() < 2:
        return cells
    labels = [label for label, is_rare in zip(cells.labels, rare, strict=True) if not is_rare]
    sides = (np.append(side[~rare], side[rare].sum()) for side in (cells.reference, cells.current))
    return _Cells([*labels, _RARE], *sides)


def _counts_p(reference: np.ndarray, current: np.ndarray) -> float:
    """P-value of equal shares in both vectors of counts: chi-square, or Fisher's exact test if
    there are two cells and one is rare.
    """
    table = np.stack([reference, current])
    table = table[:, table.sum(axis=0) > 0]
    if table.shape[1] < 2:
        return 1.0
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    if table.shape[1] == 2 and expected.min() < _FEWEST_EXPECTED:
        return float(fisher_exact(table).pvalue)
    return float(chi2_contingency(table, correction=False).pvalue)


def _share_p(reference: np.ndarray, current: np.ndarray) -> float:
    counts = [
        np.bincount(np.isnan(side).astype(np.int64), minlength=2) for side in (reference, current)
    ]
    return _counts_p(*counts)


def _kind(column: pd.Series) -> Literal["numeric", "categorical"]:
    is_number = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column)
    return "numeric" if is_number or column.isna().all() else "categorical"


def _numbers(column: pd.Series) -> np.ndarray:
    numbers: np.ndarray = column.astype("float64").to_numpy()
    return numbers


def _texts(column: pd.Series) -> pd.Series:
    return column.astype("str").where(column.notna())
