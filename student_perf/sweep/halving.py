"""Successive halving: a trial goes on to more rows while it is among the best third on fewer.

Nothing waits for the others, so a trial is compared with those that have ended (Li et al. 2020, "A
System for Massively Parallel Hyperparameter Tuning"; Jamieson and Talwalkar 2016, "Non-stochastic
Best Arm Identification"). What a model scores on a sample decides whether it goes on, and nothing
else. It becomes neither a metric nor a value of the study, not even an intermediate one, since
something takes each of these for the score on all rows. An attribute of the trial keeps it.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from student_perf.compare.halved import RUNGS
from student_perf.config.schema import ExperimentConfig
from student_perf.errors import one_line
from student_perf.experiment.prepare import PreparedData
from student_perf.scoring.metrics import METRICS
from student_perf.sweep.distinct import OUTSIDE
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.plan import SweepPlan
from student_perf.sweep.rungs import REDUCTION
from student_perf.sweep.study import runs_defaults

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

log = logging.getLogger(__name__)


def climb(
    study: optuna.Study,
    plan: SweepPlan,
    trial: optuna.Trial,
    values: Mapping[str, Any],
    configs: Sequence[ExperimentConfig],
    evaluator: TrialEvaluator,
) -> Iterator[bool]:
    """Fit a trial on each rung, the smallest first; after each, whether the trial goes on.

    The defaults always do, so that what wins was compared with them on all rows. A reference, which
    cannot win, climbs no rung. With `repeats` the first seed decides.

    Args:
        study: The sweep's study.
        plan: The sweep's plan.
        trial: The trial, which gets what its rungs gave.
        values: What it drew, by config key.
        configs: Those that it is judged by.
        evaluator: Of the worker.
    """
    if not plan.rungs or trial.user_attrs.get(OUTSIDE):
        return
    rungs = evaluator.rungs(configs[0], len(plan.rungs) - 1)
    metric = configs[0].objective.metric
    n_whole = sum(len(fold.train) for fold in evaluator.data(*configs).split.folds)
    of, rows, scores = _identity(rungs, metric), list[int](), list[float | None]()
    for rung in rungs:
        rows.append(len(rung.split.folds[0].train))
        scores.append(_score(evaluator, configs[0], rung, trial.number))
        known = {"of": of, "rows": rows, "scores": scores, "share": sum(rows) / n_whole}
        trial.set_user_attr(RUNGS, known)
        goes_on = runs_defaults(trial, plan, values) or scores[-1] is None
        yield goes_on or _is_among_best(study, of, scores, METRICS[metric].sign)


def _score(
    evaluator: TrialEvaluator, config: ExperimentConfig, rung: PreparedData, number: int
) -> float | None:
    """The objective on a rung; None if there is none. A model that fails on few rows, as one of
    more neighbours than rows does, may not fail on all.
    """
    try:
        score = evaluator.score_on(config, rung)
    except Exception as error:
        n_rows = len(rung.split.folds[0].train)
        log.warning("trial %d: not judged on %d rows (%s)", number, n_rows, one_line(error))
        return None
    return score if math.isfinite(score) else None


def _is_among_best(study: optuna.Study, of: str, mine: Sequence[float | None], sign: int) -> bool:
    """Whether the last of these scores is among the best third, rounded up, of those that trials
    which have ended had on the same rung. Equal ones share the better place, and the first three
    go on in any case: few say little, and something has to be there beside the defaults.
    """
    rung, score = len(mine) - 1, mine[-1]
    assert score is not None
    rivals = _scores_on(study.get_trials(deepcopy=False), of, rung)
    n_better, n = sum(sign * rival > sign * score for rival in rivals), len(rivals) + 1
    return n <= REDUCTION or n_better < math.ceil(n / REDUCTION)


def _scores_on(trials: Sequence[FrozenTrial], of: str, rung: int) -> list[float]:
    """Scores on a rung of trials that could win: none that failed, or that runs and may yet."""
    found = []
    for trial in trials:
        known = trial.user_attrs.get(RUNGS)
        if known is None or known["of"] != of or trial.user_attrs.get(OUTSIDE):
            continue
        if trial.state.name in ("COMPLETE", "PRUNED") and rung < len(known["scores"]):
            found.append(known["scores"][rung])
    return [score for score in found if score is not None]


def _identity(rungs: Sequence[PreparedData], metric: str) -> str:
    """What trials must share to be compared: rows of the rungs, target and metric. After
    `resume=force` a study may hold others.
    """
    dataset = rungs[0].dataset
    parts = [dataset.sha256, dataset.target_sha256, metric, *(r.split.sha256 for r in rungs)]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
