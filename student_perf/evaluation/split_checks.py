"""Checks of ties between rows that the split does not respect, and of weights and gaps that the
model is not shown.

They fit something or need the model, so a command asks them once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from scipy.stats import fisher_exact, ks_2samp, mannwhitneyu, norm, rankdata
from sklearn.pipeline import Pipeline

from student_perf.config.schema import GroupKFoldSplit
from student_perf.data.dataset import Dataset
from student_perf.evaluation.advice import advise
from student_perf.evaluation.registry import Subject, check
from student_perf.models.weights import takes_weights
from student_perf.scoring.metrics import METRICS

_CHANCE = 0.001  # of a false alarm, over all columns
_MOVED = 0.2  # in a distribution function or a share
_MOST_NAMED = 3
_FEWEST_CELLS = 10  # missing ones, and filled ones
_SAYS_MUCH = 0.1  # of the target's variance; where gaps said 0.05, marks did not help


@check(
    "SP401",
    "Rows that know each other, and a split that does not mind",
    what="Rows are copies of each other, belong to one person or school, follow in time, or stand "
    "in sorted blocks, and the folds are drawn as if none of this were so.",
    why="A model then meets in its held-out rows what it knows from training, and the score is "
    "better than for new persons or later terms; the ranking of models changes, too. The line says "
    "how far the score of a small forest moves.",
    fix="Type what the line says, for example `dataset.group=student_id "
    "split=stratified_group_kfold` or `dataset.time=date split=temporal`. If new rows will be of "
    "the same persons, the finding is a fact about the data.",
    costly=True,
)
def ties(subject: Subject) -> Iterator[str]:
    """A line for each tie between rows that the split does not respect."""
    yield from advise(
        subject.dataset, subject.split, subject.split_config, subject.config, subject.metric
    )


@check(
    "SP402",
    "Weights that are left out",
    what="`dataset.weight` is declared, and the fit of the model or a metric of your own takes no "
    "weights.",
    why="The model then learns from every row alike, while the scores count the weights, so it is "
    "not the model that the weights ask for.",
    fix="Choose a model whose fit takes weights, or leave `dataset.weight` out.",
    costly=True,
)
def left_out_weights(subject: Subject) -> Iterator[str]:
    """A line for a model, and one for metrics, that take no weights."""
    weight, pipeline = subject.config.weight, subject.pipeline
    if weight is None:
        return
    if pipeline is not None and not takes_weights(pipeline):
        yield (
            f"the fit of {type(pipeline.steps[-1][1]).__name__} takes no weights, so it learns "
            f"from every row alike; scores and dummy count dataset.weight={weight}"
        )
    known = [METRICS[name] for name in subject.dataset.metrics]
    if unweighted := [metric.label for metric in known if not metric.takes_weights]:
        yield f"no weights, and so no figure: {', '.join(unweighted)}"


@check(
    "SP403",
    "Test rows that are unlike the others",
    what="A feature is distributed otherwise among the test rows than among the development rows, "
    "or among the held-out rows of a fold that time or a column gives than among its training "
    "rows: the distribution functions, or the shares of a value, differ by 0.2 or more, and not by "
    "chance (p below 0.001 over all columns).",
    why="The figure on such rows says how the model does on another population than it has learned "
    "from. It is usually lower than the held-out figure, and the difference is not overfitting.",
    fix="Look up what the column is: a term, a price level, a code that changed. Leave it out with "
    "`dataset.drop`, or keep it and expect the same of new rows.",
    costly=True,
)
def unlike_sides(subject: Subject) -> Iterator[str]:
    """A line for each pair of sides between which columns differ, with the first of them."""
    split, features = subject.split, subject.dataset.features
    sides = [("the test part", split.development, split.test)] if len(split.test) else []
    if not subject.split_config.is_drawn:
        sides += [
            (split.fold_name(number), fold.train, fold.validation)
            for number, fold in enumerate(split.folds)
        ]
    elif isinstance(subject.split_config, GroupKFoldSplit):
        return  # whole groups differ by what they are
    for name, *rows in sides:
        known, held_out = (_one_a_group(subject.dataset, side) for side in rows)
        chance = _CHANCE / (len(sides) * features.shape[1])
        moved = [
            str(column)
            for column in features
            if _differs(features[column].iloc[known], features[column].iloc[held_out], chance)
        ]
        if moved:
            yield (
                f"{name}: {_named(moved)} {'differ' if len(moved) > 1 else 'differs'} from the "
                "rows that train for it, so its score is one on another population"
            )


@check(
    "SP404",
    "Gaps that say much and are filled",
    what="Whether a number is missing goes with the target: it explains a tenth of its "
    "variance, or of a class against the others, and not by chance (p below 0.001 over all "
    "columns). The preprocessing fills such cells and keeps no mark of them.",
    why="A filled cell looks like any other, so the model cannot learn what the gap says: in a "
    "table of families the age at the first birth is missing where there is no child yet. Marks "
    "lower the log loss of `model=auto` there from 0.45 to 0.34. Where gaps said a twentieth or "
    "less, marks did not help.",
    fix="Type what the line says, which adds a column of marks for each column with gaps. If cells "
    "were only filled in once the target was known, leave the column out: `dataset.drop`.",
    costly=True,
)
def filled_gaps(subject: Subject) -> Iterator[str]:
    """A line for the columns whose gaps say something that the model does not see."""
    step = _fills_unmarked(subject.pipeline) if subject.pipeline is not None else None
    if step is None:
        return
    dataset = subject.dataset
    rows = subject.some_rows
    gaps = {name: dataset.features[name].iloc[rows].isna().to_numpy() for name in dataset.numeric}
    groups = dataset.groups_of(rows)
    said = {
        name: _said_by(gap, dataset.target[rows], len(dataset.classes), groups)
        for name, gap in gaps.items()
        if min(gap.sum(), (~gap).sum()) >= _FEWEST_CELLS
    }
    saying = [
        name
        for name, (share, p_value) in sorted(said.items(), key=lambda one: -one[1][0])
        if share >= _SAYS_MUCH and p_value < _CHANCE / len(said)
    ]
    if saying:
        yield (
            f"{_named(saying)}: whether a cell is missing says much of "
            f"'{dataset.target_name}', and the model cannot see it; if the gap is there before the "
            f"target is known, type: {step}.add_indicator=true"
        )


def _fills_unmarked(pipeline: Pipeline) -> str | None:
    """The key of the step that fills gaps of numbers without a mark of where they were."""
    for key, value in pipeline.get_params().items():
        words = str(key).split("__")  # preprocess, numeric, impute, add_indicator
        if words[-1] == "add_indicator" and value is False and words[-3:-2] == ["numeric"]:
            return f"preprocess.numeric.{words[-2]}"
    return None


def _said_by(
    gap: np.ndarray, target: np.ndarray, n_classes: int, groups: np.ndarray | None
) -> tuple[float, float]:
    """How much of the target gaps say, shape (n,): the squared correlation with its ranks, or with
    the class that goes with them most; and the p-value, corrected for the classes.
    """
    values = [target == code for code in range(n_classes)] if n_classes else [rankdata(target)]
    values = [value for value in values if np.ptp(value.astype(float)) > 0]
    best = 0.0, 1.0
    for value in values:
        p_value = min(1.0, len(values) * _p_of_gap(gap, value, groups))
        share = float(np.corrcoef(gap, value)[0, 1] ** 2)
        best = min(best, (share, p_value), key=lambda one: one[1])
    return best


def _p_of_gap(gap: np.ndarray, value: np.ndarray, groups: np.ndarray | None) -> float:
    """By Fisher's exact test for yes or no, by ranks for numbers (Mann and Whitney). Rows of one
    group may say the same thing many times: then by how far each group moves the covariance, which
    is normal for many groups (Liang and Zeger 1986, Biometrika 73).
    """
    if groups is not None:
        moved = np.bincount(groups, (gap - gap.mean()) * (value - value.mean()))
        return 2 * float(norm.sf(abs(moved.sum()) / np.sqrt(np.square(moved).sum())))
    if value.dtype == np.bool_:
        counts = [[int((a & b).sum()) for b in (value, ~value)] for a in (gap, ~gap)]
        return float(fisher_exact(counts)[1])
    return float(mannwhitneyu(value[gap], value[~gap]).pvalue)


def _named(columns: Sequence[str]) -> str:
    """The first columns, and how many more there are."""
    shown = ", ".join(f"'{column}'" for column in columns[:_MOST_NAMED])
    more = len(columns) - _MOST_NAMED
    return f"{shown} and {more} more" if more > 0 else shown


def _one_a_group(dataset: Dataset, rows: np.ndarray) -> np.ndarray:
    """The first of the rows of each group: those of one person say the same thing many times."""
    groups = dataset.groups_of(rows)
    return rows if groups is None else rows[np.unique(groups, return_index=True)[1]]


def _differs(known: pd.Series, held_out: pd.Series, chance: float) -> bool:
    """Whether a column is distributed otherwise on two sides, by much and not by chance."""
    known, held_out = known.dropna(), held_out.dropna()
    if not len(known) or not len(held_out):
        return False
    if known.dtype == np.float64:
        test = ks_2samp(known, held_out)
        return bool(test.statistic >= _MOVED and test.pvalue < chance)
    n, m = len(known), len(held_out)
    counts = pd.concat([known.value_counts(), held_out.value_counts()], axis=1).fillna(0).to_numpy()
    most = int(np.abs(counts[:, 0] / n - counts[:, 1] / m).argmax())
    here, there = counts[most]
    if abs(here / n - there / m) < _MOVED:
        return False
    return bool(fisher_exact([[here, n - here], [there, m - there]])[1] < chance)
