"""The preprocessing of columns before every model, fitted inside each fold only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline

from student_perf.encoders import CategoryCodes, plain_name
from student_perf.errors import ConfigError, suggest
from student_perf.models.components import build_component

_KINDS = ("numeric", "categorical", "text")
# Of a config that says nothing of text, as those of earlier times.
_UNNAMED = {"text": {"words": {"_target_": "student_perf.encoders.Words"}}}
_ALL = "all"  # steps on the prepared columns of all kinds
_OUTPUTS = ("array", "table")


@dataclass(frozen=True)
class Steps:
    """An unfitted pipeline for each kind of column and one for all prepared columns, None if there
    are no such steps; and what the model gets: `array` or `table`.
    """

    kinds: dict[str, Pipeline]
    output: str = "array"
    joint: Pipeline | None = None

    @property
    def pipelines(self) -> list[Pipeline]:
        """All of them."""
        return [*self.kinds.values(), *([self.joint] if self.joint is not None else [])]


def build_steps(config: Mapping[str, Any]) -> Steps:
    """Build the steps that the nodes `preprocess.<kind>.<step>` describe.

    Raises:
        ConfigError: A key is unknown, or a class does not take its parameters.
    """
    for key in config:
        if key not in (*_KINDS, _ALL, "name", "output"):
            near = suggest(key, (*_KINDS, _ALL))
            raise ConfigError(f"preprocess.{key}: is not a kind of column; {near}")
    output = config.get("output", "array")
    if output not in _OUTPUTS:
        raise ConfigError(
            f"preprocess.output={output}: must be array or table; {suggest(str(output), _OUTPUTS)}"
        )
    known = _UNNAMED | dict(config)
    kinds = {kind: _pipeline(known.get(kind) or {}, f"preprocess.{kind}") for kind in _KINDS}
    if not config.get(_ALL):
        return Steps(kinds, output)
    if output == "table":
        raise ConfigError(
            "preprocess.all: its steps take figures, and preprocess.output=table keeps categories; "
            "set preprocess.output=array, or choose preprocess=default"
        )
    return Steps(kinds, output, _pipeline(config[_ALL], f"preprocess.{_ALL}"))


def build_preprocessor(
    steps: Steps,
    numeric: Sequence[str],
    categorical: Sequence[str],
    categories: Mapping[str, Sequence[Any]] | None = None,
    text: Sequence[str] = (),
) -> ColumnTransformer | Pipeline:
    """Build the unfitted transformer of the named feature columns.

    `categories` are the declared values of categorical columns in order, for steps that keep it.
    """
    columns = {"numeric": list(numeric), "categorical": list(categorical), "text": list(text)}
    known = categories or {}
    declared = {name: list(known[name]) for name in categorical if name in known}
    for _, step in steps.kinds["categorical"].steps:
        if isinstance(step, CategoryCodes) and step.categories is None:
            step.set_params(categories=declared)
    transformer = ColumnTransformer(
        [(kind, steps.kinds[kind], columns[kind]) for kind in _KINDS if columns[kind]],
        verbose_feature_names_out=False,
    )
    if steps.output == "table":
        transformer.set_params(verbose_feature_names_out=plain_name)
        transformer.set_output(transform="pandas")
    if steps.joint is None:
        return transformer
    return Pipeline([("columns", transformer), *steps.joint.steps])


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
