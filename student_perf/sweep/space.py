"""What a sweep varies: parameters in Hydra's override grammar, some under a condition.

The grammar is `choice(a,b)`, `range(lo,hi[,step])` (without `hi`), `interval(lo,hi)`,
`int(interval(lo,hi))`, and `tag(log, ...)` around each. `optuna.distributions` hold the values:

>>> from hydra.core.override_parser.overrides_parser import OverridesParser
>>> override = OverridesParser.create().parse_override("model.C=tag(log,interval(0.01,10))")
>>> parameter = parse_parameter(override)
>>> parameter.distribution
FloatDistribution(high=10.0, log=True, low=0.01, step=None)
>>> parameter.describe()
'0.01 to 10, log scale'
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hydra.core.override_parser.types import (
    FloatRange,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)
from hydra.errors import HydraException
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from student_perf.config.overrides import in_quotes, literal, make_parser, quoted
from student_perf.errors import ConfigError

if TYPE_CHECKING:
    from optuna.trial import Trial

Distribution = CategoricalDistribution | IntDistribution | FloatDistribution
Condition = tuple[str, tuple[Any, ...]]
LoadSearch = Callable[[str], Mapping[str, Any]]

_KINDS = {CategoricalDistribution: "choice", IntDistribution: "int", FloatDistribution: "float"}
SEARCH = "search"
_CONDITIONAL_KEYS = ("when", "params", SEARCH)


@dataclass(frozen=True)
class Parameter:
    """One config key and the values it may take.

    `step` is that of a range, by which a grid lists its values, from the highest if it is below 0;
    an interval has none. `when` holds pairs of a key and the values that it may have for the
    parameter to apply.
    """

    key: str
    distribution: Distribution
    step: float | None = None
    when: tuple[Condition, ...] = ()

    @property
    def name(self) -> str:
        """Name in the study: the key, with its conditions, since two branches may share a key."""
        conditions = ",".join(f"{key}={'|'.join(map(str, vs))}" for key, vs in self.when)
        return f"{self.key} ({conditions})" if conditions else self.key

    @property
    def choices(self) -> tuple[Any, ...]:
        """The values of a choice; empty for numbers."""
        return getattr(self.distribution, "choices", ())

    @property
    def corners(self) -> tuple[Any, ...]:
        """Every choice, or the lowest and the highest number."""
        if isinstance(self.distribution, CategoricalDistribution):
            return self.distribution.choices
        return self.distribution.low, self.distribution.high

    @property
    def is_finite(self) -> bool:
        """Whether a grid can hold all values."""
        return bool(self.choices) or self.step is not None

    @property
    def grid(self) -> tuple[Any, ...]:
        """Every value, in order. Raises ConfigError for an interval."""
        if self.choices:
            return self.choices
        if self.step is None:
            raise ConfigError(
                f"{self.key}={self.describe()}: a grid cannot hold all values of an interval; "
                "write choice(...) or range(...), or choose a sampler: hydra.sweeper.sampler=tpe"
            )
        low, high = self.corners
        n_steps = math.floor((high - low) / abs(self.step) + 1e-9)
        first = low if self.step > 0 else high
        return tuple(first + i * self.step for i in range(n_steps + 1))

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether all conditions hold for the values known so far."""
        return all(values.get(key) in wanted for key, wanted in self.when)

    def owns(self, key: str) -> bool:
        """Whether this parameter chooses the option that brings another key."""
        return key != self.key and key.startswith(f"{self.key}.")

    def describe(self) -> str:
        """The values as a person reads them."""
        if isinstance(self.distribution, CategoricalDistribution):
            return ", ".join(map(str, self.choices))
        low, high = self.corners
        step = abs(self.step or 1)
        steps = f" in steps of {step:g}" if step != 1 else ""
        return f"{low:g} to {high:g}{steps}{', log scale' if self.distribution.log else ''}"

    @property
    def text(self) -> str:
        """The values in Hydra's grammar, in quotes for a list or group of keys."""
        if isinstance(self.distribution, CategoricalDistribution):
            written = [v if is_written(v) else literal(v, self.key) for v in self.choices]
            return f'"{",".join(written)}"'
        low, high = self.corners
        if self.step is not None:
            text = f"range({low},{high + abs(self.step)},{abs(self.step)})"
        else:
            is_whole = isinstance(self.distribution, IntDistribution)
            text = f"int(interval({low},{high}))" if is_whole else f"interval({low},{high})"
        return f'"tag(log,{text})"' if self.distribution.log else f'"{text}"'

    def data(self) -> dict[str, Any]:
        """The parameter as plain data: key, conditions, and choices or ends, step and scale."""
        data = {"key": self.key, "when": self.when, "kind": _KINDS[type(self.distribution)]}
        data |= vars(self.distribution)
        return data if self.choices else data | {"step": self.step}

    def contains(self, value: Any) -> bool:
        """Whether a sampler could draw this value. As in Python, True and 1 are the same choice."""
        if isinstance(self.distribution, CategoricalDistribution):
            return value in self.choices
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and self.distribution._contains(value)

    def suggest(self, trial: Trial) -> Any:
        """A value drawn by the trial's sampler."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return trial.suggest_categorical(self.name, choices)
            case IntDistribution(low=low, high=high, step=step, log=log):
                return trial.suggest_int(self.name, low, high, step=step, log=log)
            case FloatDistribution(low=low, high=high, step=step, log=log):
                return trial.suggest_float(self.name, low, high, step=step, log=log)


@dataclass(frozen=True)
class Space:
    """The parameters of a sweep; those that others depend on come first.

    `known` holds the values of the composed config that conditions name.
    """

    parameters: tuple[Parameter, ...]
    known: Mapping[str, Any]

    @property
    def is_conditional(self) -> bool:
        """Whether a drawn value decides which other parameters there are."""
        drawn = {parameter.key for parameter in self.parameters}
        return any(key in drawn for p in self.parameters for key, _ in p.when)

    @property
    def is_finite(self) -> bool:
        """Whether a grid can hold it."""
        return all(p.is_finite for p in self.parameters)

    def suggest(self, trial: Trial, without: frozenset[str] = frozenset()) -> dict[str, Any]:
        """Config values by key, drawn by the trial's sampler; keys in `without` are left alone."""
        values: dict[str, Any] = dict(self.known)
        drawn: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.applies(values) and parameter.key not in without:
                values[parameter.key] = drawn[parameter.key] = parameter.suggest(trial)
        return drawn

    def grid(self) -> Iterator[dict[str, Any]]:
        """Every combination of values by key, the last parameter running fastest."""
        yield from self._grid(0, {})

    def _grid(self, position: int, drawn: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if position == len(self.parameters):
            yield dict(drawn)
            return
        parameter = self.parameters[position]
        if not parameter.applies({**self.known, **drawn}):
            yield from self._grid(position + 1, drawn)
            return
        for value in parameter.grid:
            yield from self._grid(position + 1, {**drawn, parameter.key: value})

    def corners(self, chosen: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Assignments that together hold every end of every parameter, each on its own, in every
        branch of conditions; a key of a group with every option of that group.

        `chosen` holds one option of each group that is drawn whatever else is.
        """
        for branch in self._branches():
            start = {**(chosen or {}), **branch}
            values = {**self.known, **start}
            here = [p for p in self.parameters if p.applies(values) and p.key not in branch]
            yield dict(start)
            for parameter in here:
                owner = next((p for p in here if p.owns(parameter.key) and p.key in start), None)
                options = [{}] if owner is None else [{owner.key: o} for o in owner.choices]
                for option, value in itertools.product(options, parameter.corners):
                    yield {**start, **option, parameter.key: value}

    def _branches(self) -> Iterator[dict[str, Any]]:
        deciding = {key for p in self.parameters for key, _ in p.when}
        choices = [p for p in self.parameters if p.key in deciding]
        for combination in itertools.product(*(p.corners for p in choices)):
            yield {p.key: value for p, value in zip(choices, combination, strict=True)}

    def names(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values by config key as values by name in the study."""
        known = {**self.known, **values}
        return {
            p.name: values[p.key] for p in self.parameters if p.key in values and p.applies(known)
        }


def parse_parameter(override: Override) -> Parameter:
    """Parameter of a sweep override. Raises ConfigError for values that cannot be swept."""
    key, value = override.get_key_element(), override.value()
    if isinstance(value, IntervalSweep):
        return _interval(key, value)
    if isinstance(value, RangeSweep):
        return _range(key, value)
    if override.is_sweep_override():
        return Parameter(key, CategoricalDistribution(tuple(_choices(override))))
    raise ConfigError(
        f"{key}={override.get_value_element_as_str()}: is one value, a space needs several; "
        "write choice(...), range(...) or interval(...)"
    )


def parse_space(
    params: Mapping[str, str],
    conditional: Sequence[Mapping[str, Any]],
    arguments: Sequence[Override],
    load_search: LoadSearch,
    known: Mapping[str, Any],
) -> Space:
    """The space of `read_parameters`, with the composed values `known` that a condition may name.
    Raises ConfigError naming the key.
    """
    return settled(read_parameters(params, conditional, arguments, load_search), known)


def read_parameters(
    params: Mapping[str, str],
    conditional: Sequence[Mapping[str, Any]],
    arguments: Sequence[Override],
    load_search: LoadSearch,
) -> list[Parameter]:
    """The parameters of `hydra.sweeper.params` and `conditional`, with what the command line swept.

    A key on the command line wins: swept there, it replaces the key's space; set there, it takes
    the key out. `load_search` gives `params` and `conditional` of a file in `conf/search`; several
    such files (`search=xgb,rf`) are branches of one space. Raises ConfigError naming the key.
    """
    swept = {o.get_key_element(): parse_parameter(o) for o in arguments if o.is_sweep_override()}
    fixed = {o.get_key_element() for o in arguments if not o.is_sweep_override()}
    overrides = {o.get_key_element(): o for o in _parsed(params)}
    of_file = [parse_parameter(o) for key, o in overrides.items() if key not in swept]
    searches = swept[SEARCH].choices if SEARCH in swept else ()
    branches = [{"when": {SEARCH: name}, SEARCH: name} for name in searches if name is not None]
    for entry in (*branches, *conditional):
        of_file += _conditional(entry, load_search)
    of_file = [p for p in of_file if p.key not in fixed and p.key not in swept]
    for key, new in swept.items():
        if key in overrides:
            of_file = list(_without_gone(of_file, new, parse_parameter(overrides[key])))
    return [*swept.values(), *of_file]


def settled(parameters: Sequence[Parameter], known: Mapping[str, Any]) -> Space:
    """The parameters whose conditions can hold, those that others depend on first."""
    _check_conditions(parameters, known)
    drawn = {p.key for p in parameters}
    # A condition on a value that is not drawn holds or not, once for all.
    possible = [p for p in parameters if _may_apply(p, drawn, known)]
    kept = [replace(p, when=tuple(c for c in p.when if c[0] in drawn)) for p in possible]
    deciding = {key for p in kept for key, _ in p.when}
    kept.sort(key=lambda p: p.key not in deciding)
    return Space(tuple(kept), {key: value for key, value in known.items() if key not in drawn})


def _without_gone(
    parameters: Sequence[Parameter], new: Parameter, old: Parameter
) -> Iterator[Parameter]:
    """The parameters, without conditions on choices of a file that the command line leaves out."""
    gone = [value for value in old.choices if value not in new.choices]
    for parameter in parameters:
        when = [
            (key, tuple(v for v in wanted if v not in gone) if key == new.key else wanted)
            for key, wanted in parameter.when
        ]
        if all(wanted for _, wanted in when):
            yield replace(parameter, when=tuple(when))


def _may_apply(parameter: Parameter, drawn: set[str], known: Mapping[str, Any]) -> bool:
    return all(key in drawn or known.get(key) in wanted for key, wanted in parameter.when)


def _conditional(entry: Mapping[str, Any], load_search: LoadSearch) -> list[Parameter]:
    for key in entry:
        if key not in _CONDITIONAL_KEYS:
            raise ConfigError(
                f"hydra.sweeper.conditional: '{key}' is not part of an entry; "
                "write {when: {key: value}, params: {...}} or {when: ..., search: name}"
            )
    when = entry.get("when")
    if not isinstance(when, Mapping) or not when:
        raise ConfigError(
            f"hydra.sweeper.conditional={dict(entry)}: has no condition; "
            "write for example when: {model: svm}"
        )
    conditions = tuple((str(key), _as_tuple(value)) for key, value in when.items())
    loaded = load_search(str(entry[SEARCH])) if SEARCH in entry else {}
    params = {**(loaded.get("params") or {}), **(entry.get("params") or {})}
    parameters = [parse_parameter(o) for o in _parsed(params)]
    for inner in loaded.get("conditional") or []:
        parameters += _conditional(inner, load_search)
    return [replace(p, when=conditions + p.when) for p in parameters]


def _as_tuple(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _check_conditions(parameters: Sequence[Parameter], known: Mapping[str, Any]) -> None:
    drawn = {p.key: p for p in parameters}
    for key, wanted in (condition for p in parameters for condition in p.when):
        if key not in drawn:
            if key not in known:
                raise ConfigError(
                    f"hydra.sweeper.conditional: the condition on '{key}' names neither a swept "
                    "key nor one of the config; correct the key"
                )
            continue
        choices = drawn[key].choices
        if not choices:
            raise ConfigError(
                f"hydra.sweeper.conditional: '{key}' is a range; a condition can only ask for a "
                "choice(...)"
            )
        for value in wanted:
            if value not in choices:
                raise ConfigError(
                    f"hydra.sweeper.conditional: {key}={value} is never drawn "
                    f"({drawn[key].describe()}); add it to the choices or drop the entry"
                )


def _parsed(params: Mapping[str, str]) -> list[Override]:
    parser = make_parser()
    overrides = []
    for key, value in params.items():
        try:
            overrides.append(parser.parse_override(quoted(f"{key}={value}")))
        except HydraException as error:
            raise ConfigError(
                f"hydra.sweeper.params.{key}={value}: does not follow the override grammar; "
                "write choice(...), range(...), interval(...) or tag(log, ...)"
            ) from error
    return overrides


def _interval(key: str, value: IntervalSweep) -> Parameter:
    assert value.start is not None
    assert value.end is not None
    low, high = value.start, value.end
    if not low < high:
        raise ConfigError(f"{key}=interval({low},{high}): is empty; the lower bound comes first")
    log = _is_log(key, value, low)
    # Hydra gives whole bounds only for int(interval(..)).
    if isinstance(low, int) and isinstance(high, int):
        return Parameter(key, IntDistribution(low, high, log=log), step=None if log else 1)
    return Parameter(key, FloatDistribution(low, high, log=log))


def _range(key: str, value: RangeSweep) -> Parameter:
    values = list(value.range())
    if not values:
        raise ConfigError(
            f"{key}=range({value.start},{value.stop}): is empty; it runs up to the value before "
            "the second"
        )
    low, high, step = min(values), max(values), abs(value.step)
    log = _is_log(key, value, low)
    distribution: Distribution
    if isinstance(value.range(), FloatRange):
        distribution = FloatDistribution(low, high, log=log, step=None if log else step)
    else:
        distribution = IntDistribution(int(low), int(high), log=log, step=1 if log else int(step))
    return Parameter(key, distribution, value.step if len(values) > 1 else step)


def _is_log(key: str, value: IntervalSweep | RangeSweep, low: float) -> bool:
    """Whether values lie evenly on a logarithmic scale. Raises ConfigError below its start."""
    if "log" in value.tags and low <= 0:
        raise ConfigError(
            f"{key}: a logarithmic scale cannot start at {low:g}; start above 0, for example at "
            "0.001"
        )
    return "log" in value.tags


def is_written(value: Any) -> bool:
    """Whether a value is kept as the text of its override: Optuna takes scalars only."""
    return isinstance(value, str) and value[:1] in ("[", "{", "'")


def _choices(override: Override) -> Iterator[Any]:
    for value in override.sweep_iterator():
        plain = value.text if isinstance(value, QuotedString) else value
        if isinstance(plain, str):
            yield in_quotes(plain) if is_written(plain) else plain
        elif plain is None or isinstance(plain, bool | int | float):
            yield plain
        else:
            yield Override._get_value_element_as_str(plain)
