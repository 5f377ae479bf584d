"""From a `conf/model/` node to the estimator of a task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from student_perf.errors import ConfigError
from student_perf.models.components import build_component
from student_perf.scoring.metric import Task

_ESTIMATOR_KEY: dict[str, str] = {"classification": "classifier", "regression": "regressor"}
# Keys that hold model nodes themselves, with the parameter of the class that takes them.
_PARTS = {"base": "estimator", "final": "final_estimator", "members": "estimators"}


def build_estimator(
    config: Mapping[str, Any], task: Task | str, path: str = "model"
) -> BaseEstimator:
    """Unfitted classifier or regressor of the model node that stands at `path` in the config.

    The node's own keys are parameters of both; those below `classifier` or `regressor` belong to
    that one. `base`, `final` and each of `members` are model nodes again. Raises ConfigError where
    the model does not serve the task or a parameter is wrong.
    """
    key = _ESTIMATOR_KEY[task]
    node = config.get(key)
    if not isinstance(node, Mapping):
        raise _unserved(config, task, path)
    shared = {k: v for k, v in config.items() if k not in ("name", "classifier", "regressor")}
    for parameter in shared.keys() & node.keys():
        raise ConfigError(
            f"{path}.{key}.{parameter}={node[parameter]}: is set as {path}.{parameter} too; "
            "keep one of them"
        )
    parts = {
        _PARTS[name]: _build_part(shared.pop(name), task, f"{path}.{name}", name)
        for name in _PARTS.keys() & shared.keys()
    }
    places = {name: f"{path}.{name}" for name in shared}
    estimator = build_component({**node, **shared}, f"{path}.{key}", places, parts)
    for attribute, check in _CHECKS.items():
        if hasattr(estimator, attribute):
            _check_by_training(estimator, check, {**_places_of(node, f"{path}.{key}"), **places})
    return estimator


def algorithm_name(config: Mapping[str, Any], task: Task | str) -> str:
    """Class name of the estimator that `build_estimator` makes of a valid node."""
    return str(config[_ESTIMATOR_KEY[task]]["_target_"]).rpartition(".")[2]


def _unserved(config: Mapping[str, Any], task: Task | str, path: str) -> ConfigError:
    key, name = _ESTIMATOR_KEY[task], config.get("name", "?")
    group = "model" if path == "model" else f"model@{path}"
    served = [t for t, k in _ESTIMATOR_KEY.items() if isinstance(config.get(k), Mapping)]
    return ConfigError(
        f"{group}={name}: has no {key}, it serves {' and '.join(served) or 'no task'} while "
        f"dataset.task={task}; choose another model, for example {group}=rf or {group}=xgb"
    )


def _build_part(
    config: Any, task: Task | str, path: str, name: str
) -> BaseEstimator | list[tuple[str, BaseEstimator]]:
    """The model of `base` or `final`, or the named models of `members`."""
    if not isinstance(config, Mapping) or not config:
        raise ConfigError(f"{path}={config}: must hold a model; choose one as model@{path}=rf")
    if name != "members":
        return build_estimator(config, task, path)
    for member, node in config.items():
        if not isinstance(node, Mapping):
            raise ConfigError(
                f"{path}.{member}={node}: must be a model; add one as +model@{path}.{member}=rf"
            )
    return [(str(m), build_estimator(node, task, f"{path}.{m}")) for m, node in config.items()]


def _places_of(node: Mapping[str, Any], path: str) -> dict[str, str]:
    return {name: f"{path}.{name}" for name in node}


def _check_by_training(
    estimator: BaseEstimator,
    train: Callable[[BaseEstimator], None],
    places: Mapping[str, str],
) -> None:
    """Grow one tree on a few rows (milliseconds): boosting libraries check ranges only there. In
    one thread, as processes are forked afterwards and a pool of threads does not survive that.
    """
    try:
        train(estimator)
    except Exception as error:  # each library has its own type
        library = type(error).__module__.split(".")[0].lstrip("_")
        if library not in ("xgboost", "lightgbm", "catboost"):
            raise
        rule = " ".join(str(error).splitlines()[:1])
        values = estimator.get_params()
        named = [n for n in places if n in rule] or [
            n for n in places if n in values and repr(values[n]) in rule
        ]
        culprit = f"{places[named[0]]}={values[named[0]]}" if named else "model"
        raise ConfigError(
            f"{culprit}: {library} refuses it ({rule}); choose a value in range"
        ) from error


def _train_xgboost(estimator: BaseEstimator) -> None:
    import xgboost

    parameters = {**estimator.get_xgb_params(), "n_jobs": 1}
    two_rows = xgboost.DMatrix(np.zeros((2, 1)), label=[0, 1], nthread=1)
    xgboost.train(parameters, two_rows, num_boost_round=1)


def _train_lightgbm(estimator: BaseEstimator) -> None:
    import lightgbm

    parameters = {**estimator.get_params(), "n_jobs": 1, "verbosity": -1, "objective": "l2"}
    rows = lightgbm.Dataset(np.arange(40.0)[:, None], label=np.arange(40.0), params=parameters)
    lightgbm.train(parameters, rows, num_boost_round=1)


def _train_catboost(estimator: BaseEstimator) -> None:
    import catboost

    parameters = {**estimator.catboost_parameters(), "iterations": 1, "thread_count": 1}
    catboost.CatBoostRegressor(**parameters).fit(np.arange(8.0)[:, None], np.arange(8.0))


_CHECKS: dict[str, Callable[[BaseEstimator], None]] = {
    "get_xgb_params": _train_xgboost,
    "_process_params": _train_lightgbm,
    "catboost_parameters": _train_catboost,
}
