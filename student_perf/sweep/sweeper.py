"""Hydra's entry to sweeps. Imported whenever Hydra starts, so it imports nothing heavy."""

from __future__ import annotations

from typing import Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


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
        from student_perf.sweep.engines import jobs_of
        from student_perf.sweep.start import start_sweep

        node: Any = OmegaConf.to_container(OmegaConf.create(self._options), resolve=True)
        launch = jobs_of(self._context, self._config, bool(node.get("detach")))
        loader = self._context.config_loader
        folder = start_sweep(self._config, node, arguments, loader, launch)
        return None if folder is None else str(folder)
