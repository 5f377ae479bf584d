"""What intervals, tests and groups add to a run and to a trial.

    .venv/bin/python benchmarks/intervals.py [--repeats 5] [--models logreg xgb]

Processor time of one thread, medians, in milliseconds: each part alone on the result of a
cross-validation with the default config, and beside them a whole run of the command. The part of
permutation importance is what its influences add to its scores. A trial has one interval.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

from evaluate import prepared
from processes import run_measured

if TYPE_CHECKING:
    from student_perf.experiment.compute import Outcome
    from student_perf.experiment.prepare import Prepared


def median_cpu(run: Callable[[], object], repeats: int) -> float:
    """Milliseconds of processor time of a call, after one that is not measured."""
    run()
    times = []
    for _ in range(repeats):
        started = time.process_time()
        run()
        times.append(1000 * (time.process_time() - started))
    return statistics.median(times)


def parts_of(case: Prepared, metric: str) -> dict[str, Callable[[], object]]:
    """What a run computes only to say how sure its figures are, by name."""
    from sklearn.dummy import DummyClassifier

    from student_perf.evaluation.cross_validation import CVResult, cross_validate
    from student_perf.experiment.compute import Outcome
    from student_perf.inspection.calibration import calibration_p, reliability_of
    from student_perf.inspection.findings import Findings
    from student_perf.inspection.subgroups import subgroup_table

    dataset, split = case.dataset, case.split
    result = cross_validate(case.pipeline, dataset, split, train_scores=True)
    baseline = cross_validate(DummyClassifier(), dataset, split)

    def anew(known: CVResult) -> CVResult:
        return CVResult(**{k: v for k, v in vars(known).items() if k in CVResult.__annotations__})

    def outcome() -> Outcome:
        none: Any = None
        return Outcome(anew(result), anew(baseline), Findings(metric), none, none)

    known = result.answers
    return {
        "the table: intervals, gains": lambda: outcome().rows,
        "the table: chance": lambda: [chance_of(result, name) for name in result.fold_scores],
        "groups": lambda: subgroup_table(dataset, anew(result), ["male", "mothcoll"], metric, 20),
        "calibration": lambda: (
            reliability_of(known),
            calibration_p(known.y_true, known.output, result.row),
        ),
        "a trial": lambda: anew(result).estimate(metric),
    }


def chance_of(result: Any, name: str) -> float:
    """That of one metric, which the first part holds too."""
    from student_perf.scoring.chance import chance_p
    from student_perf.scoring.metrics import METRICS

    return chance_p(METRICS[name], result.answers, result.row, result.fold)


def importance(case: Prepared, metric: str, by_rows: bool) -> None:
    """Permutation importance with or without influences."""
    from student_perf.evaluation.cross_validation import answers_for, cross_validate
    from student_perf.inspection.importance import PermutationImportance
    from student_perf.scoring.influence import RowScores
    from student_perf.scoring.metrics import METRICS

    measured = PermutationImportance(case.dataset, metric, 5, 0)
    import numpy as np

    def score(rows: np.ndarray, output: np.ndarray) -> RowScores:
        value = METRICS[metric].of(answers_for(case.dataset, rows, output))
        return RowScores(value, rows, np.zeros(len(rows)))

    with mock.patch.object(measured, "_by_row", measured._by_row if by_rows else score):
        cross_validate(case.pipeline, case.dataset, case.split, on_fitted=measured.add_fold)


def whole_run(model: str, repeats: int) -> float:
    """Milliseconds of processor time of the command, with everything that it starts."""
    command = [sys.executable, "-m", "student_perf.train", f"model={model}"]
    with tempfile.TemporaryDirectory() as workspace:
        environment = os.environ | {"STUDENT_PERF_WORKSPACE": workspace}
        run_measured([command], environment)  # makes the store
        times = [run_measured([command], environment).cpu for _ in range(repeats)]
    return 1000 * statistics.median(times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--models", nargs="+", default=["logreg", "xgb"])
    chosen = parser.parse_args()
    print(f"ms of processor time, medians of {chosen.repeats}, load {os.getloadavg()[0]:.1f}")
    for model in chosen.models:
        case, metric = prepared(model, ["dataset=econmath"]), "accuracy"
        found = {
            name: median_cpu(part, chosen.repeats) for name, part in parts_of(case, metric).items()
        }
        sides = [
            median_cpu(partial(importance, case, metric, by_rows), chosen.repeats)
            for by_rows in (True, False)
        ]
        found["importance"] = sides[0] - sides[1]
        in_a_run = ("the table: intervals, gains", "groups", "calibration", "importance")
        run = whole_run(model, chosen.repeats)
        added = sum(found[name] for name in in_a_run)
        for name, ms in found.items():
            print(f"{model:<8}{name:<30}{ms:>8.1f}")
        print(f"{model:<8}{'a run':<30}{run:>8.0f}{added / run:>8.1%} of it", flush=True)


if __name__ == "__main__":
    main()
