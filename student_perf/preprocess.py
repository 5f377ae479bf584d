"""The column work that stands before every model, fitted inside each fold only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from student_perf.components import build_component
from student_perf.errors import ConfigError, suggest

_KINDS = ("numeric", "categorical")


def build_steps(config: Mapping[str, Any]) -> dict[str, Pipeline]:
    """Unfitted pipeline for each kind of column, from `preprocess.<kind>.<step>` nodes.

    Raises ConfigError for an unknown key or a step its class would not take.
    """
    for key in config:
        if key not in (*_KINDS, "name"):
            raise ConfigError(
                f"preprocess.{key}: no kind of column is called so; {suggest(key, _KINDS)}"
            )
    return {kind: _pipeline(config.get(kind) or {}, f"preprocess.{kind}") for kind in _KINDS}


def build_preprocessor(
    steps: Mapping[str, Pipeline], numeric: Sequence[str], categorical: Sequence[str]
) -> ColumnTransformer:
    """Unfitted transformer of the named feature columns, kinds without columns left out."""
    columns = {"numeric": list(numeric), "categorical": list(categorical)}
    return ColumnTransformer(
        [(kind, steps[kind], columns[kind]) for kind in _KINDS if columns[kind]],
        verbose_feature_names_out=False,
    )


def _pipeline(nodes: Mapping[str, Any], path: str) -> Pipeline:
    steps = []
    for name, node in nodes.items():
        if not isinstance(node, Mapping):
            raise ConfigError(
                f"{path}.{name}={node}: a step is a group with _target_ and parameters; "
                "see conf/preprocess/default.yaml"
            )
        steps.append((name, build_component(node, f"{path}.{name}")))
    return Pipeline(steps or [("as_is", "passthrough")])
