"""From a `conf/model/` node to the estimator of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
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
    places = {name: f"model.{name}" for name in shared}
    estimator = build_component({**node, **shared}, f"model.{key}", places)
    if hasattr(estimator, "get_xgb_params"):
        _check_xgboost(estimator, places)
    return estimator


def algorithm_name(config: Mapping[str, Any], task: Task | str) -> str:
    """Class name of the estimator that `build_estimator` makes of a valid node."""
    return str(config[_ESTIMATOR_KEY[task]]["_target_"]).rpartition(".")[2]


def _check_xgboost(estimator: BaseEstimator, places: Mapping[str, str]) -> None:
    """Grow one tree on two rows (a millisecond): xgboost checks ranges only when it trains."""
    import xgboost

    parameters = {**estimator.get_xgb_params(), "n_jobs": 1}
    two_rows = xgboost.DMatrix(np.zeros((2, 1)), label=[0, 1])
    try:
        xgboost.train(parameters, two_rows, num_boost_round=1)
    except xgboost.core.XGBoostError as error:
        rule = str(error).splitlines()[0]
        values = estimator.get_params()
        named = [n for n in places if n in rule] or [n for n in places if repr(values[n]) in rule]
        culprit = f"{places[named[0]]}={values[named[0]]}" if named else "model"
        raise ConfigError(
            f"{culprit}: xgboost refuses it ({rule}); choose a value in range"
        ) from error
