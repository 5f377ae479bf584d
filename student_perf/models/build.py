"""From a `conf/model/` node to the estimator of a task.

>>> node = {
...     "name": "tree",
...     "max_depth": 3,
...     "classifier": {"_target_": "sklearn.tree.DecisionTreeClassifier"},
... }
>>> build_estimator(node, "classification")
DecisionTreeClassifier(max_depth=3)
>>> build_estimator(node, "regression")
Traceback (most recent call last):
    ...
student_perf.errors.ConfigError: model=tree: has no regressor, it serves classification while \
dataset.task=regression; choose another model, for example model=rf or model=xgb, or, if its \
numbers are classes, set dataset.task=classification
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from sklearn.base import BaseEstimator, clone, is_classifier, is_regressor

from student_perf.config.model_node import PART_OF
from student_perf.errors import ConfigError
from student_perf.models.components import build_component
from student_perf.models.libraries import library_of
from student_perf.scoring.metrics import Task

_IF = {"classification": "if its numbers are classes", "regression": "if the target is a number"}
_CALIBRATED = ("CalibratedClassifierCV", "CalibratedSVC")
_THREADS = ("n_jobs", "thread_count")  # parameters that may be `auto`
# Keys that hold model nodes themselves, with the parameter of the class that takes them.
_PARTS = {"base": "estimator", "final": "final_estimator", "members": "estimators"}


def build_estimator(
    config: Mapping[str, Any], task: Task | str, path: str = "model", n_threads: int = 1
) -> BaseEstimator:
    """Build the unfitted classifier or regressor of a model node.

    Args:
        config: The node. Its own keys are parameters for both tasks, those below `classifier` or
            `regressor` for one. `base`, `final` and each of `members` are model nodes again.
        task: `classification` or `regression`.
        path: The node's place in the config, for messages.
        n_threads: What `n_jobs: auto` means, in this node and those below it.

    Raises:
        ConfigError: The model does not serve the task, or a parameter is wrong.
    """
    key = PART_OF[task]
    node = config.get(key)
    if not isinstance(node, Mapping):
        raise _unserved(config, task, path)
    shared = {k: v for k, v in config.items() if k not in ("name", "classifier", "regressor")}
    for parameter in shared.keys() & node.keys():
        raise ConfigError(
            f"{path}.{key}.{parameter}={node[parameter]}: is also set as {path}.{parameter}; "
            "keep one of them"
        )
    for name in _THREADS:
        if isinstance(threads := shared.get(name), str) and threads != "auto":
            raise ConfigError(
                f"{path}.{name}={threads}: must be auto or a number of threads; write "
                f"{path}.{name}=auto"
            )
    shared |= {name: n_threads for name in _THREADS if shared.get(name) == "auto"}
    parts = {
        _PARTS[name]: _build_part(shared.pop(name), task, f"{path}.{name}", name, n_threads)
        for name in _PARTS.keys() & shared.keys()
    }
    places = {name: f"{path}.{name}" for name in shared}
    estimator = build_component({**node, **shared}, f"{path}.{key}", places, parts)
    _check_kind(estimator, config, task, path)
    _check_by_training(estimator, {name: f"{path}.{key}.{name}" for name in node} | places)
    return estimator


def iter_calibrations(
    config: Mapping[str, Any], task: Task | str, path: str = "model"
) -> Iterator[tuple[str, int]]:
    """The keys of a valid model node, and of those below it, that say on how many parts of the
    training rows a classifier is calibrated, with their values.
    """
    key = PART_OF[task]
    node = config.get(key, {})
    if str(node.get("_target_")).rpartition(".")[2] in _CALIBRATED:
        place = f"{path}.cv" if "cv" in config else f"{path}.{key}.cv"
        n_parts = config.get("cv", node.get("cv"))
        if isinstance(n_parts, int):
            yield place, n_parts
    for name in ("base", "final"):
        if name in config:
            yield from iter_calibrations(config[name], task, f"{path}.{name}")
    for name, member in config.get("members", {}).items():
        yield from iter_calibrations(member, task, f"{path}.members.{name}")


def algorithm_name(config: Mapping[str, Any], task: Task | str) -> str:
    """Class name of the estimator that `build_estimator` makes from a valid node."""
    return str(config[PART_OF[task]]["_target_"]).rpartition(".")[2]


def _unserved(config: Mapping[str, Any], task: Task | str, path: str) -> ConfigError:
    key, name = PART_OF[task], config.get("name", "?")
    group = "model" if path == "model" else f"model@{path}"
    served = [t for t, k in PART_OF.items() if isinstance(config.get(k), Mapping)]
    return ConfigError(
        f"{group}={name}: has no {key}, it serves {' and '.join(served) or 'no task'} while "
        f"dataset.task={task}; {_another(group, served)}"
    )


def _check_kind(
    estimator: BaseEstimator, config: Mapping[str, Any], task: Task | str, path: str
) -> None:
    """Raise ConfigError for a regressor in the place of a classifier, and the other way round, and
    for a whole model that gives no probabilities.
    """
    is_other = is_regressor if task == "classification" else is_classifier
    if is_other(estimator):
        group = "model" if path == "model" else f"model@{path}"
        other = next(one for one in PART_OF if one != task)
        raise ConfigError(
            f"{group}={config.get('name', '?')}: {type(estimator).__name__} serves {other} while "
            f"dataset.task={task}; {_another(group, [other])}"
        )
    if path == "model" and task == "classification" and not hasattr(estimator, "predict_proba"):
        raise ConfigError(
            f"model={config.get('name', '?')}: {type(estimator).__name__} has no predict_proba, so "
            "it answers no probabilities; wrap it: model=calibrated model@model.base=NAME"
        )


def _another(group: str, served: Sequence[str]) -> str:
    """What to do about a model that does not serve the task."""
    hint = f", or, {_IF[served[0]]}, set dataset.task={served[0]}" if served else ""
    return f"choose another model, for example {group}=rf or {group}=xgb{hint}"


def _build_part(
    config: Any, task: Task | str, path: str, name: str, n_threads: int
) -> BaseEstimator | list[tuple[str, BaseEstimator]]:
    """The model in `base` or `final`, or the named models in `members`."""
    if not isinstance(config, Mapping) or not config:
        raise ConfigError(f"{path}={config}: must hold a model; choose one as model@{path}=rf")
    if name != "members":
        return build_estimator(config, task, path, n_threads)
    for member, node in config.items():
        if not isinstance(node, Mapping):
            raise ConfigError(
                f"{path}.{member}={node}: must be a model; add one as +model@{path}.{member}=rf"
            )
    return [
        (str(member), build_estimator(node, task, f"{path}.{member}", n_threads))
        for member, node in config.items()
    ]


def _check_by_training(estimator: BaseEstimator, places: Mapping[str, str]) -> None:
    """Grow one tree on a few rows (milliseconds), since boosting libraries check ranges only then.

    One thread does it: a pool of threads would not survive the forks that follow.
    """
    library = library_of(type(estimator))
    if library is None or library.train is None:
        return
    try:
        library.train(estimator)
    except Exception as error:  # each library has its own type
        if type(error).__module__.split(".")[0].lstrip("_") != library.name:
            raise
        rule = " ".join(str(error).splitlines()[:1])
        name = _refused(estimator, library.train, places, rule)
        culprit = f"{places[name]}={estimator.get_params()[name]}" if name else "model"
        raise ConfigError(
            f"{culprit}: {library.name} refuses it ({rule}); choose a value in range"
        ) from error


def _refused(
    estimator: BaseEstimator, train: Callable[[Any], None], names: Iterable[str], rule: str
) -> str | None:
    """The parameter that a library refuses: one that `rule` names, or without which it trains."""
    values, defaults = estimator.get_params(), type(estimator)().get_params()
    own = [name for name in names if name in values]
    for name in own:
        if re.search(rf"\b{re.escape(name)}\b", rule):
            return name
    for name in own:
        with suppress(Exception):
            train(clone(estimator).set_params(**{name: defaults.get(name)}))
            return name
    return None
