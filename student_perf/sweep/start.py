"""A sweep from Hydra's config and overrides, however they came: by `-m` or from Python."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from student_perf.masking import learn_secrets
from student_perf.sweep.nested import run_nested
from student_perf.sweep.options import make_options
from student_perf.sweep.plan import SweepPlan, load_search
from student_perf.sweep.run import run_sweep
from student_perf.terminal import make_console

_SUBDIR = "${hydra.job.num}"  # Hydra's default


def start_sweep(
    config: DictConfig,
    node: Mapping[str, Any],
    arguments: Sequence[str],
    loader: ConfigLoader,
    launch: Callable[[SweepPlan], None] | None = None,
) -> Path | None:
    """Run the sweep that the overrides describe.

    Args:
        config: What the overrides that do not sweep compose to, with Hydra's own node.
        node: The options `hydra.sweeper.*`, resolved.
        arguments: The overrides as they were typed.
        loader: Of the configs in `conf/`.
        launch: Starts the workers elsewhere; by default they run on this machine.

    Returns:
        The folder of the winner or of the nested result; None if no trial has finished, or for a
        preview.

    Raises:
        StudentPerfError: The plan does not hold, or the sweep had to stop.
    """
    learn_secrets([("hydra.sweeper.storage", node.get("storage"))])
    options = make_options(node)
    overrides = OverridesParser.create(loader).parse_overrides(list(arguments))
    _say_unused(config)
    own = [override for override in overrides if not override.is_hydra_override()]
    run = partial(
        run_sweep,
        is_group=lambda key: bool(loader.get_group_options(key, results_filter=ObjectType.CONFIG)),
        load_search=load_search,
        root=Path(config.hydra.sweep.dir),
        hydra_config=OmegaConf.to_yaml(config.hydra),
        launch=launch,
    )
    return run_nested(options, own, run) if _is_nested(config) else run(options, own)


def _is_nested(config: DictConfig) -> bool:
    """Whether there are outer folds to go through."""
    return bool(config.split.kind == "nested" and config.split.outer_fold is None)


def _say_unused(config: DictConfig) -> None:
    """Say which settings of Hydra's own sweeper do nothing here."""
    node: Any = OmegaConf.to_container(config.hydra, resolve=False)
    if node["sweep"]["subdir"] != _SUBDIR:
        make_console().print(
            "  hydra.sweep.subdir has no effect: each trial's folder is its number in the sweep's"
        )
    if node["job"]["chdir"]:
        make_console().print(
            "  hydra.job.chdir has no effect: trials share processes, which stay in this folder"
        )
