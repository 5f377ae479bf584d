"""The options of a sweep, `hydra.sweeper.*`, checked one by one before anything is composed."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from student_perf.config.explain import ELSEWHERE
from student_perf.config.names import check_folder_name
from student_perf.config.typed import iter_leaves, shown, typed_node
from student_perf.errors import ConfigError, one_line, suggest
from student_perf.sweep.samplers import HALVING, check_sampler, read_node

PRUNERS = ("none", "median", "percentile", "hyperband", "wilcoxon", HALVING)
RESUME = ("auto", "force", "never", "records")
MEMORY_FILE = Path("/proc/self/statm")  # where Linux says what a process takes
_UNITS = {"M": 10**6, "G": 10**9}
_SECONDS = ("timeout", "trial_timeout")
_ENTRIES = {  # lists of mappings, with what one looks like
    "enqueue": "{model.max_depth: 3}",
    "conditional": '{when: {model: rf}, params: {model.n_estimators: "50,100"}}',
}
_MAPPINGS = ("sampler_options", "pruner_options", "params", "constraints")


@dataclass(frozen=True)
class SweepOptions:
    """`hydra.sweeper.*`; see conf/hydra/sweeper/student_perf.yaml for what each means."""

    sampler: str | None
    sampler_options: dict[str, Any]
    pruner: str
    pruner_options: dict[str, Any]
    direction: Any
    storage: str | None
    study_name: str | None
    n_trials: int | None
    n_jobs: int
    timeout: float | None
    trial_timeout: float | None
    trial_memory: str | None
    max_failure_rate: float
    resume: str
    seed: int | None
    preview: bool
    params: dict[str, Any]
    conditional: list[Any] = field(default_factory=list)
    enqueue: list[Any] = field(default_factory=list)
    objectives: list[Any] = field(default_factory=list)
    constraints: dict[str, Any] = field(default_factory=dict)
    custom_search_space: str | None = None
    repeats: int = 1
    keep_models: int = 1
    register: str | None = None
    storage_wait: float = 120.0
    patience: int | None = None
    zip: list[Any] = field(default_factory=list)
    detach: bool = False


def make_options(node: Mapping[str, Any]) -> SweepOptions:
    """Options from the node `hydra.sweeper`. Raises ConfigError naming the key."""
    # Hydra refuses `name={key: value}` for an empty mapping, so in the file these are null.
    filled = {name: node[name] or {} for name in _MAPPINGS if name in node}
    # Hydra makes groups of `+hydra.sweeper.params.model.C=...`.
    filled["params"] = dict(iter_leaves(filled.get("params", {})))
    sampler, chosen = read_node(node.get("sampler"))
    chosen |= filled.get("sampler_options", {})
    filled |= {"sampler": sampler, "sampler_options": chosen}
    # Each worker draws a seed of its own from this one, or all would try the same values.
    seed = chosen.pop("seed", None)
    if seed is not None:
        if node.get("seed") not in (None, seed):
            raise ConfigError(
                f"hydra.sweeper.seed={node['seed']}: the sampler's node says {seed}; leave out one"
            )
        filled["seed"] = seed
    _refuse_elsewhere(node)
    _check_seconds(node)
    return typed_node(SweepOptions, {**node, **filled}, "hydra.sweeper")


def _check_seconds(node: Mapping[str, Any]) -> None:
    """Raise ConfigError for a duration that is not positive."""
    for name in _SECONDS:
        value = node.get(name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and 0 < value < math.inf):
            raise ConfigError(
                f"hydra.sweeper.{name}={shown(value)}: must be a number of seconds above 0; write "
                f"for example hydra.sweeper.{name}=600, or null for no limit"
            )


def _refuse_elsewhere(node: Mapping[str, Any]) -> None:
    """Raise ConfigError for an option of Hydra's own sweepers that goes by another name here."""
    for name, instead in ELSEWHERE.items():
        value = node.get(name)
        if value is None:
            continue
        if name == "search_space" and isinstance(value, Mapping):
            words = " ".join(f"'{key}={_grammar(space)}'" for key, space in value.items())
            instead = f"is written in Hydra's override grammar here; leave it out and type {words}"
        raise ConfigError(f"hydra.sweeper.{name}={shown(value)}: {instead}")


def _grammar(space: Any) -> str:
    """A space as old releases of the official plugin wrote it, in Hydra's override grammar."""
    if not isinstance(space, Mapping):
        return str(space)
    if "choices" in space:
        return f"choice({','.join(map(str, space['choices']))})"
    low, high, step = space.get("low"), space.get("high"), space.get("step")
    if step is not None:
        text = f"range({low},{high + step},{step})"
    else:
        text = f"interval({low},{high})"
        text = f"int({text})" if space.get("type") == "int" else text
    return f"tag(log,{text})" if space.get("log") else text


def check_options(options: SweepOptions) -> None:
    """Raise ConfigError for a value outside its range, naming the nearest choice."""
    several = bool(options.objectives or options.constraints)
    check_sampler(options.sampler, options.sampler_options, several)
    for name, choices in (("pruner", PRUNERS), ("resume", RESUME)):
        value = getattr(options, name)
        if value not in choices:
            raise ConfigError(
                f"hydra.sweeper.{name}={value}: must be one of {', '.join(choices)}; "
                f"{suggest(str(value), choices)}"
            )
    _check_names(options)
    lowest_of = {"n_trials": 1, "n_jobs": 1, "seed": 0, "keep_models": 1}
    lowest_of |= {"storage_wait": 0, "patience": 1, "repeats": 1}
    for name, lowest in lowest_of.items():
        value = getattr(options, name)
        if value is not None and not value >= lowest:  # nor NaN
            raise ConfigError(f"hydra.sweeper.{name}={value}: must be {lowest} or more")
    _check_single_best(options)
    if options.zip and options.sampler not in (None, "grid"):
        raise ConfigError(
            f"hydra.sweeper.sampler={options.sampler}: cannot draw values that go together; leave "
            "it out, so that hydra.sweeper.zip runs as a grid"
        )
    _check_trial_limits(options)
    _check_entries(options)
    if options.custom_search_space:
        load_function(options.custom_search_space)
    if not 0 <= options.max_failure_rate <= 1:
        raise ConfigError(
            f"hydra.sweeper.max_failure_rate={options.max_failure_rate}: must be a share of the "
            "trials from 0 to 1; give 0 to stop at the first failure, 1 never to stop"
        )


def _check_single_best(options: SweepOptions) -> None:
    """Raise ConfigError for what several objectives leave without meaning."""
    if options.objectives and options.pruner != "none":
        raise ConfigError(
            f"hydra.sweeper.pruner={options.pruner}: no pruner can judge several objectives; "
            "leave it out"
        )
    if options.constraints and options.pruner == HALVING:
        raise ConfigError(
            f"hydra.sweeper.pruner={HALVING}: whether a trial keeps the constraints is not known "
            "before it has run on all rows, so one that breaks them could stop others; leave the "
            "pruner out"
        )
    if options.objectives and options.patience is not None:
        raise ConfigError(
            f"hydra.sweeper.patience={options.patience}: needs a single best, and several "
            "objectives have none; leave it out, or give a hydra.sweeper.timeout"
        )


def _check_entries(options: SweepOptions) -> None:
    """Raise ConfigError for a list with something else than mappings in it."""
    for name, example in _ENTRIES.items():
        for entry in getattr(options, name):
            if not isinstance(entry, Mapping):
                raise ConfigError(
                    f"hydra.sweeper.{name}={shown(entry)}: must map keys to values; write "
                    f"'hydra.sweeper.{name}=[{example}]'"
                )


def _check_names(options: SweepOptions) -> None:
    for name in ("study_name", "register"):
        value = getattr(options, name)
        if value is not None:
            check_folder_name(f"hydra.sweeper.{name}", str(value))


def memory_bytes(options: SweepOptions) -> float:
    """The memory that a worker may take; without a limit infinite. Raises ConfigError."""
    given = options.trial_memory
    if given is None:
        return math.inf
    found = re.fullmatch(r"([0-9]+\.?[0-9]*) ?([MG])B", given, re.IGNORECASE)
    size = float(found[1]) * _UNITS[found[2].upper()] if found else 0
    if not size:
        raise ConfigError(
            f"hydra.sweeper.trial_memory={given}: must be a size in MB or GB; write it like "
            "hydra.sweeper.trial_memory=4GB"
        )
    return size


def _check_trial_limits(options: SweepOptions) -> None:
    if math.isfinite(memory_bytes(options)) and not MEMORY_FILE.exists():
        raise ConfigError(
            f"hydra.sweeper.trial_memory={options.trial_memory}: needs /proc, which this system "
            "does not have; leave it out"
        )


def load_function(path: str) -> Callable[[Any, Any], None]:
    """The function at `module.name`. Raises ConfigError if it cannot be imported."""
    module, _, name = path.rpartition(".")
    try:
        function: Callable[[Any, Any], None] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(
            f"hydra.sweeper.custom_search_space={path}: cannot be imported ({one_line(error)}); "
            "give module.function, importable from here"
        ) from error
    return function
