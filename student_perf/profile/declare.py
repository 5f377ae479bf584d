"""A dataset file of one's own, written from what a table shows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from student_perf.atomic import write_atomic
from student_perf.config.overrides import in_yaml
from student_perf.config.schema import FileDataset
from student_perf.data.spellings import folded
from student_perf.errors import ConfigError
from student_perf.profile.report import DataReport
from student_perf.tables.guess import ordered_labels

_MOST_CATEGORIES = 20
_SAME_READING = ("separator", "decimal", "thousands", "encoding", "missing_words", "sheet")


def write_dataset(path: Path, report: DataReport) -> None:
    """Write a file of `conf/dataset` that declares what the report has seen.

    Raises:
        ConfigError: The report is not of a file with a target, or the place is taken.
    """
    if not isinstance(report.config.dataset, FileDataset) or not report.target:
        raise ConfigError(f"--write {path}: needs a file and its target; add dataset.target=COLUMN")
    if path.suffix != ".yaml":
        raise ConfigError(f"--write {path}: must end with .yaml; try conf/dataset/grades.yaml")
    if path.exists():
        raise ConfigError(f"--write {path}: exists; choose another name, or remove it")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, dataset_yaml(path.stem, report).encode())


def dataset_yaml(name: str, report: DataReport) -> str:
    """Text of the file: path, reading, target, what to leave out, categories in order, ranges."""
    config = report.config.dataset
    assert isinstance(config, FileDataset)
    read = {key: getattr(config, key) for key in _SAME_READING if getattr(config, key) is not None}
    refused = [one.name for one in report.columns if one.kind in ("refused", "date")]
    categories = _categories(report)
    classes = ordered_labels(pd.Series(categories.get(report.target, []))) or config.classes
    lines = [
        f"# python -m student_perf.train dataset={name}",
        f"# {report.n_rows} rows of {Path(config.path).name}. Say here where they come from.",
        *_lines({"defaults": ["csv", "_self_"], "name": name, "path": config.path}),
        "# How the file is written.",
        *_lines(read),
        *_lines({"target": config.target, "task": config.task}),
        *(["# Lowest first.", *_lines({"classes": classes})] if classes else []),
        *_lines({"clean": config.clean}),
        *(f"# {line}" for line in (*report.problems, *map(str, report.findings))),
        *_lines({"drop": [one for one in dict.fromkeys([*config.drop, *refused]) if one]}),
        *(_lines({"text": config.text}) if config.text else []),
        "# Name the columns whose groups are to be compared.",
        *_lines({"subgroups": config.subgroups}),
        "# Values that a column may hold, lowest first where they look like grades.",
        *_section("categories", categories),
        "# Lowest and highest value, as seen; widen them to what is possible.",
        *_section("ranges", _ranges(report)),
    ]
    return "\n".join(lines) + "\n"


def _categories(report: DataReport) -> dict[str, list[str]]:
    """The values of columns of few, each in its commonest spelling, which the others take on."""
    found = {}
    for one in report.columns:
        values = report.seen.columns[one.name].dropna()
        if one.kind == "category" and one.role != "left out" and one.n_distinct:
            spelling = {folded(v): str(v) for v in values.value_counts().index[::-1]}
            known = sorted(spelling.values())
            if len(known) <= _MOST_CATEGORIES:
                found[one.name] = list(map(str, ordered_labels(pd.Series(known)) or known))
    return found


def _ranges(report: DataReport) -> dict[str, list[float]]:
    found = {}
    for one in report.columns:
        values = report.seen.columns[one.name].dropna()
        if one.kind == "number" and one.role == "feature" and len(values):
            ends = float(values.min()), float(values.max())
            found[one.name] = [int(end) if end.is_integer() else end for end in ends]
    return found


def _section(name: str, node: Mapping[str, Any]) -> list[str]:
    return [f"{name}:", *(f"  {line}" for line in _lines(node))] if node else [f"{name}: {{}}"]


def _lines(node: Mapping[str, Any]) -> list[str]:
    """A line for each key, with its value in YAML's short form."""
    return [f"{in_yaml(key)}: {in_yaml(value)}" for key, value in node.items()]
