"""The whole look at a table: columns, copies, findings of the checks, what it can answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from student_perf.config.explain import explain_composition_error
from student_perf.config.load import compose_config, register_resolvers, serving_task, validate
from student_perf.config.overrides import accepted
from student_perf.config.schema import DatasetConfig, ExperimentConfig, GuardsConfig
from student_perf.config.search_path import standard_source
from student_perf.data.cleaning import after_steps
from student_perf.data.columns import column_roles
from student_perf.data.dataset import Dataset, Survey, load_dataset, survey
from student_perf.data.target import refuse_spellings
from student_perf.errors import DataError
from student_perf.evaluation.guards import label_noise_limit
from student_perf.evaluation.registry import Finding
from student_perf.experiment.prepare import PreparedData, look_once, prepare_data
from student_perf.profile.answers import Answers, expected_answers
from student_perf.profile.columns import ColumnFacts, column_facts
from student_perf.profile.named import named_table

# A table without a target is read as if it had one of classes; nothing looks for it.
_NO_TARGET = ("dataset.target=''", "dataset.task=classification", "dataset.classes=null")


@dataclass(frozen=True)
class DataReport:
    """What is to be said of a table.

    Attributes:
        target: Name of the target, empty without one.
        n_copies: Rows whose features repeat an earlier row.
        n_contradictory: Rows with the features, but not the target, of another row.
        noise_limit: What these leave to any model: accuracy at most, or RMSE at least.
        problems: Why a run would stop, one line each with the fix.
        answers: None if a run would stop, or there is no target.
    """

    name: str
    read_as: str
    n_rows: int
    target: str
    target_counts: dict[str, int]
    n_copies: int
    n_contradictory: int
    noise_limit: float | None
    columns: list[ColumnFacts]
    findings: list[Finding]
    problems: list[str]
    notes: list[str]
    answers: Answers | None
    seen: Survey
    dataset: Dataset | None
    config: ExperimentConfig

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data, without the rows."""
        left_out = ("seen", "dataset", "config", "columns", "findings", "answers")
        plain = {key: value for key, value in vars(self).items() if key not in left_out}
        return plain | {
            "columns": [asdict(one) for one in self.columns],
            "findings": [asdict(one) for one in self.findings],
            "answers": asdict(self.answers) if self.answers else None,
        }


def make_report(table: str, overrides: Sequence[str] = ()) -> DataReport:
    """Look at a file or at a dataset of `conf/dataset`.

    Args:
        table: Path of a file, or name of a dataset.
        overrides: As on the command line of a run: `dataset.target=grade`.

    Raises:
        ConfigError: There is no such file or dataset, or an override is wrong.
        DataError: The table cannot be read.
    """
    config = _config(table, overrides)
    seen = survey(config.dataset)
    target = config.dataset.target
    wanted = column_roles(seen.columns, config.dataset).features if target else list(seen.columns)
    refused = {name: line for name, line in seen.refused.items() if name in wanted}
    dataset, problems = None, list(refused.values())
    if target:
        dataset, config = _load(config, seen, list(refused), problems)
    data = _prepared(config, dataset, problems) if dataset is not None else None
    development = None if data is None else data.split.development
    rows = np.arange(0 if dataset is None else dataset.n_rows) if data is None else development
    assert rows is not None
    copies, contradictory, limit = _copies(seen, dataset)
    return DataReport(
        name=table,
        read_as=seen.read_as.describe() if seen.read_as is not None else "",
        n_rows=len(seen.columns),
        target=target,
        target_counts=_counts(dataset),
        n_copies=copies,
        n_contradictory=contradictory,
        noise_limit=limit,
        columns=column_facts(seen, target, dataset, rows),
        findings=[] if data is None else data.warnings,
        problems=problems,
        notes=_unsaid(seen.notes, problems, [] if data is None else data.warnings),
        answers=None if data is None else expected_answers(config, data),
        seen=seen,
        dataset=dataset,
        config=config,
    )


def _config(table: str, overrides: Sequence[str]) -> ExperimentConfig:
    words = [*named_table(table), *map(accepted, overrides)]
    is_file = Path(table).expanduser().is_file()
    if is_file and not any(word.startswith("dataset.target=") for word in words):
        words += _NO_TARGET
    register_resolvers()
    try:
        config = validate(compose_config(words))
        return serving_task(config, words, standard_source())
    except Exception as error:
        raise explain_composition_error(error, words) from error


def _load(
    config: ExperimentConfig, seen: Survey, refused: list[str], problems: list[str]
) -> tuple[Dataset | None, ExperimentConfig]:
    """The rows as a run has them, without what it would stop at; why it would is added."""
    declared, target = config.dataset, config.dataset.target
    if target in seen.columns and (n := int(seen.columns[target].isna().sum())):
        fix = after_steps("'dataset.clean=[normalise_text,drop_missing_target]'", declared.clean)
        if "drop_missing_target" not in declared.clean:
            rows = f"{n} row has" if n == 1 else f"{n} rows have"
            problems.append(f"column '{target}': {rows} no target; leave out such rows: {fix}")
        declared = replace(declared, clean=[*declared.clean, "drop_missing_target"])
    declared = replace(declared, drop=[*declared.drop, *refused])
    config = replace(config, dataset=declared)
    try:
        return load_dataset(_spelled_apart(declared, seen, problems)), config
    except DataError as error:
        problems.append(str(error))
        return None, config


def _spelled_apart(declared: DatasetConfig, seen: Survey, problems: list[str]) -> DatasetConfig:
    """The config with every spelling of a class as one of its own, if a run would stop at them;
    that it would is added.
    """
    target = seen.columns.get(declared.target)
    is_open = declared.task == "classification" and not (declared.classes or declared.bands)
    if target is None or not is_open or target.dtype == np.float64:
        return declared
    try:
        refuse_spellings(target)
    except DataError as error:
        problems.append(str(error))
        return replace(declared, classes=sorted(target.dropna().unique()), ordered=False)
    return declared


def _prepared(
    config: ExperimentConfig, dataset: Dataset, problems: list[str]
) -> PreparedData | None:
    """The rows divided and checked; what would stop a run is added to the problems."""
    levels = config.guards.levels
    told = {code: "warn" if level == "error" else level for code, level in levels.items()}
    config = replace(config, guards=GuardsConfig(told))
    try:
        data = prepare_data(config, dataset)
        found = [*data.warnings, *look_once(config, data)]
    except DataError as error:
        problems.append(str(error))
        return None
    problems += [str(one) for one in found if levels[one.code] == "error"]
    return replace(data, warnings=[one for one in found if levels[one.code] != "error"])


def _unsaid(notes: Sequence[str], problems: list[str], findings: list[Finding]) -> list[str]:
    """The notes that no problem and no finding repeats."""
    said = {finding.text for finding in findings} | {line.partition(": ")[2] for line in problems}
    return [note for note in notes if note not in said]


def _counts(dataset: Dataset | None) -> dict[str, int]:
    """Rows of each class; empty for numbers."""
    if dataset is None or not dataset.classes:
        return {}
    counts = np.bincount(dataset.target, minlength=len(dataset.classes))
    return {str(label): int(n) for label, n in zip(dataset.classes, counts, strict=True)}


def _copies(seen: Survey, dataset: Dataset | None) -> tuple[int, int, float | None]:
    """Rows that repeat others, rows that contradict others, and what these leave to a model."""
    if dataset is None:
        return int(seen.columns.duplicated().sum()), 0, None
    groups = dataset.duplicate_groups
    copies = len(groups) - int(groups.max()) - 1
    pairs = np.unique(np.column_stack([groups, dataset.target]), axis=0)
    contradictory = np.flatnonzero(np.bincount(pairs[:, 0].astype(int)) > 1)
    return copies, int(np.isin(groups, contradictory).sum()), label_noise_limit(dataset)
