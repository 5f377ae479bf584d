"""What a sweep varies: parameters in Hydra's override grammar, some under a condition.

`choice(a,b)`, `range(lo,hi[,step])` (without `hi`), `interval(lo,hi)`, `int(interval(lo,hi))` and
`tag(log, ...)` around each.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import (
    ChoiceSweep,
    FloatRange,
    IntervalSweep,
    Override,
    QuotedString,
    RangeSweep,
)
from hydra.errors import HydraException

from student_perf.errors import ConfigError

if TYPE_CHECKING:
    from optuna.trial import Trial

Kind = Literal["choice", "int", "float"]
Condition = tuple[str, tuple[Any, ...]]
LoadSearch = Callable[[str], Mapping[str, Any]]

_CONDITIONAL_KEYS = ("when", "params", "search")


@dataclass(frozen=True)
class Parameter:
    """One config key and the values it may take.

    A choice has `choices`; numbers run from `low` to `high`, both included, in `step`s where one is
    set, evenly on a logarithmic scale with `log`. `when` holds pairs of a key and the values of
    which it must have one.
    """

    key: str
    kind: Kind
    choices: tuple[Any, ...] = ()
    low: float = 0
    high: float = 0
    step: float | None = None
    log: bool = False
    when: tuple[Condition, ...] = ()

    @property
    def name(self) -> str:
        """Name in the study: the key, with its conditions, since two branches may share a key."""
        conditions = ",".join(f"{key}={'|'.join(map(str, vs))}" for key, vs in self.when)
        return f"{self.key} ({conditions})" if conditions else self.key

    @property
    def corners(self) -> tuple[Any, ...]:
        """Every choice, or the lowest and the highest number."""
        return self.choices if self.kind == "choice" else (self.low, self.high)

    @property
    def grid(self) -> tuple[Any, ...]:
        """Every value, in order. Raises ConfigError for an interval, which has no end of them."""
        if self.kind == "choice":
            return self.choices
        if self.step is None:
            raise ConfigError(
                f"{self.key}={self.describe()}: a grid cannot hold all values of an interval; "
                "write choice(...) or range(...), or take a sampler: hydra.sweeper.sampler=tpe"
            )
        n_steps = math.floor((self.high - self.low) / self.step + 1e-9)
        return tuple(self.low + i * self.step for i in range(n_steps + 1))

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether all conditions hold for the values known so far."""
        return all(values.get(key) in wanted for key, wanted in self.when)

    def describe(self) -> str:
        """The values as a person reads them."""
        if self.kind == "choice":
            return ", ".join(map(str, self.choices))
        step = f" in steps of {self.step:g}" if self.step not in (None, 1) else ""
        return f"{self.low:g} to {self.high:g}{step}{', log scale' if self.log else ''}"

    def contains(self, value: Any) -> bool:
        """Whether a sampler could draw this value."""
        if self.kind == "choice":
            return value in self.choices
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not self.low <= value <= self.high:
            return False
        if self.kind == "int" and value != int(value):
            return False
        n_steps = (value - self.low) / self.step if self.step and not self.log else 0.0
        return math.isclose(n_steps, round(n_steps), abs_tol=1e-9)

    def suggest(self, trial: Trial) -> Any:
        """A value drawn by the trial's sampler."""
        if self.kind == "choice":
            return trial.suggest_categorical(self.name, self.choices)
        if self.kind == "int":
            step = 1 if self.log else int(self.step or 1)
            return trial.suggest_int(
                self.name, int(self.low), int(self.high), step=step, log=self.log
            )
        step_size = None if self.log else self.step
        return trial.suggest_float(self.name, self.low, self.high, step=step_size, log=self.log)


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
        return all(p.kind == "choice" or p.step is not None for p in self.parameters)

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

    def corners(self) -> Iterator[dict[str, Any]]:
        """Assignments that together hold every end of every parameter, each on its own, in every
        branch of conditions.
        """
        for branch in self._branches():
            values = {**self.known, **branch}
            here = [p for p in self.parameters if p.applies(values) and p.key not in branch]
            yield dict(branch)
            for parameter in here:
                for value in parameter.corners:
                    yield {**branch, parameter.key: value}

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
    log = isinstance(value, ChoiceSweep | RangeSweep | IntervalSweep) and "log" in value.tags
    if isinstance(value, IntervalSweep):
        parameter = _interval(key, value, log)
    elif isinstance(value, RangeSweep):
        parameter = _range(key, value, log)
    elif override.is_sweep_override():
        parameter = Parameter(key, "choice", tuple(_choices(override)))
    else:
        raise ConfigError(
            f"{key}={override.get_value_element_as_str()}: is one value, a space needs several; "
            "write choice(...), range(...) or interval(...)"
        )
    if parameter.log and parameter.low <= 0:
        raise ConfigError(
            f"{key}={parameter.describe()}: a logarithmic scale has no place for "
            f"{parameter.low:g}; start above 0"
        )
    return parameter


def parse_space(
    params: Mapping[str, str],
    conditional: Sequence[Mapping[str, Any]],
    arguments: Sequence[Override],
    load_search: LoadSearch,
    known: Mapping[str, Any],
) -> Space:
    """The space of `hydra.sweeper.params` and `conditional`, with what the command line swept.

    A key on the command line wins: swept there, it replaces the key's space; set there, it takes
    the key out. `load_search` gives `params` and `conditional` of a file in `conf/search`; `known`
    the composed values that a condition may name. Raises ConfigError naming the key.
    """
    swept = {o.get_key_element(): o for o in arguments if o.is_sweep_override()}
    fixed = {o.get_key_element() for o in arguments if not o.is_sweep_override()}
    found = [parse_parameter(o) for o in _parsed(params) if o.get_key_element() not in swept]
    for entry in conditional:
        found += _conditional(entry, load_search)
    found = [p for p in found if p.key not in fixed and p.key not in swept]
    narrowed = [parse_parameter(o) for o in swept.values()]
    before = {o.get_key_element(): o for o in _parsed(params)}
    for new in narrowed:
        if new.key in before:
            found = list(_without_gone(found, new, parse_parameter(before[new.key])))
    found = narrowed + found
    _check_conditions(found, known)
    drawn = {p.key for p in found}
    # A condition on a value that is not drawn holds or not, once for all.
    possible = [p for p in found if _may_apply(p, drawn, known)]
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
                f"hydra.sweeper.conditional: '{key}' is no part of an entry; "
                "write {when: {key: value}, params: {...}} or {when: ..., search: name}"
            )
    when = entry.get("when")
    if not isinstance(when, Mapping) or not when:
        raise ConfigError(
            f"hydra.sweeper.conditional={dict(entry)}: lacks its condition; "
            "write for example when: {model: svm}"
        )
    conditions = tuple(
        (
            str(key),
            tuple(value)
            if isinstance(value, Sequence | list) and not isinstance(value, str)
            else (value,),
        )
        for key, value in when.items()
    )
    loaded = load_search(str(entry["search"])) if "search" in entry else {}
    params = {**(loaded.get("params") or {}), **(entry.get("params") or {})}
    found = [parse_parameter(o) for o in _parsed(params)]
    for inner in loaded.get("conditional") or []:
        found += _conditional(inner, load_search)
    return [replace(p, when=conditions + p.when) for p in found]


def _check_conditions(parameters: Sequence[Parameter], known: Mapping[str, Any]) -> None:
    drawn = {p.key: p for p in parameters}
    for parameter in parameters:
        for key, wanted in parameter.when:
            if key not in drawn and key not in known:
                raise ConfigError(
                    f"hydra.sweeper.conditional: the condition on '{key}' names neither a swept "
                    "key nor one of the config; correct the key"
                )
            choices = drawn[key].choices if key in drawn else None
            if choices is not None and drawn[key].kind != "choice":
                raise ConfigError(
                    f"hydra.sweeper.conditional: '{key}' is a range; a condition can only ask for "
                    "a choice(...)"
                )
            for value in wanted if choices is not None else ():
                if value not in choices:  # type: ignore[operator]
                    raise ConfigError(
                        f"hydra.sweeper.conditional: {key}={value} is never drawn "
                        f"({drawn[key].describe()}); add it to the choices or drop the entry"
                    )


def _parsed(params: Mapping[str, str]) -> list[Override]:
    parser = OverridesParser.create()
    overrides = []
    for key, value in params.items():
        try:
            overrides.append(parser.parse_override(f"{key}={value}"))
        except HydraException as error:
            raise ConfigError(
                f"hydra.sweeper.params.{key}={value}: is not in the override grammar; "
                "write choice(...), range(...), interval(...) or tag(log, ...)"
            ) from error
    return overrides


def _interval(key: str, value: IntervalSweep, log: bool) -> Parameter:
    assert value.start is not None
    assert value.end is not None
    low, high = value.start, value.end
    if not low < high:
        raise ConfigError(f"{key}=interval({low},{high}): is empty; the lower bound comes first")
    # Hydra gives whole bounds only for int(interval(..)).
    if isinstance(low, int) and isinstance(high, int):
        return Parameter(key, "int", low=low, high=high, step=None if log else 1, log=log)
    return Parameter(key, "float", low=float(low), high=float(high), log=log)


def _range(key: str, value: RangeSweep, log: bool) -> Parameter:
    values = list(value.range())
    if not values:
        raise ConfigError(
            f"{key}=range({value.start},{value.stop}): is empty; it runs up to the value before "
            "the second"
        )
    low, high = min(values), max(values)
    kind: Kind = "float" if isinstance(value.range(), FloatRange) else "int"
    return Parameter(key, kind, low=low, high=high, step=abs(value.step), log=log)


def _choices(override: Override) -> Iterator[Any]:
    for value in override.sweep_iterator():
        plain = value.text if isinstance(value, QuotedString) else value
        # Optuna keeps scalars; a list or a group of keys goes as the text of its override.
        is_scalar = plain is None or isinstance(plain, bool | int | float | str)
        yield plain if is_scalar else Override._get_value_element_as_str(plain)
