"""The config of a recorded run, rebuilt without trusting the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from student_perf.config.load import validate_plain
from student_perf.config.recorded import every_leaf, resolved_only
from student_perf.config.schema import ExperimentConfig
from student_perf.errors import ConfigError
from student_perf.models.build import build_estimator
from student_perf.models.libraries import allowed_prefixes
from student_perf.models.preprocess import build_steps


def rebuild_config(composed: Mapping[str, Any], data: str | None = None) -> ExperimentConfig:
    """The valid config of a record, with tracking and additional findings switched off.

    The record may come from a stranger: every `_target_` must be on the allow-list, and nothing is
    interpolated, which could read this machine's environment. Its cache folder is replaced by this
    workspace's, and `data` stands for a file that is elsewhere here. Raises ConfigError.
    """
    for path, value in every_leaf(composed):
        _check_target(path, value)
    resolved = resolved_only(composed)
    dataset = dict(resolved.get("dataset") or {})
    if data is not None:
        if "path" not in dataset:
            raise ConfigError(f"--data {data}: the run's dataset comes from no file; leave it out")
        dataset["path"] = data
    if dataset.get("path") is not None and "content_sha256" in dataset:
        # A changed file is to be read, so that its columns can be compared with the record's.
        dataset["content_sha256"] = None
    config = validate_plain({**resolved, "dataset": dataset})
    build_estimator(config.model, config.dataset.task)
    build_steps(config.preprocess)
    return replace(
        config,
        tracking=replace(config.tracking, enabled=False),
        report=replace(config.report, importance=False, learning_curve=False),
    )


def _check_target(path: str, value: Any) -> None:
    is_target = path.rpartition(".")[2] == "_target_"
    if is_target and not (isinstance(value, str) and value.startswith(allowed_prefixes())):
        raise ConfigError(
            f"{path}={value}: only classes below {', '.join(allowed_prefixes())} "
            "may be named; this record is refused"
        )
