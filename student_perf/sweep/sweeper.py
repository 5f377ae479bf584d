"""Hydra's entry to sweeps. Imported whenever Hydra starts, so it imports nothing heavy."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from student_perf.masking import masking_logs

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
        from student_perf.sweep.start import start_sweep

        node: Any = OmegaConf.to_container(OmegaConf.create(self._options), resolve=True)
        launch = None if _is_basic(self._config) else self._launch
        loader = self._context.config_loader
        folder = start_sweep(self._config, node, arguments, loader, launch)
        return None if folder is None else str(folder)

    def _launch(self, plan: SweepPlan) -> None:
        """Start the workers as jobs of the configured launcher and wait for them."""
        from student_perf.sweep.remote import RemoteWorker

        launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=RemoteWorker(plan), config=self._config
        )
        # Hydra would write the words, with whatever secrets they hold, beside each job.
        quiet = ["hydra.output_subdir=null", f"hydra.sweep.dir='{plan.folder / 'workers'}'"]
        job = [*plan.composer.words(plan.chosen), *quiet]
        root = logging.getLogger()
        level, handlers = root.level, root.handlers[:]
        try:
            with masking_logs():  # launchers show the words of each job
                jobs = launcher.launch([job] * plan.options.n_jobs, initial_job_idx=0)
            for done in jobs:
                _ = done.return_value  # raises what the job raised
        finally:  # launchers restore Hydra's logging
            root.level, root.handlers = level, handlers


def _is_basic(config: DictConfig) -> bool:
    return str(config.hydra.launcher._target_).endswith("BasicLauncher")
