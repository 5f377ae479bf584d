"""What a sweep varies: parameters, some under a condition, and the space that they make.

`sweep.grammar` reads them from Hydra's override grammar; `optuna.distributions` hold the values:

>>> depth = Parameter("model.max_depth", IntDistribution(2, 4), step=1)
>>> depth.describe(), depth.grid, depth.contains(2.0), depth.contains(5)
('2 to 4', (2, 3, 4), True, False)
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from student_perf.config.overrides import literal
from student_perf.errors import ConfigError

if TYPE_CHECKING:
    from optuna.trial import Trial

Distribution = CategoricalDistribution | IntDistribution | FloatDistribution
Condition = tuple[str, tuple[Any, ...]]

_KINDS = {CategoricalDistribution: "choice", IntDistribution: "int", FloatDistribution: "float"}


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


def number_of(text: str | None) -> float | None:
    """The number that a record writes like this, whole or not as there; None for other text."""
    for kind in (int, float):
        with suppress(ValueError, TypeError):
            return kind(text)  # type: ignore[arg-type]
    return None


def is_written(value: Any) -> bool:
    """Whether a value is kept as the text of its override: Optuna takes scalars only."""
    return isinstance(value, str) and value[:1] in ("[", "{", "'")


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
