"""Parameters from Hydra's override grammar: `choice(a,b)`, `range(lo,hi[,step])` (without `hi`),
`interval(lo,hi)`, `int(interval(lo,hi))`, and `tag(log, ...)` around each.

>>> from hydra.core.override_parser.overrides_parser import OverridesParser
>>> override = OverridesParser.create().parse_override("model.C=tag(log,interval(0.01,10))")
>>> parameter = parse_parameter(override)
>>> parameter.distribution
FloatDistribution(high=10.0, log=True, low=0.01, step=None)
>>> parameter.describe()
'0.01 to 10, log scale'
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from student_perf.sweep.space import Distribution, Parameter, is_written


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


def parsed_params(params: Mapping[str, str]) -> list[Override]:
    """`hydra.sweeper.params` as overrides. Raises ConfigError for a text outside the grammar."""
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


def _choices(override: Override) -> Iterator[Any]:
    """The values, each once."""
    values = once(_listed(override))
    check_apart(override.get_key_element(), values)
    yield from values


def once(values: Iterable[Any]) -> tuple[Any, ...]:
    """The values in their order, each of a type once."""
    return tuple({(type(value), value): value for value in values}.values())


def check_apart(key: str, values: Sequence[Any]) -> None:
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
        yield scalar(value.text if isinstance(value, QuotedString) else value)


def scalar(value: Any) -> Any:
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
