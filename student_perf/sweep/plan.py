"""What a sweep is going to do, settled and checked before its first trial."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from threadpoolctl import threadpool_limits

from student_perf import __version__
from student_perf.config.load import follow_task
from student_perf.config.names import safe_name
from student_perf.config.schema import WITHOUT_EFFECT, ExperimentConfig
from student_perf.config.search_path import config_options, find_config
from student_perf.config.trusted import trusted_sources
from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError, suggest
from student_perf.evaluation.undefined import refuse_undefined
from student_perf.experiment.prepare import PreparedData, build_pipeline
from student_perf.masking import masked
from student_perf.paths import PACKAGE_DIR
from student_perf.scoring.objectives import Objectives, make_objectives
from student_perf.sweep.compose import TrialComposer
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.options import SweepOptions, check_options
from student_perf.sweep.space import Space, parse_space

JOURNAL_FILE = "study.journal"
# What the fingerprint of a parameter holds besides its data, so that studies keep their names.
_NO_VALUES = {"choices": (), "low": 0, "high": 0, "step": None, "log": False}
_NO_PART_OF_THE_STUDY = (
    "n_trials",
    "n_jobs",
    "timeout",
    "trial_timeout",
    "trial_memory",
    "resume",
    "storage_wait",
    "preview",
    "max_failure_rate",
    "keep_models",
    "register",
)


@dataclass(frozen=True)
class SweepPlan:
    """Everything a worker needs; picklable."""

    folder: Path
    study_name: str
    storage: str
    options: SweepOptions
    sampler: str
    n_trials: int
    seed: int
    composer: TrialComposer = field(compare=False)
    space: Space
    base: ExperimentConfig
    objectives: Objectives
    fingerprints: dict[str, Any]

    @property
    def is_grid(self) -> bool:
        """Whether every combination runs once."""
        return self.sampler == "grid"


def make_plan(
    options: SweepOptions,
    arguments: Sequence[Override],
    is_group: Callable[[str], bool],
    load_search: Callable[[str], Mapping[str, Any]],
    root: Path,
) -> tuple[SweepPlan, TrialEvaluator]:
    """Parse the space, compose and check all its corners, load the data.

    Returns:
        The plan, and an evaluator that has loaded the data, for workers to inherit.

    Raises:
        StudentPerfError: A trial could not even start.
    """
    check_options(options)
    composer = fixed_composer(arguments)
    base = composer.compose({})
    if added := follow_task(base, [_as_text(one) for one in arguments]):
        arguments = [*arguments, *OverridesParser.create().parse_overrides(added)]
        composer = fixed_composer(arguments)
        base = composer.compose({})
    known = _known_values(base)
    space = parse_space(options.params, options.conditional, arguments, load_search, known)
    groups = frozenset(
        p.key for p in space.parameters if p.key[0] in "+~" or "@" in p.key or is_group(p.key)
    )
    _check_words(options, arguments, base, space, known)
    sampler = options.sampler or ("grid" if _lists_its_values(options, space) else "tpe")
    evaluator, composer = TrialEvaluator(), composer.varying(groups)
    data = _check_corners(space, composer, evaluator)
    objectives = _objectives(options, base, data)
    fingerprints = _fingerprints(space, base, data, options, sampler, objectives)
    study_name = options.study_name or make_study_name(base, arguments, fingerprints["space"])
    plan = SweepPlan(
        folder=root / study_name,
        study_name=study_name,
        storage=options.storage or str(root / study_name / JOURNAL_FILE),
        options=options,
        sampler=sampler,
        n_trials=_n_trials(options, space, sampler),
        seed=base.seed if options.seed is None else options.seed,
        composer=composer,
        space=space,
        base=base,
        objectives=objectives,
        fingerprints=fingerprints,
    )
    return plan, evaluator


def _objectives(options: SweepOptions, base: ExperimentConfig, data: PreparedData) -> Objectives:
    """Raises ConfigError for a metric that the task does not have, DataError for one that some
    fold leaves undefined.
    """
    task, metric, dataset = base.dataset.task, base.objective.metric, data.dataset
    also, limits = options.objectives, options.constraints
    objectives = make_objectives(task, metric, also, limits, dataset.ordered)
    refuse_undefined(data.gaps, also, dataset, "hydra.sweeper.objectives")
    refuse_undefined(data.gaps, limits, dataset, "hydra.sweeper.constraints")
    return objectives


def fixed_composer(arguments: Sequence[Override]) -> TrialComposer:
    """Composer of what the overrides that do not sweep fix for all trials."""
    return TrialComposer([_as_text(o) for o in arguments if not o.is_sweep_override()])


def _check_words(
    options: SweepOptions,
    arguments: Sequence[Override],
    base: ExperimentConfig,
    space: Space,
    known: Mapping[str, Any],
) -> None:
    """Raise ConfigError if options and overrides contradict each other."""
    _check_direction(options, base)
    _check_search(arguments, base)
    for values in options.enqueue:
        _check_enqueued(space, known, values)


def _check_direction(options: SweepOptions, base: ExperimentConfig) -> None:
    """Raise ConfigError for a direction that is not the objective's."""
    if options.direction not in (None, base.objective.direction):
        raise ConfigError(
            f"hydra.sweeper.direction={options.direction}: {base.objective.metric} is to "
            f"{base.objective.direction}; leave the direction out, it follows from the objective"
        )


def _check_search(arguments: Sequence[Override], base: ExperimentConfig) -> None:
    """Raise ConfigError if a file in `conf/search` has the space of another model than the one that
    is chosen, unless the space varies the model itself.
    """
    name = next((o.value() for o in arguments if o.key_or_group == "search"), None)
    if not isinstance(name, str) or name not in config_options("search"):
        return
    content: Any = OmegaConf.to_container(OmegaConf.load(find_config(name, "search")))
    chosen = [d["override /model"] for d in content.get("defaults", []) if "override /model" in d]
    model = base.model.get("name")
    if chosen and "model" not in _space_of(content).get("params", {}) and model not in chosen:
        raise ConfigError(
            f"search={name}: is the space of model={chosen[0]}, not of model={model}; leave out "
            f"model={model}, or choose its own space if there is one: search={model}"
        )


def _check_enqueued(space: Space, known: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Raise ConfigError for a value that the space could not draw beside the others."""
    for key, value in values.items():
        here = [p for p in space.parameters if p.key == key]
        applying = [p for p in here if p.applies({**known, **values})]
        if not any(p.contains(value) for p in applying):
            space_of_key = " or ".join(p.describe() for p in applying) or (
                "it is not swept with these values" if here else "it is not swept"
            )
            raise ConfigError(
                f"hydra.sweeper.enqueue: {key}={value} is outside the space ({space_of_key}); "
                "correct the value or widen the space"
            )


def _check_corners(
    space: Space, composer: TrialComposer, evaluator: TrialEvaluator
) -> PreparedData:
    """Compose every corner of the space and build its estimator without fitting it.

    Raises ConfigError for a key that does not exist, a value that the estimator refuses, or a
    parameter that changes nothing. Returns the rows of the first corner.
    """
    first: PreparedData | None = None
    seen: dict[str, set[str]] = {}
    # Workers are forked later: an OpenMP pool started here would let them wait forever.
    with threadpool_limits(1):
        for values in space.corners():
            config = composer.compose(values)
            data = evaluator.data(config)
            build_pipeline(config, data.dataset)
            first = first or data
            for key in values:
                seen.setdefault(key, set()).add(config.sha256)
    for parameter in space.parameters:
        if len(parameter.corners) > 1 and len(seen.get(parameter.key, ())) == 1:
            raise ConfigError(
                f"{parameter.key}={parameter.describe()}: changes nothing in the composed config; "
                "correct the key or take it out of the sweep"
            )
    assert first is not None
    return first


def default_values(plan: SweepPlan) -> dict[str, Any]:
    """The base config's own value of each parameter that applies to it."""
    known = _known_values(plan.base)
    applying = [p for p in plan.space.parameters if p.applies(known)]
    return {p.key: known[p.key] for p in applying if p.key in known}


def iter_rows(plan: SweepPlan) -> Iterator[tuple[str, str, str]]:
    """Key, values and default of each parameter, for the preview."""
    defaults = default_values(plan)
    for parameter in plan.space.parameters:
        default = defaults.get(parameter.key)
        yield parameter.name, parameter.describe(), "" if default is None else str(default)


def _as_text(override: Override) -> str:
    return override.input_line or f"{override.get_key_element()}={override.get_value_string()}"


def _known_values(config: ExperimentConfig) -> dict[str, Any]:
    """Every value by its path, and under each group the name of its chosen option: what conditions
    and defaults compare to.
    """
    groups = {k: v for k, v in config.composed.items() if isinstance(v, Mapping) and "name" in v}
    names = {group: node["name"] for group, node in groups.items()}
    return dict(iter_leaves(config.composed)) | names


def _lists_its_values(options: SweepOptions, space: Space) -> bool:
    """Whether a grid is meant: Hydra users expect it of plain choices and ranges, while params of a
    file are searched.
    """
    searched = bool(options.params or options.conditional or options.custom_search_space)
    return space.is_finite and not searched and options.n_trials is None


def _n_trials(options: SweepOptions, space: Space, sampler: str) -> int:
    if sampler == "grid":
        size = sum(1 for _ in space.grid())
        return min(size, options.n_trials or size)
    if not space.parameters and not options.custom_search_space:
        raise ConfigError(
            "hydra.sweeper.params={}: there is nothing to search; sweep a key, for example "
            "model.C=tag(log,interval(0.01,10)), or choose a space: search=xgb"
        )
    return options.n_trials or 50


def make_study_name(base: ExperimentConfig, arguments: Sequence[Override], space: Any) -> str:
    """A name that the same command gives again, whatever it says of tags, tracking, report and how
    many trials run how; `space` is the fingerprint of what it searches.
    """
    words = [safe_name(str(word)) for word in (base.dataset.name, base.model.get("name"))]
    skipped = tuple(f"hydra.sweeper.{name}" for name in _NO_PART_OF_THE_STUDY)
    said = sorted(
        _as_text(override)
        for override in arguments
        if (key := override.get_key_element()) not in skipped
        and key.lstrip("+~").split(".")[0] not in WITHOUT_EFFECT
    )
    text = json.dumps([said, space])
    return f"{'-'.join(words)}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _fingerprints(
    space: Space,
    base: ExperimentConfig,
    data: PreparedData,
    options: SweepOptions,
    sampler: str,
    objectives: Objectives,
) -> dict[str, Any]:
    """What must stay the same for a study to be continued, as text that shows a difference."""
    described: dict[str, Any] = {
        parameter.name: f"{parameter.describe()} [{_hash(_NO_VALUES | parameter.data())[:6]}]"
        for parameter in space.parameters
    }
    if options.custom_search_space:
        described["custom_search_space"] = options.custom_search_space
    swept = {parameter.key for parameter in space.parameters}
    rest = {
        path: str(value)
        for path, value in iter_leaves(base.composed)
        if path.split(".")[0] not in WITHOUT_EFFECT and path not in swept
    }
    seed = "" if options.seed is None else f" seed {options.seed}"
    return {
        "space": described,
        "data": data.dataset.sha256[:16],
        "split": data.split.sha256[:16],
        "objective": objectives.describe(),
        "config": {path: masked(value) for path, value in rest.items()},
        "sampler": f"{sampler} {json.dumps(options.sampler_options, sort_keys=True)}{seed}",
        "pruner": f"{options.pruner} {json.dumps(options.pruner_options, sort_keys=True)}",
        "code": _code_sha256(),
    }


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _code_sha256() -> str:
    """Hash of the package's version and source files, and those of the user's own modules."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(PACKAGE_DIR.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE_DIR).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    for path in trusted_sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def load_search(name: str) -> dict[str, Any]:
    """`params` and `conditional` of a file in `conf/search`. Raises ConfigError if missing."""
    options = config_options("search")
    if name not in options:
        raise ConfigError(
            f"hydra.sweeper.conditional.search={name}: there is no conf/search/{name}.yaml; "
            f"{suggest(name, options)}"
        )
    node: Any = OmegaConf.to_container(OmegaConf.load(find_config(name, "search")))
    return _space_of(node)


def _space_of(search: Mapping[str, Any]) -> dict[str, Any]:
    """What a search file says of the sweep; a user's file may leave all of it out."""
    sweeper: dict[str, Any] = (search.get("hydra") or {}).get("sweeper") or {}
    return sweeper
