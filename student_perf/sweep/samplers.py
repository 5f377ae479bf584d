"""The samplers and pruners of a sweep by name: which class of Optuna each is, and how it is made.

The names are those of Hydra's official Optuna plugin, whose nodes are read here too:

>>> read_node({"_target_": "optuna.samplers.TPESampler", "seed": 3, "n_startup_trials": None})
('tpe', {'seed': 3})

Imports nothing of Optuna before a sampler is made.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from student_perf.errors import ConfigError, one_line, suggest
from student_perf.shell import install_line

AUTO = "auto"
HALVING = "halving"
N_RUNGS = 2  # of halving, unless its options say otherwise
HISTORY = "history"  # of sampler_options: how many trials tpe learns from
_SHORTEST_HISTORY = 250  # with more trials tpe always takes the same 25 for the good ones
_TARGET = "_target_"
_KEY = "hydra.sweeper.sampler"
_PEERS = ("optuna.samplers", "hydra_plugins.hydra_optuna_sweeper")
_PARTS = ("optuna.samplers", "optuna.samplers.nsgaii")  # where arguments of a sampler come from


@dataclass(frozen=True)
class Sampler:
    """A class of `optuna.samplers`, the package it needs, and what it can do."""

    cls: str
    package: str = ""
    several: bool = True  # whether it knows several objectives and constraints

    def build(self, options: Mapping[str, Any]) -> Any:
        """The sampler. Raises ConfigError for options that its class refuses."""
        from optuna import samplers

        from student_perf.sweep.bounded_tpe import BoundedTPESampler

        cls = BoundedTPESampler if HISTORY in options else getattr(samplers, self.cls)
        return built(cls, {key: _argument(key, options[key]) for key in options}, "sampler")

    @property
    def is_installed(self) -> bool:
        """Whether the package that it needs is there."""
        return not self.package or find_spec(self.package) is not None


SAMPLERS = {
    "tpe": Sampler("TPESampler"),
    "gp": Sampler("GPSampler", "torch"),
    "cmaes": Sampler("CmaEsSampler", "cmaes", several=False),
    "nsgaii": Sampler("NSGAIISampler"),
    "nsgaiii": Sampler("NSGAIIISampler"),
    "qmc": Sampler("QMCSampler"),
    "random": Sampler("RandomSampler"),
    "grid": Sampler("RandomSampler"),  # never draws: every point of the grid is queued
}
NAMES = (AUTO, *SAMPLERS)


def read_node(node: Any) -> tuple[str | None, dict[str, Any]]:
    """Name and options of `hydra.sweeper.sampler`: a name, or a node of the official plugin.

    Options that are null are left to Optuna. A node without a class, as under the official plugin's
    own default, is tpe, unless it says nothing but a seed. Raises ConfigError.
    """
    if not isinstance(node, Mapping):
        return (node if node is None else str(node)), {}
    options = {k: v for k, v in node.items() if str(k)[:1] != "_" and v is not None}
    if "constraints_func" in options:
        raise ConfigError(
            f"{_KEY}.constraints_func={options['constraints_func']}: constraints are figures of a "
            "trial here; write for example 'hydra.sweeper.constraints={fit_seconds: 5}'"
        )
    if _TARGET not in node:
        return (None if options.keys() <= {"seed"} else "tpe"), options
    target = str(node[_TARGET])
    module, _, cls = target.rpartition(".")
    found = re.fullmatch(r"(?:create_)?(\w+?)_?sampler(?:config)?", cls.lower())
    name = found[1] if found else cls.lower()
    known = name in SAMPLERS and module.startswith(_PEERS)
    if not known and target != AUTO:
        raise ConfigError(
            f"{_KEY}.{_TARGET}={target}: sweeps have no such sampler; {suggest(name, SAMPLERS)}; "
            "write for example hydra/sweeper/sampler=tpe"
        )
    return name, options


def choose_sampler(conditional: bool) -> str:
    """The sampler that `auto` takes for a search: gp if its library is there, but tpe where a drawn
    value decides which others there are (docs/sweeps.md has the figures).

    It does not follow from the number of trials, so that a sweep may go on with more of them.
    """
    return "gp" if SAMPLERS["gp"].is_installed and not conditional else "tpe"


def check_sampler(name: str | None, options: Mapping[str, Any], several: bool) -> None:
    """Raise ConfigError for a sampler that does not exist, cannot be made or knows too little.

    Args:
        name: The sampler; None and `auto` are left to `choose_sampler`.
        options: Arguments of its class.
        several: Whether the sweep has several objectives or constraints.
    """
    if name is not None and name not in NAMES:
        raise ConfigError(
            f"{_KEY}={name}: must be one of {', '.join(NAMES)}; {suggest(name, NAMES)}"
        )
    _check_history(name, options, several)
    sampler = SAMPLERS.get(name or "")
    if sampler is None:
        return
    if not sampler.is_installed:
        raise ConfigError(
            f"{_KEY}={name}: needs {sampler.package}, which is not installed; "
            f"run: {install_line(sampler.package)}, or use {_KEY}=tpe"
        )
    if several and not sampler.several:
        raise ConfigError(
            f"{_KEY}={name}: knows neither several objectives nor constraints; use tpe or nsgaii"
        )


def _check_history(name: str | None, options: Mapping[str, Any], several: bool) -> None:
    history = options.get(HISTORY)
    if history is None:
        return
    if name not in (None, "tpe") or several:
        raise ConfigError(
            f"hydra.sweeper.sampler_options.{HISTORY}={history}: is for the tpe sampler with one "
            "objective and no constraints; leave it out"
        )
    if not isinstance(history, int) or history < _SHORTEST_HISTORY:
        raise ConfigError(
            f"hydra.sweeper.sampler_options.{HISTORY}={history}: must be a whole number from "
            f"{_SHORTEST_HISTORY} on; try 500"
        )


def build_pruner(name: str, options: Mapping[str, Any]) -> Any:
    """The pruner with this name. Raises ConfigError if Optuna refuses its options."""
    from optuna import pruners

    if name == HALVING:
        _check_halving(options)
        return pruners.NopPruner()  # `sweep.halving` judges before the first fold
    defaults = {"percentile": 50.0} if name == "percentile" else {}
    classes: dict[str, Any] = {
        "none": pruners.NopPruner,
        "median": pruners.MedianPruner,
        "percentile": pruners.PercentilePruner,
        "hyperband": pruners.HyperbandPruner,
        "wilcoxon": pruners.WilcoxonPruner,
    }
    return built(classes[name], {**defaults, **options}, "pruner")


def _check_halving(options: Mapping[str, Any]) -> None:
    """Raise ConfigError for another option than the number of rungs."""
    known = options.get("rungs", N_RUNGS)
    if options.keys() <= {"rungs"} and type(known) is int and 1 <= known <= N_RUNGS:
        return
    given = json.dumps(dict(options), default=str)
    raise ConfigError(
        f"hydra.sweeper.pruner_options={given}: {HALVING} has one option, rungs, 1 or {N_RUNGS}; "
        "leave it out, or write 'hydra.sweeper.pruner_options={rungs: 1}'"
    )


def built(cls: Any, options: Mapping[str, Any], name: str) -> Any:
    """An object of an Optuna class.

    Args:
        cls: The class.
        options: Its arguments.
        name: What it is, `sampler` or `pruner`.

    Raises:
        ConfigError: The class refuses the options.
    """
    from optuna.exceptions import ExperimentalWarning

    with warnings.catch_warnings():
        # What the official plugin's configs still name: Optuna warns, and takes no notice of it.
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", ExperimentalWarning)
        try:
            return cls(**options)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"hydra.sweeper.{name}_options={json.dumps(options, default=str)}: {cls.__name__} "
                f"refuses them ({one_line(error)}); see Optuna's documentation of {cls.__name__}"
            ) from error


def _argument(key: str, value: Any) -> Any:
    """An argument of a sampler: a node that names a class, as of a crossover, becomes an object."""
    if key == "reference_points":
        return np.asarray(value, dtype=float)
    if not isinstance(value, Mapping) or _TARGET not in value:
        return value
    module, _, cls = str(value[_TARGET]).rpartition(".")
    if module not in _PARTS or not hasattr(import_module(module), cls):
        raise ConfigError(
            f"{_KEY}: {value[_TARGET]} is not a class of {' or '.join(_PARTS)}; name one of them"
        )
    options = {k: _argument(k, part) for k, part in value.items() if k != _TARGET}
    return built(getattr(import_module(module), cls), options, "sampler")
