"""A worker job that a Hydra launcher starts, maybe on another machine."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from student_perf.config.load import register_resolvers
from student_perf.errors import ConfigError
from student_perf.experiment.prepare import PreparedData
from student_perf.locks import is_held
from student_perf.runs.layout import SWEEP_LOCK_FILE
from student_perf.runs.seal import sha256_of
from student_perf.runs.versions import code_sha256
from student_perf.signals import leave_to_parent
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.local import run_workers
from student_perf.sweep.places import reserved_place
from student_perf.sweep.plan import FILES, SweepPlan, of_files
from student_perf.sweep.study import differences


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
        self._check(evaluator.data(self.plan.base))
        with reserved_place(self.plan) as place:
            run_workers(self.plan, evaluator, lambda: None, places=[place], command=os.getppid())

    def _check(self, data: PreparedData) -> None:
        """Raise ConfigError if this machine would not run what the command has planned, or does not
        see its locks, by which nobody's trial is run twice.
        """
        here = {"data": data.dataset.sha256[:16], "split": data.split.sha256[:16]}
        files = map(Path, self.plan.fingerprints.get(FILES, ()))
        here |= of_files({file: sha256_of(file) if file.is_file() else "" for file in files})
        differ = list(differences(self.plan.fingerprints, here | {"code": code_sha256()}))
        if differ:
            raise ConfigError(
                f"{platform.node()}: has other data, files or code than the command "
                f"({'; '.join(differ)}); give it the same"
            )
        if not self.plan.options.detach and not is_held(self.plan.folder / SWEEP_LOCK_FILE):
            raise ConfigError(
                f"{self.plan.folder}: {platform.node()} does not see that the command holds its "
                "lock; the command is gone, or this file system has no locks between machines"
            )
