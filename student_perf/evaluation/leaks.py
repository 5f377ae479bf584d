"""Checks for columns that give the target away: alone, by two, or under another name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from student_perf.encoders import Words
from student_perf.errors import ConfigError
from student_perf.evaluation.registry import Subject, check
from student_perf.evaluation.strength import (
    best_direction,
    explained_share,
    feature_strength,
    same_information,
)

# One-hot columns of a target reach 1.000; the strongest honest feature known here, an earlier grade
# (G2 of Cortez and Silva's data), stays below 0.99.
LEAK_STRENGTH = 0.999
# That grade carries 0.84 of the variance and saves 0.75 of the errors; two tests that make up a
# total, or a score of which the classes were cut with some noise, lie above these.
NEARLY_ALL = {"regression": 0.95, "classification": 0.85}
# The best of many pairs looks better than a single column: two of 30 honest measurements of a
# tumour save 0.89 of the errors.
NEARLY_ALL_BY_TWO = {"regression": 0.95, "classification": 0.93}
_REST = 0.25  # of what a strong column leaves open, the most that it leaves with another one
_MOST_BANDS, _ROWS_OF_A_BAND = 20, 5
_MOST_COLUMNS = 100  # of numbers, whose pairs are looked at
_FEW_ROWS = 2000
_MOST_PAIRS = 3  # of each relation, looked at closely
_MOST_CLASSES = 10
_NO_PAIR = 0.3  # pairs below it are not worth a closer look


@check(
    "SP101",
    "A column determines the target",
    what="A single feature determines the target almost perfectly: by its values, by being "
    "missing, or by a word of its text, its one-vs-rest AUC, rank correlation or eta squared is "
    "0.999 or more.",
    why="Such a column is nearly always the target itself in another form, or was filled in after "
    "it. The score then says nothing about rows whose target is not known yet. The strongest "
    "honest feature known here, an earlier grade in the same subject, stays below 0.99.",
    fix="Add the column to `dataset.drop`. If it is known before the target is, "
    "`guards.SP101=warn` goes on.",
)
def leaking(subject: Subject) -> Iterator[str]:
    """A line for each column that all but equals the target."""
    for name in subject.dataset.features:
        # A leak shows in some thousand rows; all rows are looked at only to confirm it.
        if _is_leak(subject, str(name)):
            strength = _strength(subject, str(name), subject.rows)
            yield (
                f"column '{name}': determines the target '{subject.dataset.target_name}' almost "
                f"perfectly ({strength:.4f}, leaks start at {LEAK_STRENGTH}); add it to "
                "dataset.drop unless it is known before the target"
            )
    for place, _, strength in _telling_words(subject, feature_strength):
        if strength >= LEAK_STRENGTH:
            yield (
                f"{place}: determines the target '{subject.dataset.target_name}' almost perfectly "
                f"({strength:.4f}, leaks start at {LEAK_STRENGTH}); add the column to "
                "dataset.drop unless it was written before the target was known"
            )


@check(
    "SP102",
    "A column that the setup leaves out, under another name",
    what="A feature repeats a column that the chosen `dataset.setup` leaves out, exactly or nearly "
    "(lambda of 0.95 both ways, or a correlation of 0.99).",
    why="A setup such as `C` of the Portuguese pupils, without the earlier grades, is compared "
    "with published results of the same setup. A copy of a grade makes that comparison false.",
    fix="Add the column to `dataset.drop`, or choose the setup that allows it.",
)
def disguised(subject: Subject) -> Iterator[str]:
    """A line for each feature that repeats, under another name, a column that was left out."""
    config, dataset = subject.config, subject.dataset
    for forbidden in config.setups.get(config.setup or "", []):
        if forbidden not in dataset.dropped:
            continue
        hidden = dataset.dropped[forbidden].iloc[subject.rows]
        for name in dataset.features:
            if same_information(dataset.features[name].iloc[subject.rows], hidden):
                yield (
                    f"column '{name}': is '{forbidden}' under another name, which setup "
                    f"{config.setup} leaves out; add it to dataset.drop"
                )


@check(
    "SP103",
    "One or two columns carry nearly all of the target",
    what="One column, or two by a linear relation, a product or a ratio, carry nearly all of the "
    "target, through noise too: 95 % of the variance of a number, or of the errors on classes they "
    "save 85 % (one column) or 93 % (two).",
    why="The target may have been computed from them (a total from its parts, a band from its "
    "score). A model then repeats a formula, and its score says little about the other columns.",
    fix="Look up how the target came about. If it was computed from these columns, add them to "
    "`dataset.drop`. If they are known before the target, the finding is a fact about the data.",
)
def nearly_all(subject: Subject) -> Iterator[str]:
    """A line for the pair of columns that carries nearly all, and for each other such column."""
    dataset = subject.dataset
    rows = subject.some_rows[:: max(1, len(subject.some_rows) // _FEW_ROWS)]
    table, y = dataset.features.iloc[rows], dataset.target[rows]
    shares = {name: explained_share(table[name], y, dataset.task) for name in map(str, table)}
    strong = {name: share for name, share in shares.items() if share >= NEARLY_ALL[dataset.task]}
    leaks = {name for name in strong if _is_leak(subject, name)}
    others = [name for name in dataset.numeric if name not in leaks]
    pair = _best_pair(table[others[:_MOST_COLUMNS]], y, dataset.task)
    of_pair = set[str]()
    if pair is not None and _says_more(pair, strong, dataset.task):
        of_pair = {pair.one, pair.two}
        yield (
            f"columns '{pair.one}' and '{pair.two}': by {pair.relation} they "
            f"{_nearly_all(pair.share, subject)}"
        )
    for name in strong.keys() - leaks - of_pair:
        yield f"column '{name}': alone it {_nearly_all(strong[name], subject, ending='s')}"
    y = dataset.target[subject.some_rows]
    for place, present, share in _telling_words(subject, explained_share):
        is_leak = feature_strength(present, y, dataset.task) >= LEAK_STRENGTH
        if share >= NEARLY_ALL[dataset.task] and not is_leak:
            yield f"{place}: alone it {_nearly_all(share, subject, ending='s')}"


@check(
    "SP105",
    "A column that was cut from the target",
    what="The values of a column divide a numeric target without overlap: all rows with one value "
    "have lower targets than all rows with the next.",
    why="A pass mark, a band or a grade does so if it was computed from the target; a column that "
    "was known before never does. One copy of a public student file ends with such a column.",
    fix="Add the column to `dataset.drop`.",
)
def cut(subject: Subject) -> Iterator[str]:
    """A line for each column of few values between which the target does not overlap."""
    dataset, y = subject.dataset, subject.dataset.target[subject.rows]
    if dataset.task != "regression":
        return
    for name, column in dataset.features.items():
        codes, values = pd.factorize(column.iloc[subject.rows])
        if 2 <= len(values) <= _MOST_BANDS and _divides(codes, y):
            yield (
                f"column '{name}': its {len(values)} values divide '{dataset.target_name}' without "
                "overlap, so it was cut from it; add it to dataset.drop"
            )


def _divides(codes: np.ndarray, y: np.ndarray) -> bool:
    """Whether the targets of each code, all of several rows, lie apart from those of the others."""
    parts = [y[codes == code] for code in range(int(codes.max()) + 1)]
    if min(map(len, parts)) < _ROWS_OF_A_BAND:
        return False
    parts.sort(key=lambda part: float(part.min()))
    return all(one.max() < two.min() for one, two in pairwise(parts))


def _says_more(pair: _Pair, strong: Mapping[str, float], task: str) -> bool:
    """Whether two columns carry nearly all, and much more than a strong one of them does alone."""
    alone = max(strong.get(pair.one, 0.0), strong.get(pair.two, 0.0))
    closes_the_rest = 1 - pair.share < _REST * (1 - alone) or not alone
    return pair.share >= NEARLY_ALL_BY_TWO[task] and closes_the_rest


def _nearly_all(share: float, subject: Subject, ending: str = "") -> str:
    name = subject.dataset.target_name
    if subject.dataset.task == "regression":
        what = f"explain{ending} {share:.1%} of the variance of"
    else:
        what = f"save{ending} {share:.0%} of the errors on"
    return f"{what} '{name}'; add to dataset.drop what was computed with the target or after it"


def _strength(subject: Subject, name: str, rows: np.ndarray) -> float:
    dataset = subject.dataset
    return feature_strength(dataset.features[name].iloc[rows], dataset.target[rows], dataset.task)


def _is_leak(subject: Subject, name: str) -> bool:
    return (
        _strength(subject, name, subject.some_rows) >= LEAK_STRENGTH
        and _strength(subject, name, subject.rows) >= LEAK_STRENGTH
    )


def _telling_words(
    subject: Subject, measure: Callable[[pd.Series, np.ndarray, str], float]
) -> Iterator[tuple[str, pd.Series, float]]:
    """The word of each column of text that says most of the target, on some of the rows: where it
    stands, in which texts it is (1.0, 0.0, missing), and what it says by a measure.
    """
    dataset, y = subject.dataset, subject.dataset.target[subject.some_rows]
    for name in dataset.text:
        texts = subject.some[[name]]
        try:
            words = Words().fit(texts)
        except ConfigError:  # no word is frequent: who builds the model says so
            continue
        present = np.where(texts.isna(), np.nan, words.transform(texts) > 0)
        columns = {str(w): pd.Series(c) for w, c in zip(words.words_[0], present.T, strict=True)}
        said = {word: measure(column, y, dataset.task) for word, column in columns.items()}
        best = max(said, key=lambda word: said[word])
        yield f"column '{name}', word '{best}'", columns[best], said[best]


@dataclass(frozen=True)
class _Pair:
    """Two columns, how they are combined, and which share of the target they carry so."""

    one: str
    two: str
    relation: str
    share: float


def _best_pair(table: pd.DataFrame, y: np.ndarray, task: str) -> _Pair | None:
    """The pair of columns of numbers that carries most of the target; None without candidates."""
    table = table.loc[:, table.notna().mean() > 0.5]
    table = table.fillna(table.median())
    least = NEARLY_ALL_BY_TWO[task] if task == "regression" else _NO_PAIR
    pairs = [
        _Pair(columns[i], columns[j], relation, explained_share(combined(i, j), y, task))
        for relation, columns, shares, combined in _relations(table, y, task)
        for i, j in _best(shares, least)
    ]
    return max(pairs, key=lambda pair: pair.share, default=None)


_Relation = tuple[str, list[str], np.ndarray, Callable[[int, int], pd.Series]]


def _relations(table: pd.DataFrame, y: np.ndarray, task: str) -> Iterator[_Relation]:
    """Each kind of relation: its columns, for each pair about the share of a target that it gives,
    and the column that combines a pair.
    """
    positive = table.loc[:, (table > 0).all()]
    targets = [y.astype(np.float64)] if task == "regression" else _indicators(y)
    logs = [np.log(y)] if task == "regression" and (y > 0).all() else targets
    for relation, view, wanted in (
        ("a linear relation", table, targets),
        ("a product or ratio", positive.apply(np.log), logs),
    ):
        view = view.loc[:, view.std() > 0]
        if view.shape[1] > 1:
            x = view.to_numpy(np.float64)
            by_target = np.max([_r_squared_of_pairs(x, target) for target in wanted], axis=0)
            classes = y if task == "classification" else None
            yield relation, list(map(str, view)), by_target, _plane(x, wanted[0], classes)
    if table.shape[1] > 1:
        x = table.to_numpy(np.float64)
        shares = np.max([_r_squared_of_products(x, target) for target in targets], axis=0)
        yield "a product", list(map(str, table)), shares, lambda i, j: pd.Series(x[:, i] * x[:, j])


def _plane(
    x: np.ndarray, target: np.ndarray, classes: np.ndarray | None
) -> Callable[[int, int], pd.Series]:
    """How two columns of x are added up for a number, or else for classes."""

    def combined(i: int, j: int) -> pd.Series:
        both = x[:, [i, j]]
        if classes is not None:
            return pd.Series(both @ best_direction(both, classes))
        both = np.column_stack([both, np.ones(len(x))])
        return pd.Series(both @ np.linalg.lstsq(both, target, rcond=None)[0])

    return combined


def _indicators(y: np.ndarray) -> list[np.ndarray]:
    """Each class against the rest, the commonest ones first."""
    codes = np.argsort(-np.bincount(y), kind="stable")[:_MOST_CLASSES]
    return [(y == code).astype(np.float64) for code in codes]


def _r_squared_of_pairs(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """R squared of the least-squares plane over each two columns of x (n, p); shape (p, p)."""
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    t = (y - y.mean()) / (y.std() or 1.0)
    c, r = z.T @ z / len(y), z.T @ t / len(y)
    # Two columns that are nearly one add nothing to each other, and divide by nearly zero.
    free = np.where(c**2 < 0.9999, 1 - c**2, np.inf)
    result: np.ndarray = (r[:, None] ** 2 + r**2 - 2 * np.outer(r, r) * c) / free
    return result


def _r_squared_of_products(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared correlation of y (n,) with the product of each two columns of x (n, p); (p, p)."""
    x = x / np.maximum(np.abs(x).max(axis=0), 1e-300)  # no overflow of the fourth powers
    n = len(y)
    mean = x.T @ x / n
    variance = (x**2).T @ (x**2) / n - mean**2
    covariance = x.T @ (x * (y - y.mean())[:, None]) / n
    spread = variance * y.var()
    result: np.ndarray = np.divide(
        covariance**2, spread, out=np.zeros_like(spread), where=spread > 1e-15
    )
    return result


def _best(shares: np.ndarray, least: float) -> list[tuple[int, int]]:
    """The pairs with the highest shares, those above `least` only."""
    pairs = np.array(list(combinations(range(len(shares)), 2)))
    values = shares[pairs[:, 0], pairs[:, 1]]
    chosen = np.argsort(-values, kind="stable")[:_MOST_PAIRS]
    return [(int(pairs[k, 0]), int(pairs[k, 1])) for k in chosen if values[k] >= least]
