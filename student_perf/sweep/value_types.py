"""Whether 1 and 1.0 are one value to the model of a sweep: scikit-learn takes `max_features=1` for
one feature and `1.0` for all of them, but `C=1` and `C=1.0` for the same.

The question comes up where a choice equals a default, a known good value, what a condition asks for
or what an earlier study fixed, of another type. Both models are built then, and scikit-learn's own
constraints answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from student_perf.config.schema import ExperimentConfig
from student_perf.errors import ConfigError
from student_perf.models.build import build_estimator
from student_perf.models.components import have_one_meaning
from student_perf.models.preprocess import build_steps
from student_perf.sweep.compose import TrialComposer
from student_perf.sweep.space import Parameter, Space, same_value


def with_value_types(
    space: Space,
    composer: TrialComposer,
    chosen: Mapping[str, Any],
    known: Mapping[str, Any],
    enqueued: Sequence[Mapping[str, Any]],
) -> Space:
    """The space, where a choice is told apart from equal numbers of another type if its model does.

    Args:
        space: Of the sweep.
        composer: Of the sweep.
        chosen: One option of each group that is drawn whatever else is.
        known: The default of each key.
        enqueued: Known good values by key.
    """
    parameters = []
    for parameter in space.parameters:
        others = [known.get(parameter.path), *(values.get(parameter.key) for values in enqueued)]
        is_exact = any(
            not is_same_model(composer, {**chosen, **_firsts(parameter)}, parameter.key, pair)
            for pair in _twins(parameter.choices, others)
        )
        parameters.append(replace(parameter, is_exact=is_exact))
    return replace(space, parameters=tuple(parameters))


def with_exact_conditions(
    parameters: Sequence[Parameter],
    composer: TrialComposer,
    chosen: Mapping[str, Any],
    known: Mapping[str, Any],
) -> list[Parameter]:
    """The parameters, with the keys of conditions whose values the model tells apart from equal
    numbers of another type. Arguments as above.
    """
    drawn = {parameter.key: parameter.choices for parameter in parameters}
    return [
        replace(
            parameter,
            exact_when=frozenset(
                key
                for key, wanted in parameter.when
                for pair in _twins(drawn.get(key, (known.get(key),)), wanted)
                if not is_same_model(composer, {**chosen, **_firsts(parameter)}, key, pair)
            ),
        )
        for parameter in parameters
    ]


def _firsts(parameter: Parameter) -> dict[str, Any]:
    """Values under which a parameter applies."""
    return {key: wanted[0] for key, wanted in parameter.when}


def _twins(values: Sequence[Any], others: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """Values, each with one among the others that is equal but of another type."""
    for value in values:
        for other in others:
            if type(other) is not type(value) and same_value(value, other):
                yield value, other


def is_same_model(
    composer: TrialComposer, values: Mapping[str, Any], key: str, pair: tuple[Any, Any]
) -> bool:
    """Whether both values of a key make models that mean the same; one that cannot be built has a
    meaning of its own, which whoever runs it is told.
    """
    try:
        one, other = (composer.compose({**values, key: value}) for value in pair)
        return all(map(have_one_meaning, _parts(one), _parts(other)))
    except ConfigError:
        return False


def _parts(config: ExperimentConfig) -> list[Any]:
    """The unfitted parts of a pipeline."""
    steps = build_steps(config.preprocess).pipelines
    return [build_estimator(config.model, config.dataset.task), *steps]
