"""A worker job that a Hydra launcher starts, maybe on another machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from student_perf.config.load import register_resolvers
from student_perf.signals import leave_to_parent
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.local import run_workers
from student_perf.sweep.places import reserved_place
from student_perf.sweep.plan import SweepPlan


@dataclass
class RemoteWorker:
    """Task function of the job: it looks after one worker, as the command itself does here."""

    plan: SweepPlan

    def __call__(self, cfg: DictConfig) -> None:
        """Run the worker; `cfg` is the sweep's base config, which the plan holds too."""
        # Relative paths count from where the command was given, also with hydra.job.chdir.
        if (cwd := Path(HydraConfig.get().runtime.cwd)).is_dir():
            os.chdir(cwd)
        leave_to_parent()
        register_resolvers()
        evaluator = TrialEvaluator(n_workers=self.plan.options.n_jobs)
        evaluator.data(self.plan.base)
        with reserved_place(self.plan) as place:
            run_workers(self.plan, evaluator, lambda: None, places=[place], command=os.getppid())
