"""Hydra's entry to sweeps. Imported whenever Hydra starts, so it imports nothing heavy."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

if TYPE_CHECKING:
    from student_perf.sweep.plan import SweepPlan


class OptunaSweeper(Sweeper):
    """Runs every `-m`: the grid of plain choices, or Optuna's search of a space.

    The configured Hydra launcher starts workers, not trials; with Hydra's basic one the workers
    run on this machine.
    """

    def __init__(self, **options: Any) -> None:
        self._options = options

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what Hydra hands over."""
        self._context, self._config = hydra_context, config

    def sweep(self, arguments: list[str]) -> str | None:
        """Run the sweep that the overrides describe; returns the folder of its result."""
        from student_perf.sweep.nested import run_nested
        from student_perf.sweep.options import make_options
        from student_perf.sweep.run import run_sweep

        node: Any = OmegaConf.to_container(OmegaConf.create(self._options), resolve=True)
        options = make_options(node)
        overrides = OverridesParser.create(self._context.config_loader).parse_overrides(arguments)
        own = [override for override in overrides if not override.is_hydra_override()]
        run = partial(
            run_sweep,
            is_group=self._is_group,
            load_search=self._load_search,
            root=Path(self._config.hydra.sweep.dir),
            hydra_config=OmegaConf.to_yaml(self._config.hydra),
            launch=None if _is_basic(self._config) else self._launch,
        )
        folder = run_nested(options, own, run) if _is_nested(self._config) else run(options, own)
        return None if folder is None else str(folder)

    def _is_group(self, key: str) -> bool:
        loader = self._context.config_loader
        return bool(loader.get_group_options(key, results_filter=ObjectType.CONFIG))

    def _load_search(self, name: str) -> Mapping[str, Any]:
        from student_perf.sweep.plan import load_search

        return load_search(name)

    def _launch(self, plan: SweepPlan) -> None:
        """Start the workers as jobs of the configured launcher and wait for them."""
        from student_perf.sweep.worker import RemoteWorker

        launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=RemoteWorker(plan), config=self._config
        )
        job = [*plan.composer.fixed, f"hydra.sweep.dir='{plan.folder / 'workers'}'"]
        root = logging.getLogger()
        level, handlers = root.level, root.handlers[:]
        try:
            for done in launcher.launch([job] * plan.options.n_jobs, initial_job_idx=0):
                _ = done.return_value  # raises what the job raised
        finally:  # launchers restore Hydra's logging
            root.level, root.handlers = level, handlers


def _is_nested(config: DictConfig) -> bool:
    """Whether there are outer folds to go through."""
    return bool(config.split.kind == "nested" and config.split.outer_fold is None)


def _is_basic(config: DictConfig) -> bool:
    return str(config.hydra.launcher._target_).endswith("BasicLauncher")
