"""What a sweep is going to do, settled and checked before its first trial."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf
from threadpoolctl import threadpool_limits

from student_perf.config.load import follow_task
from student_perf.config.names import safe_name
from student_perf.config.schema import WITHOUT_EFFECT, ExperimentConfig
from student_perf.config.search_path import ConfigSource, config_options, find_config
from student_perf.config.typed import iter_leaves, shown
from student_perf.errors import ConfigError, suggest
from student_perf.evaluation.undefined import refuse_undefined
from student_perf.experiment.prepare import PreparedData
from student_perf.masking import masked
from student_perf.runs.versions import code_sha256
from student_perf.scoring.objectives import Objectives, make_objectives
from student_perf.sweep.comparable import (
    Comparison,
    Corners,
    check_comparison,
    check_no_outer_folds,
)
from student_perf.sweep.compose import TrialComposer
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.options import SweepOptions, check_options
from student_perf.sweep.read_space import SEARCH, read_parameters, settled
from student_perf.sweep.repeats import composed_repeats
from student_perf.sweep.rungs import check_rungs, n_rungs, rung_sizes
from student_perf.sweep.samplers import AUTO, SAMPLERS, build_pruner, choose_sampler
from student_perf.sweep.space import Parameter, Space
from student_perf.sweep.storage import check_no_tracking_store
from student_perf.sweep.value_types import with_exact_conditions, with_value_types

_MOST_TRIED = 30  # combinations of varied options, for one that composes
JOURNAL_FILE = "study.journal"
FILES = "files"  # the fingerprint of what models answer from beside the rows
# What the fingerprint of a parameter holds besides its data, so that studies keep their names.
_NO_VALUES = {"choices": (), "low": 0, "high": 0, "step": None, "log": False}
_N_TRIALS = 50  # of a search whose options name no number
_NO_PART_OF_THE_STUDY = (
    "n_trials",
    "patience",
    "n_jobs",
    "detach",
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
    chosen: dict[str, Any]  # what `base` has of the varied options and values
    known: dict[str, Any]  # its values by key
    objectives: Objectives
    fingerprints: dict[str, Any]
    comparison: Comparison = field(default_factory=Comparison)
    words: tuple[str, ...] = ()  # the overrides as they were given
    rungs: tuple[int, ...] = ()  # of halving: training rows of each sample and of the whole fold

    def configs(self, values: Mapping[str, Any], number: int = 0) -> tuple[ExperimentConfig, ...]:
        """The configs by which trial `number` with these values is judged: one for each repeat."""
        return composed_repeats(self.composer, values, self.options.repeats, number)

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
    source: ConfigSource | None = None,
) -> tuple[SweepPlan, TrialEvaluator]:
    """Parse the space, compose and check all its corners, load the data. Raises StudentPerfError if
    a trial could not even start.

    Returns:
        The plan, and an evaluator that has loaded the data, for workers to inherit.
    """
    check_options(options)
    words = tuple(map(_as_text, arguments))
    arguments, start = find_base(options, arguments, is_group, load_search, source)
    base, known = start.config, start.known
    space = _space(start, options)
    _check_words(options, arguments, base, space, known, start.composer.source.folders())
    sampler = _chosen_sampler(options, arguments, space)
    evaluator, data, comparison = _check_corners(space, start, options, sampler)
    objectives = _objectives(options, base, data)
    name = options.study_name or make_study_name(base, arguments, sought(space.parameters, options))
    plan = SweepPlan(
        folder=root / name,
        study_name=name,
        storage=options.storage or str(root / name / JOURNAL_FILE),
        options=options,
        sampler=sampler,
        n_trials=0,
        seed=base.seed if options.seed is None else options.seed,
        composer=start.composer,
        space=space,
        base=base,
        chosen=start.chosen,
        known=known,
        objectives=objectives,
        fingerprints=_fingerprints(space.parameters, base, data, options, sampler, objectives)
        | of_files(evaluator.model_files),
        comparison=comparison,
        words=words,
        rungs=_checked_rungs(options, base, evaluator),
    )
    return with_total(plan, _n_outside(plan)), evaluator


def _space(start: Base, options: SweepOptions) -> Space:
    """What is swept beside the config that the sweep starts from."""
    composer, chosen, known = start.composer, start.chosen, start.known
    space = settled(with_exact_conditions(start.parameters, composer, chosen, known), known)
    return with_value_types(space, composer, chosen, known, options.enqueue)


def find_base(
    options: SweepOptions,
    arguments: Sequence[Override],
    is_group: Callable[[str], bool],
    load_search: Callable[[str], Mapping[str, Any]],
    source: ConfigSource | None = None,
) -> tuple[Sequence[Override], Base]:
    """The base of the sweep, and the overrides it is made from: the last of each key, with the
    model that follows from the task if none was named. Raises ConfigError.
    """
    arguments = _last_of_each(arguments)
    start = _composed_base(options, arguments, is_group, load_search, source)
    if not any(p.key == "model" for p in start.parameters) and (
        added := follow_task(start.config, [_as_text(one) for one in arguments])
    ):
        arguments = [*arguments, *OverridesParser.create().parse_overrides(added)]
        start = _composed_base(options, arguments, is_group, load_search, source)
    return arguments, start


def _n_outside(plan: SweepPlan) -> int:
    """How many references there are: the defaults, if they lie outside a space that is searched."""
    return int(not plan.is_grid and bool(plan.space.outside(default_values(plan))))


@dataclass(frozen=True)
class Base:
    """The config that a sweep starts from, and what it was composed with.

    Attributes:
        config: Of the first options that the sweep varies, or of its own ones if they are varied.
        chosen: These options, by group, and a varied value of each key that has no default.
        known: Every value of the config by its path, and the chosen option of each group.
        parameters: What the sweep varies, conditions that cannot hold included.
        composer: Composes the trials.
    """

    config: ExperimentConfig
    chosen: dict[str, Any]
    known: dict[str, Any]
    parameters: list[Parameter]
    composer: TrialComposer


def _composed_base(
    options: SweepOptions,
    arguments: Sequence[Override],
    is_group: Callable[[str], bool],
    load_search: Callable[[str], Mapping[str, Any]],
    source: ConfigSource | None = None,
) -> Base:
    """Compose the config of a sweep with options that it varies, since without them it may be one
    that nobody asked for, and not even valid. Raises ConfigError.
    """
    parameters = read_parameters(
        options.params, options.conditional, arguments, load_search, options.zip
    )
    groups = {p.key for p in parameters if "@" in p.key or is_group(p.key)}
    signed = {p.key for p in parameters if p.key[0] in "+~"}
    fixed = [_as_text(o) for o in arguments if not o.is_sweep_override()]
    composer = TrialComposer(fixed, frozenset(groups | signed), source)
    own = composer.options()
    drawn = [p for p in parameters if p.key in groups and p.choices and not p.when]
    ordered = [[*(c for c in p.choices if c == own.get(p.key)), *p.choices] for p in drawn]
    refused: ConfigError | None = None
    for combination in itertools.islice(itertools.product(*ordered), _MOST_TRIED):
        chosen = {p.key: option for p, option in zip(drawn, combination, strict=True)}
        try:
            missing = composer.missing(chosen)
            chosen |= {p.key: p.corners[0] for p in parameters if p.key in missing and not p.when}
            config = composer.compose(chosen)
        except ConfigError as error:
            refused = refused or error
            continue
        known = _known_values(config) | own | chosen
        return Base(config, chosen, known, parameters, composer)
    assert refused is not None
    raise refused


def _checked_rungs(
    options: SweepOptions, base: ExperimentConfig, evaluator: TrialEvaluator
) -> tuple[int, ...]:
    """Sizes of the rungs of halving. Raises ConfigError if there are too few rows for them."""
    n = n_rungs(options)
    if not n:
        return ()
    data, rungs = evaluator.data(base), evaluator.rungs(base, n)
    check_rungs(data, rungs)
    return rung_sizes(data, rungs)


def _objectives(options: SweepOptions, base: ExperimentConfig, data: PreparedData) -> Objectives:
    """Raises ConfigError for a metric that the task does not have, DataError for one that some
    fold leaves undefined.
    """
    dataset, also, limits = data.dataset, options.objectives, options.constraints
    objectives = make_objectives(base.objective.metric, also, limits, dataset.metrics)
    _check_direction(options, objectives)
    refuse_undefined(data.gaps, also, dataset, "hydra.sweeper.objectives")
    refuse_undefined(data.gaps, limits, dataset, "hydra.sweeper.constraints")
    _check_direction(options, objectives)
    return objectives


def _check_words(
    options: SweepOptions,
    arguments: Sequence[Override],
    base: ExperimentConfig,
    space: Space,
    known: Mapping[str, Any],
    folders: Sequence[Path],
) -> None:
    """Raise ConfigError if options and overrides contradict each other."""
    check_no_tracking_store(options.storage, base.tracking)
    _check_search(arguments, base, folders)
    for values in options.enqueue:
        _check_enqueued(space, known, values)


def _check_direction(options: SweepOptions, objectives: Objectives) -> None:
    """Raise ConfigError for a direction, or a list of them, that is not the objectives'."""
    given = options.direction
    if given is None:
        return
    several = given if isinstance(given, list) else [given]
    if isinstance(given, list) and len(given) > len(objectives.metrics):
        raise ConfigError(
            f"hydra.sweeper.direction={shown(given)}: there is one objective, "
            f"{objectives.metrics[0]}; name the others, for example "
            "'hydra.sweeper.objectives=[fit_seconds]'"
        )
    if several != objectives.directions[: len(several)]:
        aims = ", ".join(
            f"{name} is to {direction}"
            for name, direction in zip(objectives.metrics, objectives.directions, strict=True)
        )
        raise ConfigError(
            f"hydra.sweeper.direction={shown(given)}: {aims}; leave the direction out, it follows "
            "from the objective"
        )


def _check_search(
    arguments: Sequence[Override], base: ExperimentConfig, folders: Sequence[Path]
) -> None:
    """Raise ConfigError if a file in `conf/search` has the space of another model than the one that
    is chosen, unless the space varies the model itself.
    """
    search = next((o for o in arguments if o.key_or_group == SEARCH), None)
    named = [o for o in arguments if o.key_or_group == "model"]
    if search is not None and search.is_sweep_override() and named:
        raise ConfigError(
            f"{named[0].input_line}: each file of {search.input_line} chooses its own model; leave "
            f"out {named[0].input_line}"
        )
    name = None if search is None else search.value()
    options = config_options(SEARCH, folders)
    if not isinstance(name, str) or name not in options:
        return
    content: Any = OmegaConf.to_container(OmegaConf.load(find_config(name, SEARCH, folders)))
    chosen = [d["override /model"] for d in content.get("defaults", []) if "override /model" in d]
    model, space = base.model.get("name"), _space_of(content)
    if named and list(space.get("params", {})) == ["model"] and not space.get("conditional"):
        _refuse_named(name, named[0], options)
    if chosen and "model" not in space.get("params", {}) and model not in chosen:
        raise ConfigError(
            f"search={name}: is the space of model={chosen[0]}, not of model={model}; leave out "
            f"model={model}, or choose its own space if there is one: search={model}"
        )


def _refuse_named(search: str, named: Override, options: Sequence[str]) -> None:
    """Raise ConfigError if a model is named beside a file that varies nothing but the model."""
    if named.is_sweep_override():
        return
    model, word = str(named.value()), named.input_line
    other = f"run it without search={search}"
    if model in options and model != search:
        other = f"choose its own space: search={model}"
    raise ConfigError(
        f"{word}: search={search} varies nothing but the model; leave out {word}, or {other}"
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


def _check_owners(space: Space, start: Base) -> None:
    """Raise ConfigError for a key that only some of the varied options of its group have."""
    groups = {key: p for p in space.parameters for key in start.chosen if p.key == key}
    for parameter in space.parameters:
        owner = next((group for group in groups.values() if group.owns(parameter.key)), None)
        if owner is None or owner.key in dict(parameter.when):
            continue
        has = [
            option
            for option in owner.choices
            if parameter.key in start.composer.keys({**start.chosen, owner.key: option})
        ]
        if has and len(has) < len(owner.choices):
            raise ConfigError(_not_of_all(parameter, owner, has))


def _not_of_all(parameter: Parameter, owner: Parameter, has: Sequence[Any]) -> str:
    lacking = ", ".join(f"{owner.key}={o}" for o in owner.choices if o not in has)
    alone = has[0] if len(has) == 1 else f"[{','.join(map(str, has))}]"
    entry = f"{{when: {{{owner.key}: {alone}}}, params: {{{parameter.key}: {parameter.text}}}}}"
    return (
        f"{parameter.key}={parameter.describe()}: {lacking} has no such key; leave it out, or "
        f"search the key where it is: 'hydra.sweeper.conditional=[{entry}]'"
    )


def _check_corners(
    space: Space, start: Base, options: SweepOptions, sampler: str
) -> tuple[TrialEvaluator, PreparedData, Comparison]:
    """Compose every corner of the space and build its estimator without fitting it.

    Raises ConfigError for a key that does not exist, a value that the estimator refuses, or a
    parameter that changes nothing. Returns an evaluator that has loaded the rows, those of the
    first corner, and why there may be no best trial.
    """
    _check_owners(space, start)
    evaluator, corners = TrialEvaluator(n_workers=options.n_jobs), Corners(space)
    first: PreparedData | None = None
    seen: dict[str, set[str]] = {}
    # Workers are forked later: an OpenMP pool started here would let them wait forever.
    with threadpool_limits(1):
        for values in space.corners(start.chosen):
            config, *repeats = composed_repeats(start.composer, values, options.repeats)
            check_no_outer_folds(config, space)
            data = evaluator.data(config, *repeats)
            evaluator.build(config, data)
            first = first or data
            corners.add(values, config, data)
            for key in values:
                seen.setdefault(key, set()).add(json.dumps(config.composed, default=str))
    for parameter in space.parameters:
        if len(parameter.corners) > 1 and len(seen.get(parameter.key, ())) == 1:
            raise ConfigError(
                f"{parameter.key}={parameter.describe()}: changes nothing in the composed config; "
                "correct the key or take it out of the sweep"
            )
    assert first is not None
    comparison = corners.compared()
    check_comparison(comparison, options, space, sampler, first.split.kind == "nested")
    return evaluator, first, comparison


def default_values(plan: SweepPlan) -> dict[str, Any]:
    """The base config's own value of each parameter that applies to it."""
    applying = [p for p in plan.space.parameters if p.applies(plan.known)]
    return {p.key: plan.known[p.path] for p in applying if p.path in plan.known}


def with_conditions(plan: SweepPlan, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by key, and those of the base config on which they depend and that they leave open."""
    known = {**plan.known, **values}
    here = [p for p in plan.space.parameters if p.key in values and p.applies(known)]
    return {k: known[k] for p in here for k, _ in p.when if k in known} | dict(values)


def iter_rows(plan: SweepPlan) -> Iterator[tuple[str, str, str]]:
    """Key, values and default of each parameter, for the preview."""
    for parameter in plan.space.parameters:
        default = plan.known.get(parameter.path) if parameter.applies(plan.known) else None
        yield parameter.name, parameter.describe(), "" if default is None else str(default)


def _chosen_sampler(options: SweepOptions, arguments: Sequence[Override], space: Space) -> str:
    """The sampler that is asked for, without one the grid or by a rule. Raises ConfigError for
    options that it or the pruner does not have.
    """
    name = options.sampler
    if name in (None, AUTO):
        name = "tpe" if name is None else choose_sampler(space.is_conditional)
        name = "grid" if _lists_its_values(options, space) else name
    _check_something_varies(options, arguments, space, name)
    if name != "grid":
        SAMPLERS[name].build(options.sampler_options)
    build_pruner(options.pruner, options.pruner_options)
    return name


def _last_of_each(arguments: Sequence[Override]) -> list[Override]:
    """As with Hydra's own sweeper the last override of a key counts, in the place of the first."""
    return list({o.get_key_element(): o for o in arguments}.values())


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
    if options.zip:
        return True
    searches = any(p.key == SEARCH for p in space.parameters)
    of_file = options.params or options.conditional or options.custom_search_space
    searched = bool(of_file or searches)
    return space.is_finite and not searched and options.n_trials is None


def with_total(plan: SweepPlan, n_outside: int) -> SweepPlan:
    """The plan with the number of trials that there are to be in all: no more than the space has
    configurations, besides those trials that lie outside of it.
    """
    if plan.is_grid:
        default, size = math.inf, float(sum(1 for _ in plan.space.grid()))
    else:
        default = _N_TRIALS
        size = math.inf if plan.options.custom_search_space else plan.space.size
    asked = plan.options.n_trials or default
    return replace(plan, n_trials=int(min(asked, size + n_outside)))


def exhausted(plan: SweepPlan) -> str | None:
    """That the space has fewer configurations than trials were asked for; None if it has more."""
    asked, size = plan.options.n_trials or 0, plan.space.size
    if plan.is_grid or plan.n_trials >= asked:
        return None
    return (
        f"the space has {size:g} configurations, fewer than hydra.sweeper.n_trials={asked}; each "
        "runs once."
    )


def _check_something_varies(
    options: SweepOptions, arguments: Sequence[Override], space: Space, sampler: str
) -> None:
    """Raise ConfigError if a search has nothing to draw, or the command line has settled all that a
    file is to vary.
    """
    if space.parameters or options.custom_search_space:
        return
    for override in arguments:
        key = override.get_key_element()
        if options.params.get(key) is not None:
            raise ConfigError(
                f"{override.input_line}: the command line wins over hydra.sweeper.params.{key}, "
                f"which leaves nothing to search; leave out {override.input_line}"
            )
    if sampler != "grid":
        raise ConfigError(
            "hydra.sweeper.params={}: there is nothing to search; sweep a key, for example "
            "model.C=tag(log,interval(0.01,10)), or choose a space: search=xgb"
        )


def _described(parameters: Sequence[Parameter], options: SweepOptions) -> dict[str, Any]:
    described: dict[str, Any] = {
        parameter.name: f"{parameter.describe()} [{_hash(_NO_VALUES | parameter.data())[:6]}]"
        for parameter in parameters
    }
    if options.custom_search_space:
        described["custom_search_space"] = options.custom_search_space
    return described


def sought(parameters: Sequence[Parameter], options: SweepOptions) -> Any:
    """What names a study besides the overrides, among which there are none of Hydra's own."""
    space = _described(parameters, options)
    return space if options.repeats == 1 else [space, options.repeats]


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
    parameters: Sequence[Parameter],
    base: ExperimentConfig,
    data: PreparedData,
    options: SweepOptions,
    sampler: str,
    objectives: Objectives,
) -> dict[str, Any]:
    """What must stay the same for a study to be continued, as text that shows a difference."""
    swept = {parameter.key for parameter in parameters}
    rest = {
        path: str(value)
        for path, value in iter_leaves(base.composed)
        if path.split(".")[0] not in WITHOUT_EFFECT and path not in swept
    }
    seed = "" if options.seed is None else f" seed {options.seed}"
    return {
        "space": _described(parameters, options),
        "data": data.dataset.sha256[:16],
        "split": data.split.sha256[:16],
        "objective": objectives.describe(),
        "repeats": str(options.repeats),
        "config": {path: masked(value) for path, value in rest.items()},
        "sampler": f"{sampler} {json.dumps(options.sampler_options, sort_keys=True)}{seed}",
        "pruner": f"{options.pruner} {json.dumps(options.pruner_options, sort_keys=True)}",
        "code": code_sha256(),
    }


def of_files(files: Mapping[Path, str]) -> dict[str, Any]:
    """The fingerprint of files that models answer from, with their SHA-256 (empty for one that is
    absent); none without any.
    """
    known = {
        str(file): f"SHA-256 {sha256[:16]}" if sha256 else "not there"
        for file, sha256 in files.items()
    }
    return {FILES: known} if known else {}


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def load_search(name: str, folders: Sequence[Path] | None = None) -> dict[str, Any]:
    """`params` and `conditional` of a file in `conf/search`, or in the folder `search` of one of
    these. Raises ConfigError if missing.
    """
    options = config_options(SEARCH, folders)
    if name not in options:
        raise ConfigError(
            f"hydra.sweeper.conditional.search={name}: there is no conf/search/{name}.yaml; "
            f"{suggest(name, options)}"
        )
    node: Any = OmegaConf.to_container(OmegaConf.load(find_config(name, SEARCH, folders)))
    return _space_of(node)


def _space_of(search: Mapping[str, Any]) -> dict[str, Any]:
    """What a search file says of the sweep; a user's file may leave all of it out."""
    sweeper: dict[str, Any] = (search.get("hydra") or {}).get("sweeper") or {}
    return sweeper
