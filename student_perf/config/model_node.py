"""The node of a model in one form, also if its file is written as for Hydra's `instantiate`.

>>> forest = {"_target_": "sklearn.ensemble.RandomForestClassifier", "max_depth": 3}
>>> model_node(forest, "classification")["classifier"]
{'_target_': 'sklearn.ensemble.RandomForestClassifier'}
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TARGET = "_target_"
PART_OF = {"classification": "classifier", "regression": "regressor"}  # the node's key for a task
_MODELS = ("base", "final")  # keys that hold a model node each; those of `members` are one each


def model_node(node: Mapping[str, Any], task: str) -> dict[str, Any]:
    """A model's node as `conf/model` has it: `_target_` on top belongs to the part of the task, and
    a model without a name has that of its class. Nodes of models below it get the same form.
    """
    whole = dict(node)
    for key in _MODELS:
        if isinstance(whole.get(key), Mapping):
            whole[key] = model_node(whole[key], task)
    if isinstance(whole.get("members"), Mapping):
        whole["members"] = {
            name: model_node(one, task) if isinstance(one, Mapping) else one
            for name, one in whole["members"].items()
        }
    part = PART_OF.get(task, "")
    if TARGET in whole and not whole.keys() & set(PART_OF.values()):
        whole[part] = {TARGET: whole.pop(TARGET)}
    served = whole.get(part)
    if "name" not in whole and isinstance(served, Mapping) and TARGET in served:
        whole = {"name": str(served[TARGET]).rpartition(".")[2], **whole}
    return whole
