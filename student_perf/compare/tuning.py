"""How much of a sweep's best score is the luck of choosing the best of many.

The estimate is BBC-CV, the bootstrap bias-corrected cross-validation of I. Tsamardinos,
E. Greasidou and G. Borboudakis, "Bootstrapping the out-of-sample predictions for efficient and
accurate cross-validation", Machine Learning 107 (2018): resample the rows of the matrix of
held-out predictions of all configurations, choose the best configuration on the rows drawn, score
it on the rows not drawn, and take the mean. Nothing is fitted again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from student_perf.compare.comparable import REPEATS, answered_rows
from student_perf.compare.distinct import distinct
from student_perf.compare.leaderboard import Leaderboard
from student_perf.errors import DataError
from student_perf.runs.layout import PREDICTIONS_FILE
from student_perf.runs.looks import count_looks
from student_perf.runs.predictions import Predictions, load_predictions
from student_perf.runs.record import RunRecord
from student_perf.scoring.bootstrap import of_samples
from student_perf.scoring.influence import row_scores
from student_perf.scoring.intervals import Estimate, row_interval
from student_perf.scoring.metrics import METRICS
from student_perf.store.reader import fetch_file

N_BOOTSTRAPS = 500
_FEWEST_BOOTSTRAPS = 100
# Metrics of ranks are computed anew for each bootstrap, a millisecond each.
_MOST_RANKINGS = 10_000


@dataclass(frozen=True)
class Corrected:
    """The best configuration's score over all held-out rows, that score without the luck of having
    been chosen, and the 95 % interval of the latter, by rows like that of any figure.
    """

    apparent: float
    mean: float
    low: float
    high: float
    n_bootstraps: int


@dataclass(frozen=True)
class Tuning:
    """What a sweep's best score is worth; `test` is the winner's score on the test rows, None if it
    did not open them, and `n_looks` how often these rows have been looked at.
    """

    study: str
    metric: str
    n_trials: int
    corrected: Corrected
    test: Estimate | None
    n_looks: int


def trials_on(board: Leaderboard, records: Sequence[RunRecord]) -> list[RunRecord]:
    """The finished trials on a board's rows, also those that repeat one of another sweep, and stand
    in its row; none of sweeps over seeds, which have no best.
    """
    shown = [line.record for line in board.lines]
    over_seeds = {record.study for record in shown if record.kind == REPEATS}
    on_rows = set(map(answered_rows, shown))
    finished = (r for r in records if (r.kind, r.status) == ("trial", "FINISHED"))
    return [r for r in finished if r.study not in over_seeds and answered_rows(r) in on_rows]


def tuning_of(
    study: str, records: Sequence[RunRecord], metric: str, store: str = "", seed: int = 0
) -> Tuning | None:
    """Optimism of a sweep from the stored predictions of its finished trials, without those that
    could not win; None with fewer than two.

    Raises:
        TrackingError: Predictions are missing.
        DataError: The trials were scored on different rows.
    """
    mine = [record for record in records if record.study == study]
    trials = [r for r in mine if r.kind == "trial" and r.status == "FINISHED" and not r.outside]
    trials = [record for record, _ in distinct(trials)]
    if len(trials) < 2:
        return None
    if len(set(map(answered_rows, trials))) > 1:
        raise DataError(f"{study}: its trials have different data or folds; filter one of them")
    paths = (fetch_file(r, store or r.tracking_uri, PREDICTIONS_FILE) for r in trials)
    corrected = bias_corrected([load_predictions(path) for path in paths], metric, seed=seed)
    winner = next((r for r in mine if r.kind == "final" and r.status == "FINISHED"), None)
    test, n_looks = None, 0
    if winner is not None:
        test, logged = winner.test_estimate(metric), winner.number("test_looks")
        n_looks = max(count_looks(winner.folder), 0 if math.isnan(logged) else int(logged))
    return Tuning(study, metric, len(trials), corrected, test, n_looks)


def bias_corrected(
    configurations: Sequence[Predictions],
    metric: str,
    n_bootstraps: int = N_BOOTSTRAPS,
    seed: int = 0,
) -> Corrected:
    """BBC-CV of configurations whose predictions are on the same rows in the same order.

    Rows are resampled with all their predictions, so repeated folds stay together, and rows of a
    group with all of it. Metrics of ranks get fewer bootstraps (100 or more). The interval is that
    of the best configuration's rows, moved to the corrected figure: percentiles of the bootstraps,
    each of the third of the rows that it has not drawn, are half as wide again.

    Raises:
        DataError: The rows differ.
    """
    first = configurations[0]
    for other in configurations:
        if not np.array_equal(first.row, other.row) or not np.array_equal(first.fold, other.fold):
            raise DataError("the held-out rows of the configurations differ; compare one split")
    info, answers = METRICS[metric], [one.answers for one in configurations]
    if info.of_answers is not None:
        share = _MOST_RANKINGS // len(configurations)
        n_bootstraps = min(n_bootstraps, max(share, _FEWEST_BOOTSTRAPS))
    rng = np.random.default_rng(seed)
    units = first.row if first.groups is None else first.groups
    names, of_row = np.unique(units, return_inverse=True)
    even = np.full(len(names), 1 / len(names))
    drawn = rng.multinomial(len(names), even, size=n_bootstraps)[:, of_row]
    worth = info.sign * np.stack([of_samples(info, one, drawn) for one in answers])
    chosen = np.where(np.isnan(worth), -np.inf, worth).argmax(axis=0)
    unseen = np.empty(n_bootstraps)
    for i in np.unique(chosen):
        mine = chosen == i
        unseen[mine] = of_samples(info, answers[i], (drawn[mine] == 0).astype(np.int64))
    of_all = [info.sign * info.of(one) for one in answers]
    best = int(np.argmax(np.nan_to_num(of_all, nan=-np.inf)))
    scores = row_scores(info, answers[best], first.row, first.fold)
    found = row_interval(replace(scores, mean=float(np.nanmean(unseen))), info)
    return Corrected(info.sign * of_all[best], found.mean, found.low, found.high, n_bootstraps)


def tuning_lines(tuning: Tuning) -> list[str]:
    """Sentences about the best score, what is left of it, and the test rows."""
    score, label = tuning.corrected, METRICS[tuning.metric].label
    luck = score.apparent - score.mean
    lines = [
        f"Tuning, {tuning.study}: the best of {tuning.n_trials} trials has {label} "
        f"{score.apparent:.3f} over all held-out rows; without the luck of being chosen "
        f"{score.mean:.3f}, 95 % interval {score.low:.3f} to {score.high:.3f} (BBC-CV), so "
        f"{luck:+.3f} of it is luck."
    ]
    if (test := tuning.test) is not None:
        lines.append(
            f"On the test rows the winner has {test.mean:.3f}, 95 % interval {test.low:.3f} to "
            f"{test.high:.3f}."
        )
    if tuning.n_looks > 1:
        lines.append(
            f"Warning: these test rows have been looked at {tuning.n_looks} times; a choice made "
            "by them makes their figure too good."
        )
    return lines
