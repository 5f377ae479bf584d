"""Nested cross-validation: what a model *plus its tuning* is worth.

Each outer fold has its own sweep, which sees only inner folds of that fold's training part. Its
winner, refitted on the whole training part, is scored once on the outer validation part. The best
score of a sweep is chosen among many and so too good; the outer scores are not (Varma and Simon
2006, BMC Bioinformatics 7:91).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from student_perf.config.schema import ExperimentConfig, NestedSplit
from student_perf.errors import ConfigError
from student_perf.evaluation.cross_validation import CVResult, result_of
from student_perf.experiment.prepare import PreparedData, prepare_data
from student_perf.experiment.records import cv_metrics, make_record, make_summary
from student_perf.masking import logging_to
from student_perf.runs import tags
from student_perf.runs.artifacts import finish_trial, write_inputs
from student_perf.runs.layout import LOG_FILE, METRICS_FILE, TEST_PREDICTIONS_FILE
from student_perf.runs.predictions import load_predictions
from student_perf.runs.record import RunRecord, load_record, write_json
from student_perf.scoring.metrics import FIT_SECONDS, METRICS, logged_as
from student_perf.store.excerpt import excerpt_of
from student_perf.store.publisher import try_publish
from student_perf.sweep.options import SweepOptions
from student_perf.sweep.plan import Base, make_study_name, sought
from student_perf.terminal import Terminal, make_console, make_table, words
from student_perf.text import format_number

RunSweep = Callable[[SweepOptions, Sequence[Override]], Path | None]


def run_nested(
    options: SweepOptions,
    arguments: Sequence[Override],
    start: Base,
    run_sweep: RunSweep,
) -> Path | None:
    """Sweep each outer fold, then write and publish the nested result; returns its folder.

    `start` is what the sweeps start from. The same command continues after a stop, since
    each fold's sweep does. None for a preview, which shows the sweep of the first fold. Raises
    StudentPerfError.
    """
    base = start.config
    assert isinstance(base.split, NestedSplit)
    swept = next((p for p in start.parameters if p.path == "split.outer_fold"), None)
    if swept is not None:
        raise ConfigError(
            f"split.outer_fold={swept.describe()}: split=nested goes through all outer folds by "
            "itself; leave it out, or run one of them: split.outer_fold=0"
        )
    searched = ["nested", sought(start.parameters, options)]
    name = options.study_name or make_study_name(base, arguments, searched)
    console = make_console()
    winners = []
    for number in range(base.split.n_splits):
        heading = f"\nOuter fold {number + 1} of {base.split.n_splits}"
        console.print(heading, style="bold")
        chosen = OverridesParser.create().parse_override(f"split.outer_fold={number}")
        winner = run_sweep(
            replace(options, study_name=f"{name}-fold{number}"), [*arguments, chosen]
        )
        if options.preview:
            return None
        if winner is None:
            raise ConfigError(
                f"{name}: no trial of outer fold {number} has finished; give the sweep more time "
                "with hydra.sweeper.timeout, or fewer models"
            )
        winners.append(winner)
    return _conclude(base, options, winners[0].parent.with_name(name), winners, console)


def _conclude(
    base: ExperimentConfig,
    options: SweepOptions,
    folder: Path,
    winners: Sequence[Path],
    console: Console,
) -> Path:
    """Join the winners' answers for their outer folds into one record."""
    data = prepare_data(base)
    records = [load_record(winner) for winner in winners]
    outputs = [_outer_output(data, number, winner) for number, winner in enumerate(winners)]
    seconds = sum(record.number(FIT_SECONDS.key) for record in records)
    result = result_of(data.dataset, data.split, outputs, seconds)
    folder.mkdir(exist_ok=True)
    metric = base.objective.metric
    inner = np.array([record.mean(metric) for record in records])
    record = _record(base, options, data, folder, winners, result, inner)
    write_inputs(folder, base, data.dataset, data.contract)
    rows = {name: asdict(estimate) for name, estimate in result.estimates.items()}
    summary = make_summary(base, result, rows) | {"best_inner_scores": inner.tolist()}
    write_json(folder / METRICS_FILE, summary)
    finish_trial(record, data.dataset, result)
    _show(console, base, records, result, inner)
    with logging_to(folder / LOG_FILE):
        pending = try_publish(record, base.tracking, excerpt_of(data.dataset))
    Terminal().pending(pending, folder)
    console.print(Text.assemble("\n  ", ("folder", "dim"), f"   {folder}"), soft_wrap=True)
    return folder


def _outer_output(data: PreparedData, number: int, winner: Path) -> np.ndarray:
    """What a winner answered for its outer fold's validation rows."""
    answered = load_predictions(load_record(winner).file(TEST_PREDICTIONS_FILE))
    if not np.array_equal(answered.row, data.split.folds[number].validation):
        raise ConfigError(
            f"split=nested: the winner of outer fold {number} was scored on other rows; keys of "
            "split and dataset cannot be swept in nested cross-validation"
        )
    return answered.output


def _record(
    base: ExperimentConfig,
    options: SweepOptions,
    data: PreparedData,
    folder: Path,
    winners: Sequence[Path],
    result: CVResult,
    inner: np.ndarray,
) -> RunRecord:
    record = make_record(base, folder, data, kind="nested")
    record.name = folder.name
    record.tags[tags.STUDY] = folder.name
    record.params["sweep.timeout"] = str(options.timeout)
    record.params["sweep.n_trials"] = str(options.n_trials)
    for number, winner in enumerate(winners):
        record.params[f"outer_fold_{number}.study"] = winner.parent.name
        best = load_record(winner)
        record.params[f"outer_fold_{number}.trial"] = str(best.trial_number)
        record.params[f"outer_fold_{number}.model"] = best.model
    metric = base.objective.metric
    estimate = result.estimates[metric]
    record.metrics = cv_metrics(result)
    record.metrics |= {
        logged_as(metric, "low"): estimate.low,
        logged_as(metric, "high"): estimate.high,
        f"inner_{metric}": inner.tolist(),
        f"inner_{metric}_mean": float(inner.mean()),
    }
    return record


def _show(
    console: Console,
    base: ExperimentConfig,
    records: Sequence[RunRecord],
    result: CVResult,
    inner: np.ndarray,
) -> None:
    """Each outer fold's winner, and the inner score that chose it beside the outer one."""
    metric = base.objective.metric
    label, outer = METRICS[metric].label, result.fold_scores[metric]
    rows = [
        (
            str(number + 1),
            f"{record.model}, trial {record.trial_number}",
            format_number(float(inner[number])),
            format_number(float(outer[number])),
        )
        for number, record in enumerate(records)
    ]
    table = make_table(["  outer fold", words("winner"), "inner", "outer"], rows)
    estimate = result.estimates[metric]
    interval = METRICS[metric].interval(estimate.mean, estimate.low, estimate.high)
    console.print(f"\nNested cross-validation, {label}", style="bold")
    console.print(table)
    console.print(
        Padding(
            f"Model plus tuning: {label} {format_number(estimate.mean)}, standard deviation "
            f"{format_number(estimate.std)}, 95 % interval "
            f"{interval}. The best inner scores, "
            f"{format_number(float(inner.mean()))} on average, were chosen among many and are not "
            "an estimate.",
            (1, 2, 0, 2),
        )
    )
