"""From a `conf/model/` node to the estimator of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator

from student_perf.components import build_component
from student_perf.errors import ConfigError
from student_perf.metric_names import Task

_ESTIMATOR_KEY: dict[str, str] = {"classification": "classifier", "regression": "regressor"}


def build_estimator(config: Mapping[str, Any], task: Task | str) -> BaseEstimator:
    """Unfitted classifier or regressor of a model node.

    The node's own keys are parameters of both; those below `classifier` or `regressor` belong to
    that one. Raises ConfigError where the model does not serve the task or a parameter is wrong.
    """
    key = _ESTIMATOR_KEY[task]
    name = config.get("name", "?")
    node = config.get(key)
    if not isinstance(node, Mapping):
        served = [t for t, k in _ESTIMATOR_KEY.items() if isinstance(config.get(k), Mapping)]
        raise ConfigError(
            f"model={name}: has no {key}, it serves {' and '.join(served) or 'no task'} while "
            f"dataset.task={task}; choose another model, for example model=rf or model=xgb"
        )
    shared = {k: v for k, v in config.items() if k not in ("name", "classifier", "regressor")}
    for parameter in shared.keys() & node.keys():
        raise ConfigError(
            f"model.{key}.{parameter}={node[parameter]}: is set as model.{parameter} too; "
            "keep one of them"
        )
    # Shared parameters are reported where the user wrote them, at model.<parameter>.
    path = "model" if shared else f"model.{key}"
    return build_component({**node, **shared}, path)
