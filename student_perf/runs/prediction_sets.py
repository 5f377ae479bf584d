"""How large sets and intervals of new rows are: the file of a run that says it, and a sentence."""

from __future__ import annotations

import json

from student_perf.config.typed import typed_node
from student_perf.scoring.conformal import OPTION, PredictionSets

_SHOWN = 0.9


def sets_from_json(text: str) -> PredictionSets:
    """What a run has written to `SETS_FILE`.

    Raises:
        ConfigError: It has other keys or types, or another number of limits.
        ValueError: The text is not JSON.
    """
    return typed_node(PredictionSets, json.loads(text), "prediction sets")


def describe_sets(sets: PredictionSets, task: str) -> str:
    """How sure a single answer is, in one sentence; `task` is that of the model.

    >>> from student_perf.scoring.conformal import LEVELS
    >>> described = PredictionSets(80, [0.5] * len(LEVELS), [1.5] * len(LEVELS))
    >>> describe_sets(described, "classification")
    'sets that hold the class of 90 % of new rows have 1.5 classes on average \
(predict --coverage 0.9)'
    >>> describe_sets(described, "regression")
    '90 % of new rows have their number within 0.75 of the prediction (predict --coverage 0.9)'
    """
    size = sets.size(_SHOWN)
    if size is None:
        return f"{sets.n} held-out rows are too few for sets that hold {_SHOWN:.0%} of new rows"
    how = f"(predict {OPTION} {_SHOWN:g})"
    if task == "classification":
        return (
            f"sets that hold the class of 90 % of new rows have {size:.1f} classes on average {how}"
        )
    return f"90 % of new rows have their number within {size / 2:.3g} of the prediction {how}"
