"""Which configurations model=auto and search=auto try, and in which order.

It writes a file in conf/model/auto for each, and their names into conf/model/auto.yaml and
conf/search/auto.yaml:

    .venv/bin/python studies/portfolio.py

Every candidate answers the held-out rows of three folds of each table in `small_tables.LEARN`; what
it answered is kept by table, so that the script can be ended and go on. Then configurations are
added one by one: each time the one that, averaged with those before it, lowers the loss most on
average over the tables, as a share of what the dummy loses. They are tried in another order: each
time the one that gains most by second of a fit. Takes about five minutes of one core.
"""

from __future__ import annotations

import argparse
import textwrap
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from student_perf.models.auto import _LOWEST, _greedy
from student_perf.models.build import build_estimator
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.paths import CONF_DIR, workspace
from studies.small_tables import LEARN, SmallTable

FILE = CONF_DIR / "model" / "auto.yaml"
MEMBERS = CONF_DIR / "model" / "auto"  # a file each
SEARCH = CONF_DIR / "search" / "auto.yaml"
MOST_ROWS = 600
N_FOLDS = 3
TIMED = LEARN[0]  # the table on which a fit is timed
SIZE = 8  # of the portfolio
LEAST = 0.001  # that a configuration has to gain to be added


def both(c: float, alpha: float) -> dict[str, Any]:
    """A penalty of a linear model for either task."""
    return {"classifier": {"C": c}, "regressor": {"alpha": alpha}}


def trees(n: int, rate: float, depth: int, columns: float, weight: float) -> dict[str, Any]:
    """Boosted trees of xgboost."""
    return {
        "n_estimators": n,
        "learning_rate": rate,
        "max_depth": depth,
        "colsample_bytree": columns,
        "min_child_weight": weight,
    }


# Model and what differs from its file in conf/model.
CANDIDATES: dict[str, tuple[str, Mapping[str, Any]]] = {
    "ridge_firm": ("ridge", both(0.05, 100.0)),
    "ridge": ("ridge", {}),
    "ridge_loose": ("ridge", both(10.0, 1.0)),
    "elastic_firm": ("elastic_net", {"classifier": {"C": 0.05}, "regressor": {"alpha": 0.3}}),
    "svm": ("svm", {"classifier": {"cv": 3}}),
    "svm_smooth": ("svm", {"gamma": 0.01, "classifier": {"cv": 3}}),
    "svm_wide": ("svm", {"C": 5.0, "gamma": 0.003, "classifier": {"cv": 3}}),
    "near": ("knn", {}),
    "near_many": ("knn", {"n_neighbors": 40}),
    "extra_trees": ("extra_trees", {}),
    "extra_trees_fine": ("extra_trees", {"min_samples_leaf": 1}),
    "extra_trees_coarse": ("extra_trees", {"min_samples_leaf": 8}),
    "forest": ("rf", {}),
    "forest_fine": ("rf", {"min_samples_leaf": 1}),
    "forest_coarse": ("rf", {"min_samples_leaf": 10}),
    "hist": ("hist_gb", {}),
    "hist_slow": ("hist_gb", {"learning_rate": 0.02, "max_iter": 250, "min_samples_leaf": 20}),
    "boosted": ("xgb", {}),
    "stumps": ("xgb", trees(200, 0.05, 1, 0.8, 5.0)),
    "pairs": ("xgb", trees(200, 0.03, 2, 0.6, 5.0)),
    "deep": ("xgb", trees(150, 0.04, 6, 0.5, 3.0)),
    "slow": ("xgb", trees(400, 0.015, 4, 0.6, 10.0)),
    "net": ("mlp", {}),
    "net_firm": ("mlp", {"alpha": 5.0}),
    "net_wide": ("mlp", {"hidden_layer_sizes": [64], "alpha": 2.0}),
}


def node_of(model: str, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The node of a model's file with its changes."""
    text = (CONF_DIR / "model" / f"{model}.yaml").read_text(encoding="utf-8")
    node: dict[str, Any] = yaml.safe_load(text.replace("${seed}", "0"))
    node.pop("defaults", None)
    for key, value in changes.items():
        node[key] = node[key] | value if isinstance(value, Mapping) else value
    return node


def losses_of(output: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Log loss, or squared error, of each row."""
    if output.ndim == 1:
        squared: np.ndarray = (output - y) ** 2
        return squared
    of_truth: np.ndarray = output[np.arange(len(y)), y]
    losses: np.ndarray = -np.log(of_truth.clip(_LOWEST, 1.0))
    return losses


def answers(table: SmallTable) -> dict[str, np.ndarray]:
    """The target of a table, and what each candidate says of the held-out rows."""
    loaded = table.load()
    assert loaded is not None
    x, y = loaded
    x, y = x.iloc[:MOST_ROWS], y[:MOST_ROWS]
    is_class = table.kind != "numbers"
    y = np.unique(y, return_inverse=True)[1] if is_class else y
    folds = (StratifiedKFold if is_class else KFold)(N_FOLDS, shuffle=True, random_state=0)
    found = {"y": y}
    for name, (model, changes) in CANDIDATES.items():
        task = "classification" if is_class else "regression"
        estimator = build_estimator(node_of(model, changes), task)
        pipeline = _pipeline(x, estimator)
        output = np.zeros((len(y), y.max() + 1) if is_class else len(y))
        for train, validation in folds.split(x, y):
            fitted = clone(pipeline).fit(x.iloc[train], y[train])
            answer = fitted.predict_proba if is_class else fitted.predict
            output[validation] = answer(x.iloc[validation])
        found[name] = output
    return found


def _pipeline(x: pd.DataFrame, estimator: BaseEstimator) -> Pipeline:
    """The default preprocessing before a model."""
    steps = yaml.safe_load((CONF_DIR / "preprocess" / "default.yaml").read_text(encoding="utf-8"))
    numeric = list(x.select_dtypes("number").columns)
    words = [str(name) for name in x if name not in numeric]
    preprocessor = build_preprocessor(build_steps(steps), numeric, words)
    return Pipeline([("preprocess", preprocessor), ("model", estimator)])


def measure(place: Path) -> list[dict[str, np.ndarray]]:
    """What every candidate answered, by table; measured where it is not there yet."""
    place.mkdir(parents=True, exist_ok=True)
    contents = []
    for table in LEARN:
        file = place / f"{table.source.replace(':', '_')}.npz"
        if not file.is_file():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                np.savez_compressed(file, **answers(table))  # type: ignore[arg-type]
            print(table.name, flush=True)
        contents.append(dict(np.load(file)))
    return contents


def loss_of(content: Mapping[str, np.ndarray], names: list[str]) -> float:
    """Loss of the greedy mean of some configurations, as a share of what the dummy loses."""
    y = content["y"]
    outputs = np.array([content[name] for name in names])
    shares = _greedy(outputs, lambda output: float(losses_of(output, y).mean()))
    dummy = (
        np.tile(np.bincount(y) / len(y), (len(y), 1))
        if outputs.ndim == 3
        else np.full(len(y), y.mean())
    )
    found = losses_of(np.tensordot(shares, outputs, 1), y).mean()
    return float(found / losses_of(dummy, y).mean())


def chosen(contents: list[dict[str, np.ndarray]]) -> list[str]:
    """The portfolio: each time the configuration that lowers the mean loss most."""
    names: list[str] = []
    reached = 1.0  # what the dummy loses
    while len(names) < SIZE:
        left = [name for name in CANDIDATES if name not in names]
        means = {n: float(np.mean([loss_of(c, [*names, n]) for c in contents])) for n in left}
        best = min(left, key=lambda name: means[name])
        if reached - means[best] < LEAST:
            break
        names.append(best)
        reached = means[best]
        print(f"{best:20} {reached:.4f}", flush=True)
    return names


def by_second(names: list[str], contents: list[dict[str, np.ndarray]]) -> list[str]:
    """The same configurations in the order in which they gain most by second of a fit."""
    seconds = {name: _seconds_of_fit(name) for name in names}
    order: list[str] = []
    reached = 1.0  # what the dummy loses
    while len(order) < len(names):
        left = [name for name in names if name not in order]
        means = {n: float(np.mean([loss_of(c, [*order, n]) for c in contents])) for n in left}
        order.append(max(left, key=lambda name: (reached - means[name]) / seconds[name]))
        reached = means[order[-1]]
        print(f"{order[-1]:20} {reached:.4f} {seconds[order[-1]]:.2f} s", flush=True)
    return order


def _seconds_of_fit(name: str) -> float:
    """Of a candidate on the rows of a table of numbers."""
    loaded = TIMED.load()
    assert loaded is not None
    x, y = loaded
    model, changes = CANDIDATES[name]
    pipeline = _pipeline(x, build_estimator(node_of(model, changes), "regression"))
    began = time.perf_counter()
    pipeline.fit(x, y)
    return time.perf_counter() - began


def write(names: Sequence[str]) -> None:
    """Replace the members by these, in this order: a file each, and their names in the files that
    choose among them.
    """
    for former in MEMBERS.glob("*.yaml"):
        former.unlink()
    MEMBERS.mkdir(exist_ok=True)
    for place, name in enumerate(names, start=1):
        (MEMBERS / f"{name}.yaml").write_text(member_text(name, place), encoding="utf-8")
    head, _, rest = FILE.read_text(encoding="utf-8").partition("defaults:\n")
    defaults = "".join(f"  - /model@members.{name}: auto/{name}\n" for name in names)
    after = rest[rest.index("  - _self_\n") :]
    FILE.write_text(f"{head}defaults:\n{defaults}{after}", encoding="utf-8")
    head, _, _ = SEARCH.read_text(encoding="utf-8").partition("      model: choice(")
    choice = f"choice({', '.join(f'auto/{name}' for name in names)})"
    lines = textwrap.wrap(f"model: {choice}", 98, initial_indent=" " * 6, subsequent_indent=" " * 8)
    SEARCH.write_text(head + "\n".join(lines) + "\n", encoding="utf-8")
    print(FILE, MEMBERS, SEARCH, sep="\n")


def member_text(name: str, place: int) -> str:
    """The file of a candidate: that of its model, and what differs from it."""
    model, changes = CANDIDATES[name]
    lines = [
        f"# python -m student_perf.train model=auto/{name}",
        f"# Member {place} of model=auto and search=auto: {model} with other figures."
        if changes
        else f"# Member {place} of model=auto and search=auto: {model} as it is.",
        "# Written by studies/portfolio.py.",
        "defaults:",
        f"  - /model/{model}@_here_",
        "  - _self_",
    ]
    changed = yaml.safe_dump(plain(changes), sort_keys=False) if changes else ""
    return "\n".join(lines) + "\n" + changed


def plain(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings as YAML knows them."""
    return {k: plain(v) if isinstance(v, Mapping) else v for k, v in changes.items()}


def main() -> None:
    """Measure what is missing, choose, write."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    with threadpool_limits(1):
        contents = measure(workspace() / "portfolio")
        write(by_second(chosen(contents), contents))


if __name__ == "__main__":
    main()
