"""Two runs on the same rows: by how much they differ, and by what that is known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from student_perf.runs.predictions import Predictions, row_scores
from student_perf.runs.record import RunRecord
from student_perf.scoring.chance import chance_p
from student_perf.scoring.influence import RowScores, repeats
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import PairedDifference, paired_difference, row_difference
from student_perf.text import plural


def paired_runs(a: RunRecord, b: RunRecord, metric: str) -> tuple[PairedDifference[float], str]:
    """The difference a - b of a metric, tested, and what was paired in words: the rows that both
    have answered or, where predictions are gone, their folds.

    Args:
        a: One run.
        b: Another one with the same data, classes and folds.
        metric: Its name.

    Raises:
        ChangedError: Predictions are not as a run left them.
        ValueError: The runs share neither predictions nor two or more folds.
    """
    own = [record.row_scores(metric) for record in (a, b)]
    first, second = by_same_units((a, b), own, metric)
    if first is not None and second is not None and np.array_equal(first.unit, second.unit):
        noun = "row" if _groups((a, b)) is None else "group"
        return row_difference(first, second), plural(len(first.unit), noun)
    ours, theirs = a.fold_scores(metric), b.fold_scores(metric)
    if len(ours) != len(theirs) or not np.isfinite([*ours, *theirs]).all():
        raise ValueError(f"{metric} is not known on every fold of both runs")
    found = paired_difference(ours, theirs, a.test_over_train)
    return found, f"{plural(len(ours), 'fold')} (Nadeau and Bengio's correction)"


def by_same_units(
    records: Sequence[RunRecord], own: Sequence[RowScores | None], metric: str
) -> list[RowScores | None]:
    """A metric of each run by the same units: if some of the runs declare groups of rows, those of
    the first are also the groups of all that declare none, since groups are a fact of the rows.

    Args:
        records: Runs with the same data, classes and folds.
        own: The metric by each run's own units; None where that is not known.
        metric: Its name.
    """
    units = [one.unit for one in own if one is not None]
    if all(np.array_equal(unit, units[0]) for unit in units):
        return list(own)
    groups = _groups(records)
    return [record.row_scores(metric, groups) for record in records]


def _groups(records: Sequence[RunRecord]) -> np.ndarray | None:
    known = (record.predictions() for record in records)
    return next((one.groups for one in known if one is not None and one.groups is not None), None)


def over_dummy(record: RunRecord, metric: str, dummy: float) -> PairedDifference[float] | None:
    """What a run gains over the dummy baseline on the same rows, more is better: as recorded, or of
    a trial, which has no baseline of its own, from what the baseline answers in its folds. None if
    that is not known.

    Args:
        record: The run.
        metric: Name of the metric.
        dummy: The baseline's recorded mean on these folds.
    """
    known = record.gain(metric)
    if not math.isnan(known["gain_p"]):
        return PairedDifference(*known.values())
    mine, predictions = record.row_scores(metric), record.predictions()
    baseline = None if predictions is None else _baseline(predictions)
    if mine is None or predictions is None or baseline is None:
        return None
    theirs = row_scores(baseline, metric)
    # Folds that do not train on all other rows have another baseline.
    if not math.isclose(theirs.mean, dummy, rel_tol=1e-9, abs_tol=1e-12):
        return None
    info, rows = METRICS[metric], predictions
    gain = row_difference(*((mine, theirs) if info.maximizes else (theirs, mine)))
    by_chance = chance_p(info, rows.answers, rows.row, rows.fold)
    return replace(gain, p_value=max(gain.p_value, by_chance))


def _baseline(known: Predictions) -> Predictions | None:
    """What the dummy baseline answers if each fold trains on the other folds of its repeat: the
    shares of the classes there, or the mean. None if a repeat has a single fold.
    """
    truth = known.y_true.astype(np.float64)
    if known.task == "classification":
        truth = np.eye(known.output.shape[1])[known.y_true]
    output = np.empty_like(known.output, dtype=np.float64)
    for repeat, _ in repeats(known.row, known.fold):
        of_fold = known.fold[repeat]
        for fold in np.unique(of_fold):
            others = truth[repeat][of_fold != fold]
            if not len(others):
                return None
            output[repeat][of_fold == fold] = others.mean(axis=0)
    return replace(known, output=output)
