"""The config of a recorded run, rebuilt without trusting the record."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import yaml

from student_perf.config.load import validate_plain
from student_perf.config.recorded import every_leaf, resolved_only
from student_perf.config.schema import WITHOUT_EFFECT, ExperimentConfig
from student_perf.errors import ConfigError
from student_perf.masking import MASK, learn_secrets
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
    if missing := hidden_keys(composed):
        raise ConfigError(
            f"{missing[0]}: was a secret, which no record keeps; give it again: "
            f"reproduce RUN {missing[0]}=VALUE"
        )
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


def hidden_keys(composed: Mapping[str, Any]) -> list[str]:
    """Dotted keys of a record that decide its result and were masked."""
    return [
        path
        for path, value in every_leaf(composed)
        if MASK in str(value) and path.split(".")[0] not in WITHOUT_EFFECT
    ]


def with_secrets(composed: Mapping[str, Any], words: Sequence[str]) -> dict[str, Any]:
    """A record's config with what it had to hide, given again as `KEY=VALUE`.

    Raises ConfigError for any other word, and for a key that is not hidden.
    """
    whole, hidden = copy.deepcopy(dict(composed)), hidden_keys(composed)
    for word in words:
        path, is_pair, value = word.partition("=")
        if not is_pair or path not in hidden:
            there = f"hidden are {', '.join(hidden)}" if hidden else "this record hides nothing"
            raise ConfigError(f"{path}: only what was a secret is given again; {there}")
        learn_secrets([(path, value), ("secret", value)])
        *parents, last = path.split(".")
        node = whole
        for name in parents:
            node = node[name]
        node[last] = yaml.safe_load(value)
    return whole


def _check_target(path: str, value: Any) -> None:
    is_target = path.rpartition(".")[2] == "_target_"
    if is_target and not (isinstance(value, str) and value.startswith(allowed_prefixes())):
        raise ConfigError(
            f"{path}={value}: only classes below {', '.join(allowed_prefixes())} "
            "may be named; this record is refused"
        )
