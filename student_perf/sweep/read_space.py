"""The space of a sweep from all that says something of it: `hydra.sweeper.params`, `conditional`
and `zip`, files of `conf/search`, and the command line, which wins.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from hydra.core.override_parser.types import Override
from optuna.distributions import CategoricalDistribution

from student_perf.errors import ConfigError
from student_perf.sweep.grammar import check_apart, once, parse_parameter, parsed_params, scalar
from student_perf.sweep.space import Parameter, Space, same_value

LoadSearch = Callable[[str], Mapping[str, Any]]

SEARCH = "search"
_CONDITIONAL_KEYS = ("when", "params", SEARCH)


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
    overrides = {o.get_key_element(): o for o in parsed_params(params)}
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
        kept = {key: list(map(scalar, values)) for key, values in lists.items() if key not in fixed}
        for key, values in kept.items():
            check_apart(key, values)
        rows = [dict(zip(kept, values, strict=True)) for values in zip(*kept.values(), strict=True)]
        rows = [row for i, row in enumerate(rows) if row not in rows[:i]]
        parameters += [
            Parameter(
                key, CategoricalDistribution(once(row[key] for row in rows)), rows=tuple(rows)
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
    parameters = [parse_parameter(o) for o in parsed_params(params)]
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
