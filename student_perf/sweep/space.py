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
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.core.override_parser.types import (
    ChoiceSweep,
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
    `rows` holds the values by key that go together, if the parameter is part of a `zip`.
    `is_exact` says that a choice is told apart from an equal number of another type, as the model
    does (`sweep.value_types`), and `exact_when` names the keys of conditions of which it holds.
    """

    key: str
    distribution: Distribution
    step: float | None = None
    when: tuple[Condition, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()
    is_exact: bool = False
    exact_when: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """Name in the study: the key, with its conditions, since two branches may share a key."""
        conditions = ",".join(f"{key}={'|'.join(map(str, vs))}" for key, vs in self.when)
        return f"{self.key} ({conditions})" if conditions else self.key

    @property
    def path(self) -> str:
        """Where the composed config has it: the key without the sign of its override."""
        return self.key.lstrip("+")

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
    def ends(self) -> list[Mapping[str, Any]]:
        """Its corners, each with the values that go together with it."""
        return list(self.rows) or [{self.key: value} for value in self.corners]

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

    @property
    def drawable(self) -> Sequence[Any] | None:
        """Every value that a sampler could draw; None if there is no end of them. A range on a
        logarithmic scale is drawn without the step that its grid has.
        """
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return choices
            case IntDistribution(low=low, high=high, step=step):
                return range(low, high + 1, step)
            case FloatDistribution(low=low, high=high, step=step) if step is not None:
                n_steps = math.floor((high - low) / step + 1e-9)
                return tuple(low + i * step for i in range(n_steps + 1))
        return None

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether all conditions hold for the values known so far."""
        return all(self.meets(key, wanted, values.get(key)) for key, wanted in self.when)

    def meets(self, key: str, wanted: Iterable[Any], value: Any) -> bool:
        """Whether a value of the key of a condition is among those that it asks for."""
        return any(same_value(one, value, key in self.exact_when) for one in wanted)

    def owns(self, key: str) -> bool:
        """Whether this parameter chooses the option that brings another key."""
        return key != self.key and key.startswith(f"{self.key}.")

    def describe(self) -> str:
        """The values as a person reads them."""
        if self.rows:
            others = ", ".join(key for key in self.rows[0] if key != self.key)
            return f"{', '.join(str(row[self.key]) for row in self.rows)}, in step with {others}"
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
        data: dict[str, Any] = {
            "key": self.key,
            "when": self.when,
            "kind": _KINDS[type(self.distribution)],
        }
        data |= vars(self.distribution)
        if self.rows:
            data["rows"] = self.rows
        return data if self.choices else data | {"step": self.step}

    def holds(self, other: Parameter) -> bool:
        """Whether it could give every value that another one gives."""
        if self.rows and not all(row in self.rows for row in other.rows or [{}]):
            return False
        drawable = other.drawable
        if drawable is None or (not self.choices and self.drawable is None):
            ends = all(map(self.contains, other.corners))
            return ends and self.drawable is None and not self.choices
        return all(map(self.contains, drawable))

    def read(self, text: str) -> Any:
        """Its value that is written like this in a record; None if it has no such one."""
        if self.choices:
            return next((value for value in self.choices if str(value) == text), None)
        number = number_of(text)
        if number is None:
            return None
        whole = isinstance(self.distribution, IntDistribution) and float(number).is_integer()
        value = int(number) if whole else float(number)
        return value if self.contains(value) else None

    def contains(self, value: Any) -> bool:
        """Whether a sampler could draw this value."""
        if isinstance(self.distribution, CategoricalDistribution):
            return any(self.is_same(choice, value) for choice in self.choices)
        return _is_number(value) and self.distribution._contains(value)

    def is_same(self, one: Any, other: Any) -> bool:
        """Whether two values are one choice."""
        return same_value(one, other, self.is_exact)

    def suggest(self, trial: Trial) -> Any:
        """A value drawn by the trial's sampler."""
        match self.distribution:
            case CategoricalDistribution(choices=choices):
                return trial.suggest_categorical(self.name, choices)
            case IntDistribution(low=low, high=high, step=step, log=log):
                return trial.suggest_int(self.name, low, high, step=step, log=log)
            case FloatDistribution(low=low, high=high, step=step, log=log):
                return trial.suggest_float(self.name, low, high, step=step, log=log)


def same_value(one: Any, other: Any, is_exact: bool = False) -> bool:
    """Whether two values are one: equal ones of a type, and 1 and 1.0 unless it `is_exact` that the
    model tells them apart. True is never 1.
    """
    if type(one) is type(other):
        return bool(one == other)
    are_numbers = _is_number(one) and _is_number(other)
    return are_numbers and one == other and not is_exact


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


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

    @property
    def size(self) -> float:
        """Number of configurations that a sampler could draw; infinite with an interval."""
        return self._size(0, {})

    def _size(self, position: int, drawn: dict[str, Any]) -> float:
        if position == len(self.parameters):
            return 1
        parameter = self.parameters[position]
        if not parameter.applies({**self.known, **drawn}):
            return self._size(position + 1, drawn)
        drawable = parameter.drawable
        if drawable is None:
            return math.inf
        deciding = any(parameter.key == key for p in self.parameters for key, _ in p.when)
        if not deciding and not parameter.rows:
            return len(drawable) * self._size(position + 1, drawn)
        chosen = self._chosen(parameter, drawn, drawable)
        return sum(self._size(position + 1, {**drawn, **values}) for values in chosen)

    def points(self) -> Iterator[dict[str, Any]]:
        """Every configuration that a sampler could draw, of a space of finite size."""
        yield from self._points(0, {}, lambda parameter: parameter.drawable or ())

    def outside(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Of these values by key those of swept keys that no parameter could give."""
        swept = {p.key for p in self.parameters}
        return {
            key: value
            for key, value in sorted(values.items())
            if key in swept and not any(p.key == key and p.contains(value) for p in self.parameters)
        }

    def lacks(self, names: Mapping[str, Any], without: Iterable[str] = ()) -> bool:
        """Whether values by their names in the study leave a parameter open that applies to them;
        keys in `without` are left alone.
        """
        values = {
            **self.known,
            **{p.key: names[p.name] for p in self.parameters if p.name in names},
        }
        applying = (p for p in self.parameters if p.key not in without and p.applies(values))
        return any(p.name not in names for p in applying)

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
        yield from self._points(0, {}, lambda parameter: parameter.grid)

    def _points(
        self,
        position: int,
        drawn: dict[str, Any],
        values_of: Callable[[Parameter], Sequence[Any]],
    ) -> Iterator[dict[str, Any]]:
        if position == len(self.parameters):
            yield dict(drawn)
            return
        parameter = self.parameters[position]
        if not parameter.applies({**self.known, **drawn}):
            yield from self._points(position + 1, drawn, values_of)
            return
        for values in self._chosen(parameter, drawn, values_of(parameter)):
            yield from self._points(position + 1, {**drawn, **values}, values_of)

    def _chosen(
        self, parameter: Parameter, drawn: Mapping[str, Any], values: Sequence[Any]
    ) -> Iterable[Mapping[str, Any]]:
        """What a parameter adds to the values so far: one of its own, or a row that it is part of;
        nothing if that row is among them.
        """
        if parameter.key in drawn:
            return [{}]
        return parameter.rows or [{parameter.key: value} for value in values]

    def corners(self, chosen: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Assignments that together hold every end of every parameter, each on its own, in every
        branch of conditions; a key of a group with every option of that group.

        `chosen` holds one option of each group that is drawn whatever else is.
        """
        for branch in self._branches():
            start = {**(chosen or {}), **branch}
            known = {**self.known, **start}
            here = [p for p in self.parameters if p.applies(known) and p.key not in branch]
            yield dict(start)
            for parameter in here:
                owner = next((p for p in here if p.owns(parameter.key) and p.key in start), None)
                options = [{}] if owner is None else [{owner.key: o} for o in owner.choices]
                for option, values in itertools.product(options, parameter.ends):
                    yield {**start, **option, **values}

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


def parameter_of(data: Mapping[str, Any]) -> Parameter:
    """The parameter that `Parameter.data` gave, as a record holds it."""
    when = tuple((key, tuple(values)) for key, values in data["when"])
    if "choices" in data:
        distribution: Distribution = CategoricalDistribution(tuple(data["choices"]))
        return Parameter(data["key"], distribution, when=when, rows=tuple(data.get("rows", ())))
    low, high, step, log = (data[name] for name in ("low", "high", "step", "log"))
    if data["kind"] == "int":
        distribution = IntDistribution(low, high, log=log, step=1 if log else abs(int(step or 1)))
    else:
        size = None if log or step is None else abs(step)
        distribution = FloatDistribution(low, high, log=log, step=size)
    return Parameter(data["key"], distribution, step, when)


def parse_parameter(override: Override) -> Parameter:
    """Parameter of a sweep override. Raises ConfigError for values that cannot be swept."""
    key, value = override.get_key_element(), override.value()
    if isinstance(value, IntervalSweep):
        return _interval(key, value)
    if isinstance(value, RangeSweep) and not value.shuffle:
        return _range(key, value, list(override.sweep_iterator()))
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
    zipped: Sequence[Mapping[str, Any]] = (),
) -> Space:
    """The space of `read_parameters`, with the composed values `known` that a condition may name.
    Raises ConfigError naming the key.
    """
    parameters = read_parameters(params, conditional, arguments, load_search, zipped)
    return settled(parameters, known)


def read_parameters(
    params: Mapping[str, str],
    conditional: Sequence[Mapping[str, Any]],
    arguments: Sequence[Override],
    load_search: LoadSearch,
    zipped: Sequence[Mapping[str, Any]] = (),
) -> list[Parameter]:
    """The parameters of `hydra.sweeper`, with what the command line swept.

    A key on the command line wins: swept there, it replaces the key's space; set there, it takes
    the key out, also out of what `zip` pairs. `load_search` gives `params` and `conditional` of a
    file in `conf/search`; several such files (`search=xgb,rf`) are branches of one space. Raises
    ConfigError naming the key.
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
    paired = read_zip(zipped, fixed, {*swept, *overrides})
    return [*swept.values(), *of_file, *paired]


def read_zip(
    entries: Sequence[Any], fixed: Container[str], swept: Container[str]
) -> list[Parameter]:
    """The parameters of `hydra.sweeper.zip`: in each entry the first values of all lists go
    together, then the second ones.

    Args:
        entries: Mappings of keys to lists of equal length.
        fixed: Keys that the command line sets; they are left out.
        swept: Keys that have a space of their own.

    Raises:
        ConfigError: An entry is something else, or a key is swept twice.
    """
    parameters: list[Parameter] = []
    seen: set[str] = set()
    for entry in entries:
        lists = _lists_of(entry)
        for key in lists:
            if key in swept or key in seen:
                raise ConfigError(f"hydra.sweeper.zip: {key} is swept elsewhere too; sweep it once")
        seen |= lists.keys()
        kept = {
            key: list(map(_scalar, values)) for key, values in lists.items() if key not in fixed
        }
        for key, values in kept.items():
            _check_apart(key, values)
        rows = [dict(zip(kept, values, strict=True)) for values in zip(*kept.values(), strict=True)]
        rows = [row for i, row in enumerate(rows) if row not in rows[:i]]
        parameters += [
            Parameter(
                key, CategoricalDistribution(_once(row[key] for row in rows)), rows=tuple(rows)
            )
            for key in kept
        ]
    return parameters


def _lists_of(entry: Any) -> dict[str, list[Any]]:
    """An entry of `zip`. Raises ConfigError if it does not map keys to lists of equal length."""
    if not isinstance(entry, Mapping) or not all(
        isinstance(values, list) and values for values in entry.values()
    ):
        raise ConfigError(
            f"hydra.sweeper.zip={entry}: must map keys to lists; write "
            "'hydra.sweeper.zip=[{model.max_depth: [2, 4], model.n_estimators: [100, 50]}]'"
        )
    lengths = {str(key): len(values) for key, values in entry.items()}
    if len(set(lengths.values())) > 1:
        described = ", ".join(f"{key} has {n}" for key, n in lengths.items())
        raise ConfigError(
            f"hydra.sweeper.zip: lists that go together must have the same length ({described} "
            "values)"
        )
    return {str(key): values for key, values in entry.items()}


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
    gone = [v for v in old.choices if not any(same_value(v, one) for one in new.choices)]
    for parameter in parameters:
        when = [
            (key, tuple(_left(wanted, gone)) if key == new.key else wanted)
            for key, wanted in parameter.when
        ]
        if all(wanted for _, wanted in when):
            yield replace(parameter, when=tuple(when))


def _left(values: Iterable[Any], gone: Sequence[Any]) -> Iterator[Any]:
    return (v for v in values if not any(same_value(v, one) for one in gone))


def _may_apply(parameter: Parameter, drawn: set[str], known: Mapping[str, Any]) -> bool:
    return all(
        key in drawn or parameter.meets(key, wanted, known.get(key))
        for key, wanted in parameter.when
    )


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
    if not isinstance(entry.get("params") or {}, Mapping):
        raise ConfigError(
            f"hydra.sweeper.conditional.params={entry['params']}: must map keys to values; write "
            'params: {model.n_estimators: "50,100"}'
        )
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
    for parameter, key, wanted in ((p, *condition) for p in parameters for condition in p.when):
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
            if not parameter.meets(key, choices, value):
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


def _range(key: str, value: RangeSweep, values: Sequence[Any]) -> Parameter:
    """`values` are those of the range, cast where it says so."""
    if not values:
        raise ConfigError(
            f"{key}=range({value.start},{value.stop}): is empty; it runs up to the value before "
            "the second"
        )
    low, high, step = min(values), max(values), abs(value.step)
    log = _is_log(key, value, low)
    distribution: Distribution
    if isinstance(values[0], float):
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


def number_of(text: str | None) -> float | None:
    """The number that a record writes like this, whole or not as there; None for other text."""
    for kind in (int, float):
        with suppress(ValueError, TypeError):
            return kind(text)  # type: ignore[arg-type]
    return None


def is_written(value: Any) -> bool:
    """Whether a value is kept as the text of its override: Optuna takes scalars only."""
    return isinstance(value, str) and value[:1] in ("[", "{", "'")


def _choices(override: Override) -> Iterator[Any]:
    """The values, each once."""
    values = _once(_listed(override))
    _check_apart(override.get_key_element(), values)
    yield from values


def _once(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple({(type(value), value): value for value in values}.values())


def _check_apart(key: str, values: Sequence[Any]) -> None:
    """Raise ConfigError for values of several types that Python holds equal: a study would know
    them as one, and refit its best trial with the first of them.
    """
    first: dict[Any, Any] = {}
    for value in values:
        other = first.setdefault(value, value)
        if type(other) is not type(value):
            raise ConfigError(
                f"{key}: {literal(other, key)} and {literal(value, key)} are equal, so a study "
                "cannot tell them apart; leave one out, and try it in a run of its own"
            )


def _listed(override: Override) -> Iterator[Any]:
    for value in _in_order(override):
        yield _scalar(value.text if isinstance(value, QuotedString) else value)


def _scalar(value: Any) -> Any:
    """The value as Optuna keeps it: a list or a group of keys goes as the text of its override."""
    if isinstance(value, str):
        return in_quotes(value) if is_written(value) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    return Override._get_value_element_as_str(value)


def _in_order(override: Override) -> Iterator[Any]:
    """The values as written; those of `shuffle` in an order that the same command gives again."""
    value = override.value()
    if not isinstance(value, ChoiceSweep | RangeSweep) or not value.shuffle:
        yield from override.sweep_iterator()
        return
    values = list(replace(override, _value=replace(value, shuffle=False)).sweep_iterator())
    seed = list((override.input_line or "").encode())
    yield from (values[i] for i in np.random.default_rng(seed).permutation(len(values)))
