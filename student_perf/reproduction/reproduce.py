"""Run a recorded run again, say whether the results are the same, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq

from student_perf.config.load import validate_plain
from student_perf.config.schema import ExperimentConfig
from student_perf.data import load_dataset
from student_perf.errors import ConfigError, one_line
from student_perf.evaluation.splits import make_split
from student_perf.experiment.compute import score_test_rows
from student_perf.experiment.rebuild import rebuild_config
from student_perf.experiment.records import cv_metrics, metrics_on_test_rows
from student_perf.experiment.run import run_experiment
from student_perf.experiment.threads import limited_threads
from student_perf.paths import PROJECT_DIR
from student_perf.reproduction.differences import (
    Difference,
    compare_code,
    compare_data,
    compare_environment,
    compare_with_params,
    current_code,
    current_environment,
    data_of,
    recorded_code,
    recorded_data,
    recorded_environment,
)
from student_perf.reproduction.results import (
    TOLERANCE,
    Comparison,
    Figures,
    Sameness,
    compare_figures,
    compare_models,
    compare_predictions,
)
from student_perf.runs.artifacts import predictions_table
from student_perf.runs.layout import MODEL_FILE, PREDICTIONS_FILE
from student_perf.runs.model_file import load_model
from student_perf.runs.record import Recorded
from student_perf.store.find import refuse_nested
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.repeats import repeated_composed
from student_perf.terminal import Terminal

_INPUTS = ("config", "data")


@dataclass(frozen=True)
class Verdict:
    """What the checks found and, if the run was made again, how near the results are.

    >>> config = Difference("config", False, ["seed: 0 -> 1"])
    >>> Verdict([config]).sentence
    'different because of the config'
    >>> Verdict([config]).is_same
    False
    """

    differences: list[Difference]
    comparisons: list[Comparison] = field(default_factory=list)

    @property
    def causes(self) -> list[Difference]:
        """Parts that differ and matter: config and data always, since another input is another
        experiment; code and environment only if the results differ or were not compared.
        """
        differ = [part for part in self.differences if part.same is False]
        if self.comparisons and self.sameness is not Sameness.DIFFERENT:
            return [part for part in differ if part.part in _INPUTS]
        return differ

    @property
    def sameness(self) -> Sameness:
        """That of the result that differs most."""
        return max((one.sameness for one in self.comparisons), default=Sameness.IDENTICAL)

    @property
    def is_same(self) -> bool:
        """Whether the result, and what it was made from, are the same."""
        return not self.causes and self.sameness is not Sameness.DIFFERENT

    @property
    def sentence(self) -> str:
        """The verdict as a sentence."""
        names = ", ".join(f"the {part.part}" for part in self.causes)
        if names:
            return f"different because of {names}"
        if self.sameness is Sameness.DIFFERENT:
            return "different, although config, data, code and packages show no reason"
        if not self.comparisons:
            unknown = [part.part for part in self.differences if part.same is None]
            also = f" (not recorded: {', '.join(unknown)})" if unknown else ""
            return f"nothing differs from the record{also}; not run again"
        if self.sameness is Sameness.WITHIN_TOLERANCE:
            return f"same within tolerance ({TOLERANCE:g}, relative above 1)"
        return "identical"


def reproduce(
    run: Recorded,
    folder: Path,
    check_only: bool = False,
    data: str | None = None,
    project: Path | None = PROJECT_DIR,
) -> Verdict:
    """Check a run against its record and, unless `check_only`, run it again.

    Args:
        run: The recorded run.
        folder: Where the new run leaves its files.
        check_only: Compare without running.
        data: The data file, if it is elsewhere on this machine.
        project: The git checkout that holds the code.

    Raises:
        ChangedError: A file is not as the run left it.
        ConfigError: The record is refused.
        DataError: The data cannot be read.
    """
    refuse_nested(run.record)
    run.record.check_files()
    config = rebuild_config(run.composed, data)
    dataset = load_dataset(config.dataset)
    code = recorded_code(run)
    differences = [
        compare_with_params(run.composed, config_hash(run), run),
        compare_data(recorded_data(run), data_of(dataset)),
        compare_code(code, current_code(code.commit, project), project),
        compare_environment(recorded_environment(run), current_environment()),
    ]
    if check_only:
        return Verdict(differences)
    repeats = list(repeated_composed(run.record, run.composed))[1:]
    configs = [config, *(rebuild_config(one, data) for one in repeats)]
    figures = run_again(configs, run.record.kind, folder)
    try:
        return Verdict(differences, _compare(run, folder, figures))
    except (ValueError, TypeError) as error:  # pyarrow's errors are ValueErrors
        raise ConfigError(
            f"{run.folder}: its results cannot be read ({one_line(error)}); fetch the files again"
        ) from error


def config_hash(run: Recorded) -> str:
    """SHA-256 of the config in the record."""
    return validate_plain(run.composed).sha256


def run_again(configs: Sequence[ExperimentConfig], kind: str, folder: Path) -> Figures:
    """Evaluate as a run of this kind does, with predictions and model in `folder`; only a trial has
    several configs, its repeats.

    A winner's test rows are scored without counting a look, since the figure is known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "trial":
        return _run_trial(configs, folder)
    config = configs[0]
    figures = dict(run_experiment(config, folder, Terminal(quiet=True)).record.metrics)
    return figures | _test_figures(config, folder) if kind == "final" else figures


def _run_trial(configs: Sequence[ExperimentConfig], folder: Path) -> Figures:
    evaluator = TrialEvaluator()
    dataset = evaluator.data(*configs).dataset
    with limited_threads(dataset.n_rows):
        result = evaluator.evaluate(*configs)
    table = predictions_table(dataset, result.row, result.fold, result.output)
    pq.write_table(table, folder / PREDICTIONS_FILE)
    return cv_metrics(result, result.fold_scores)


def _test_figures(config: ExperimentConfig, folder: Path) -> dict[str, float]:
    dataset = load_dataset(config.dataset)
    rows = make_split(dataset, config.split).test
    if not len(rows):
        return {}
    model = load_model(folder / MODEL_FILE)
    return metrics_on_test_rows(score_test_rows(model, dataset, rows)[1])


def _compare(run: Recorded, folder: Path, figures: Figures) -> list[Comparison]:
    comparisons = []
    predictions, model = (run.record.file(name) for name in (PREDICTIONS_FILE, MODEL_FILE))
    if predictions.is_file():
        comparisons.append(compare_predictions(predictions, folder / PREDICTIONS_FILE))
    comparisons += compare_figures(run.record.metrics, figures)
    if model.is_file():
        comparisons.append(compare_models(model, folder / MODEL_FILE))
    return comparisons
