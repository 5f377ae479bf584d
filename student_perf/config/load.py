"""The composed config: its resolvers, and its typed form.

Hydra composes plain YAML; `validate` turns it into frozen dataclasses once, so no other module
handles raw config. `models.components` checks the parameters of models and preprocessing against
the estimators.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import InterpolationResolutionError, MissingMandatoryValue

from student_perf.atomic import explain_disk_error
from student_perf.config.model_node import model_node
from student_perf.config.names import LONGEST_NAME, check_label, check_tag
from student_perf.config.rules import (
    check_dataset,
    check_objective,
    check_report,
    check_seed,
    check_split,
    declared_by_each_other,
    make_guards,
)
from student_perf.config.schema import (
    GROUPS,
    GUESSED_FROM,
    SOURCES,
    SPLITS,
    ExperimentConfig,
    ObjectiveConfig,
    ReportConfig,
    TrackingConfig,
)
from student_perf.config.search_path import ConfigSource, standard_source, without_hydra
from student_perf.config.trusted import import_trusted
from student_perf.config.typed import check_keys, iter_leaves, mapping_at, typed_node, variant
from student_perf.errors import ConfigError, StudentPerfError
from student_perf.locks import ForkSafeLock
from student_perf.masking import learn_secrets
from student_perf.paths import workspace
from student_perf.scoring.metrics import METRICS, default_metric, metric_direction
from student_perf.text import in_nfc

_CHOOSES_MODEL = re.compile(r"\+?(model|search|experiment)\b")
_resolving = ForkSafeLock()  # Hydra's node is one for the whole process
_ROOT_KEYS = ("seed", "tags", "guards", "report", *GROUPS[:-2])


def register_resolvers() -> None:
    """Register `${workspace:}`, `${unique:}`, `${chosen:}`, `${guessed:}`, `${default_metric:}` and
    `${metric_direction:}`; the last two know the metrics of the user's own modules too.
    """
    import_trusted()
    OmegaConf.register_new_resolver("workspace", lambda: str(workspace()), replace=True)
    # Cached, so it is the same name everywhere in one composed config.
    OmegaConf.register_new_resolver(
        "unique", lambda: secrets.token_hex(4), replace=True, use_cache=True
    )
    OmegaConf.register_new_resolver("chosen", _chosen, replace=True)
    OmegaConf.register_new_resolver("default_metric", default_metric, replace=True)
    OmegaConf.register_new_resolver("guessed", _guessed, replace=True)
    OmegaConf.register_new_resolver("metric_direction", metric_direction, replace=True)


def _chosen(group: str, default: str, _root_: Any) -> str:
    """The option of a group that was chosen, by the name of its file; `default` where Hydra's node
    is nowhere, as after Hydra's own `compose`.
    """
    node: Any = _root_ if "hydra" in _root_ else HydraConfig.instance().cfg
    chosen = node.hydra.runtime.choices.get(group) if node is not None else None
    return str(chosen or default).rpartition("/")[2]


def _guessed(group: str, key: str, _root_: Any) -> Any:
    """What the file of a dataset shows about a key that nobody has named."""
    from student_perf.tables.guess import guess  # pandas, which only such datasets need here

    node = _root_[group]
    raw = OmegaConf.to_container(node, resolve=False)
    assert isinstance(raw, dict)
    named = [str(k) for k, value in raw.items() if not str(value).startswith("${guessed:")]
    known = {name: _plain_value(node[name]) for name in named if name in GUESSED_FROM}
    return guess(known, key, measures=_measured_task(_root_))


def _measured_task(root: Any) -> str | None:
    """The task that the metric measures which somebody has named; None if it follows the task."""
    objective = OmegaConf.to_container(root.get("objective") or OmegaConf.create(), resolve=False)
    assert isinstance(objective, dict)
    metric = METRICS.get(str(objective.get("metric")))
    return metric.task if metric is not None else None


def _plain_value(value: Any) -> Any:
    return OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value


def validate(cfg: DictConfig) -> ExperimentConfig:
    """Typed form of a composed config.

    Raises:
        ConfigError: With key, value, rule and fix.
    """
    return validate_resolved(_resolved(cfg))


def validate_resolved(composed: dict[str, Any]) -> ExperimentConfig:
    """Typed form of a config without interpolations. Raises ConfigError as `validate`."""
    learn_secrets(iter_leaves(composed))
    check_keys(composed, _ROOT_KEYS, "")
    composed = composed | {key: _with_column_names(composed[key]) for key in ("dataset", "split")}
    check_seed(composed["seed"])
    _check_has_source(mapping_at(composed, "dataset"))
    dataset = variant(composed, "dataset", "source", SOURCES)
    tracking = typed_node(TrackingConfig, composed["tracking"], "tracking")
    check_label("dataset.name", dataset.name, LONGEST_NAME)
    model = model_node(mapping_at(composed, "model"), dataset.task)
    composed = composed | {"model": model}
    check_label("model.name", str(model.get("name")), LONGEST_NAME)
    check_label("tracking.experiment", tracking.experiment)
    split = variant(composed, "split", "kind", SPLITS)
    guards = make_guards(mapping_at(composed, "guards"))
    if any(code in composed["guards"] for code in guards.levels):  # not in records of earlier times
        composed = composed | {"guards": guards.levels}
    objective = typed_node(ObjectiveConfig, composed["objective"], "objective")
    report = typed_node(ReportConfig, composed["report"], "report")
    check_dataset(dataset)
    check_split(split)
    dataset, split = declared_by_each_other(dataset, split)
    check_report(report)
    check_objective(objective, dataset)
    return ExperimentConfig(
        seed=composed["seed"],
        tags=_tags(composed),
        dataset=dataset,
        split=split,
        guards=guards,
        report=report,
        objective=objective,
        tracking=tracking,
        preprocess=mapping_at(composed, "preprocess"),
        model=model,
        composed=composed,
    )


def _with_column_names(node: Any) -> Any:
    """A section with its texts in NFC, as the columns of a table are, but for names of files."""
    if not isinstance(node, Mapping):
        return node
    return in_nfc(node) | {key: node[key] for key in ("path", "cache") if key in node}


def _check_has_source(node: Mapping[str, Any]) -> None:
    """Raise ConfigError for a dataset file that only names a path."""
    if "path" in node and "source" not in node:
        raise ConfigError(
            f"dataset.path={node['path']}: the dataset's file in conf/dataset says nothing of how "
            "it is read; add the line 'defaults: [csv, _self_]' at its top"
        )


def follow_task(config: ExperimentConfig, overrides: Sequence[str]) -> list[str]:
    """What to add to the overrides so that a model that nobody has chosen serves the task: the
    default one is for classes, and numbers get ridge regression.
    """
    chosen = any(_CHOOSES_MODEL.match(word) for word in overrides)
    is_default = config.model.get("name") == "logreg" and "regressor" not in config.model
    is_number = config.dataset.task == "regression"
    return ["model=ridge"] if is_default and is_number and not chosen else []


def serving_task(
    config: ExperimentConfig, overrides: Sequence[str], source: ConfigSource
) -> ExperimentConfig:
    """The config, composed again from its source with the model that follows from the task if
    nobody has chosen one. Raises ConfigError.
    """
    added = follow_task(config, overrides)
    return validate(without_hydra(source.compose([*overrides, *added]))) if added else config


def _tags(composed: dict[str, Any]) -> dict[str, str]:
    tags = {str(key): str(value) for key, value in mapping_at(composed, "tags").items()}
    for name, value in tags.items():
        check_tag(name, value)
    return tags


def compose_config(overrides: Sequence[str]) -> DictConfig:
    """The config that Hydra composes from these overrides, without Hydra's own node."""
    return without_hydra(standard_source().compose(overrides))


@contextmanager
def hydra_node(cfg: DictConfig, job: int | None = None) -> Iterator[None]:
    """A context in which `${hydra:...}` looks into the node of a config, as the job of a sweep with
    this number or as a single run.
    """
    with _resolving:
        before = HydraConfig.instance().cfg
        if job is not None:
            with read_write(cfg), open_dict(cfg):
                cfg.hydra.job.num = job
                cfg.hydra.job.id = str(job)
        HydraConfig.instance().set_config(cfg)
        try:
            yield
        finally:
            HydraConfig.instance().cfg = before


def load_node(path: Path) -> dict[str, Any]:
    """The resolved content of one file in `conf/`, without composing a whole config."""
    register_resolvers()
    node = OmegaConf.load(path)
    assert isinstance(node, DictConfig)
    return _resolved(node)


def validate_plain(composed: Mapping[str, Any]) -> ExperimentConfig:
    """Typed form of a plain config; one of a record goes through `recorded.resolved_only` first."""
    return validate(OmegaConf.create(dict(composed)))


def _unresolved(cfg: DictConfig, key: str | None) -> str:
    """The text of a key before its interpolations are resolved."""
    parent, _, last = (key or "").rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
    if not isinstance(node, DictConfig):  # a key of Hydra's own node
        return "${...}"
    return str(OmegaConf.to_container(node, resolve=False).get(last))  # type: ignore[union-attr]


def _resolved(cfg: DictConfig) -> dict[str, Any]:
    try:
        composed = OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    except MissingMandatoryValue as error:
        key = error.full_key or str(error).rsplit(maxsplit=1)[-1]
        raise ConfigError(f"{key}=???: has no default; add {key}=<value>") from error
    except InterpolationResolutionError as error:
        if missing := re.search(r"Missing mandatory value: (\S+)", str(error)):
            key = missing.group(1)
            raise ConfigError(f"{key}=???: has no default; add {key}=<value>") from error
        if own := _own_cause(error):
            raise own from error
        raise ConfigError(
            f"{error.full_key}={_unresolved(cfg, error.full_key)}: cannot be resolved "
            f"({str(error).splitlines()[0]}); name a key that exists"
        ) from error
    assert isinstance(composed, dict)
    return {str(key): value for key, value in composed.items()}


def _own_cause(error: BaseException | None) -> StudentPerfError | None:
    """The error that one of this package's resolvers raised and OmegaConf wrapped."""
    while error is not None and not isinstance(error, StudentPerfError):
        explained = explain_disk_error(error, workspace())
        error = explained or error.__cause__ or error.__context__
    return error
