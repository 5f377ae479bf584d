"""A study whose space has changed: what is known of its trials is placed in the new one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from student_perf.runs.layout import holds_record
from student_perf.runs.record import RunRecord, load_record
from student_perf.sweep.distinct import GIVEN, OUTSIDE
from student_perf.sweep.plan import FILES, SweepPlan
from student_perf.sweep.space import Parameter, number_of, parameter_of, same_value
from student_perf.sweep.value_types import is_same_model

_HASH = re.compile(r" \[[0-9a-f]{6}\]")  # by which fingerprints tell values apart


def has_grown(known: Mapping[str, Any], plan: SweepPlan) -> bool:
    """Whether the plan differs from what is known of its study only by a space that contains the
    former one: with more values, or with keys whose fixed value is among those swept now.

    Args:
        known: The fingerprints that the study was made with.
        plan: The sweep's plan. The record in its folder has the former space as data.
    """
    if not holds_record(plan.folder):
        return False
    before, now = load_record(plan.folder).space, plan.fingerprints
    is_described = {p["name"] for p in before} == known["space"].keys()
    same = all(known.get(name) == now[name] for name in now.keys() - {"space", "config", FILES})
    # A model that is new may bring a file; one that both have is the same.
    former, files = known.get(FILES, {}), now.get(FILES, {})
    same = same and all(files.get(file, sha256) == sha256 for file, sha256 in former.items())
    return is_described and same and _contains(plan, before, known["config"], now["config"])


def _contains(
    plan: SweepPlan,
    before: Sequence[Mapping[str, Any]],
    config_before: Mapping[str, str],
    config: Mapping[str, str],
) -> bool:
    """Whether the space has all values of the former one, and those that keys had which are new."""
    new = {p.name: p for p in plan.space.parameters}
    for old in map(parameter_of, before):
        if old.name not in new or not new.pop(old.name).holds(old):
            return False
    added = {p.key: _fixed_value(plan, p, config_before) for p in new.values()}
    changed = {
        key.removesuffix(".name")
        for key in {*config_before, *config}
        if not _is_same_text(plan, key, config_before.get(key), config.get(key))
    }
    return all(value is not None for value in added.values()) and changed <= added.keys()


def _is_same_text(plan: SweepPlan, key: str, one: str | None, other: str | None) -> bool:
    """Whether two texts of a config are one value: equal ones, and 1 and 1.0 if the model takes
    them alike.
    """
    if one == other:
        return True
    pair = number_of(one), number_of(other)
    return None not in pair and same_value(*pair) and _is_same(plan, {}, key, pair)


def _fixed_value(plan: SweepPlan, parameter: Parameter, config: Mapping[str, str]) -> Any:
    """The parameter's value that a config fixes, as text by path; None if it is none of its."""
    text = config.get(parameter.path, config.get(f"{parameter.path}.name"))
    value = None if text is None else parameter.read(text)
    if value is not None:
        return value
    number = number_of(text)
    choice = next((one for one in parameter.choices if same_value(one, number)), None)
    if choice is None:
        return None
    under = {key: wanted[0] for key, wanted in parameter.when}
    return choice if _is_same(plan, under, parameter.key, (choice, number)) else None


def _is_same(plan: SweepPlan, under: Mapping[str, Any], key: str, pair: tuple[Any, Any]) -> bool:
    return is_same_model(plan.composer, {**plan.chosen, **under}, key, pair)


def placed(plan: SweepPlan, record: RunRecord) -> dict[str, Any]:
    """What a trial drew, by the names and distributions of the plan's space, as arguments of
    Optuna's `create_trial`. A value that the space lacks makes the trial a reference.
    """
    from optuna.distributions import json_to_distribution

    space, facts = plan.space, record.optuna
    former = {k: json_to_distribution(d) for k, d in facts["distributions"].items()}
    drawn = {k: d.to_external_repr(facts["params"][k]) for k, d in former.items()}
    values = {name.split(" (")[0]: value for name, value in drawn.items()}
    swept = {p.key for p in space.parameters}
    # What the user's own function has drawn is not part of the space.
    own = values.keys() - swept if plan.options.custom_search_space else set()
    outside = {k: v for k, v in values.items() if k not in swept and k not in own}
    outside |= facts["user_attrs"].get(OUTSIDE) or {}
    _add_fixed(plan, values, outside, record)
    outside |= space.outside(values)
    names = space.names({k: v for k, v in values.items() if k not in outside})
    distributions = {p.name: p.distribution for p in space.parameters if p.name in names}
    system_attrs = dict(facts["system_attrs"])
    if GIVEN in system_attrs:
        system_attrs[GIVEN] = {k: names[k] for k in system_attrs[GIVEN] if k in names}
    return {
        "params": names | {key: drawn[key] for key in own},
        "distributions": distributions | {key: former[key] for key in own},
        "system_attrs": system_attrs,
        "user_attrs": {**facts["user_attrs"], **({OUTSIDE: outside} if outside else {})},
    }


def _add_fixed(
    plan: SweepPlan, values: dict[str, Any], outside: dict[str, Any], record: RunRecord
) -> None:
    """Add what a trial's config had for keys that are swept since."""
    for parameter in plan.space.parameters:
        key = parameter.key
        known = {**plan.space.known, **values}
        if key in values or key in outside or not parameter.applies(known):
            continue
        fixed = _fixed_value(plan, parameter, record.params)
        if fixed is not None:
            values[key] = fixed
        elif record.status in ("FINISHED", "PRUNED"):
            outside[key] = record.params.get(key)


def without_hashes(differences: Sequence[str]) -> str:
    """Differences of fingerprints for a person to read."""
    return _HASH.sub("", "; ".join(differences))
