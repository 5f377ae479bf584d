"""Workers as jobs of a Hydra launcher: joblib, Slurm (by submitit), Ray."""

from __future__ import annotations

import copy
import hashlib
import logging
import os
import subprocess
import threading
import time
from importlib.util import find_spec
from typing import TYPE_CHECKING

from hydra.core.plugins import Plugins
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext
from omegaconf import DictConfig, open_dict

from student_perf.config.explain import not_installed
from student_perf.errors import ConfigError
from student_perf.masking import masking_logs
from student_perf.sweep.places import living_places

if TYPE_CHECKING:
    from student_perf.sweep.plan import SweepPlan

log = logging.getLogger(__name__)

_BASIC = "BasicLauncher"  # Hydra's own, which stands for workers on this machine
_SLURM = "SlurmLauncher"
_RAY = "RayLauncher"
_LOOK = 2  # seconds between two looks at Slurm's queue
_GRACE = 5  # seconds in which the results of jobs that have left the queue may come
_SECONDS_TO_QUEUE = 60  # in which a job has to be in the queue for the first time


class LostJobsError(RuntimeError):
    """Jobs that a launcher waits for will not come."""


def jobs_of(context: HydraContext, config: DictConfig, detach: bool) -> Jobs | None:
    """What starts workers elsewhere; None if they run on this machine.

    Raises:
        ConfigError: The launcher is not installed, or its jobs cannot outlive the command.
    """
    target = str(config.hydra.launcher._target_)
    if detach and not target.endswith(_SLURM):
        raise ConfigError(
            "hydra.sweeper.detach=true: only jobs of Slurm outlive their command; leave it out, or "
            "choose hydra/launcher=slurm"
        )
    if target.endswith(_BASIC):
        return None
    try:
        found = find_spec(target.rpartition(".")[0])
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise not_installed(config.hydra.runtime.choices["hydra/launcher"])
    return Jobs(context, config, is_slurm=target.endswith(_SLURM), detach=detach)


class Jobs:
    """Starts the workers of a plan as jobs of the configured launcher, and waits for them."""

    def __init__(
        self, context: HydraContext, config: DictConfig, is_slurm: bool, detach: bool
    ) -> None:
        self._context, self._config = context, config
        self._is_slurm, self._detach = is_slurm, detach

    def __call__(self, plan: SweepPlan) -> None:
        """As many as the sweep has places, but for those that living workers have. Raises what a
        job raises, or LostJobsError.
        """
        places = range(plan.options.n_jobs)
        n_jobs = len(set(places) - living_places(plan))
        if n_jobs and self._is_slurm:
            self._watch_queue(plan, n_jobs)
        elif n_jobs:
            self._launch(plan, n_jobs, self._config)

    def _launch(self, plan: SweepPlan, n_jobs: int, config: DictConfig) -> None:
        from student_perf.sweep.remote import RemoteWorker

        config = _of_launcher(config)
        launcher: Launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self._context, task_function=RemoteWorker(plan), config=config
        )
        # Hydra would write the words, with whatever secrets they hold, beside each job.
        quiet = ["hydra.output_subdir=null", f"hydra.sweep.dir='{plan.folder / 'workers'}'"]
        job = [*plan.composer.words(plan.chosen), *quiet]
        root = logging.getLogger()
        level, handlers = root.level, root.handlers[:]
        try:
            with masking_logs():  # launchers show the words of each job
                jobs = launcher.launch([job] * n_jobs, initial_job_idx=0)
            for done in jobs:
                _ = done.return_value  # raises what the job raised
        finally:  # launchers restore Hydra's logging
            root.level, root.handlers = level, handlers

    def _watch_queue(self, plan: SweepPlan, n_jobs: int) -> None:
        """Launch in a thread, since submitit waits for ever for a job that is gone where Slurm has
        no accounting, and look at Slurm's queue meanwhile.
        """
        name = _job_name(plan)
        config = copy.deepcopy(self._config)
        with open_dict(config):
            config.hydra.launcher.name = name
        raised: list[Exception] = []

        def launch() -> None:
            try:
                self._launch(plan, n_jobs, config)
            except Exception as error:
                raised.append(error)

        _ask_no_accounting()
        thread = threading.Thread(target=launch, daemon=True)
        thread.start()
        try:
            _await(thread, name)
        except KeyboardInterrupt:
            if not self._detach:
                cancel(name)
            raise
        if raised:
            raise raised[0]


def _of_launcher(config: DictConfig) -> DictConfig:
    """The config for a launcher: its log lines go where all others go, and not to the terminal."""
    config = copy.deepcopy(config)
    with open_dict(config):
        config.hydra.hydra_logging = {"version": 1, "root": None, "disable_existing_loggers": False}
        if str(config.hydra.launcher._target_).endswith(_RAY):
            _fit_ray(config.hydra.launcher.ray.init)
    return config


def _fit_ray(init: DictConfig) -> None:
    """Leave the size of Ray's object store to a cluster that runs: it refuses the launcher's."""
    if init.get("address") or os.environ.get("RAY_ADDRESS"):
        init.setdefault("object_store_memory", None)


def _ask_no_accounting() -> None:
    """Have submitit wait for results only. It would ask `sacct` again and again and, without
    accounting, pass its complaints on to the terminal; queue and locks tell as much.
    """
    from submitit.slurm.slurm import SlurmInfoWatcher, SlurmJob

    class NoAccounting(SlurmInfoWatcher):  # type: ignore[misc]  # which mypy does not see
        def update(self) -> None:
            """Ask nobody."""

    SlurmJob.watcher = NoAccounting()


def _await(thread: threading.Thread, name: str) -> None:
    """Wait for a thread whose jobs have a name. Raises LostJobsError if they are gone."""
    until = time.monotonic() + _SECONDS_TO_QUEUE
    while thread.is_alive():
        thread.join(_LOOK)
        if is_queued(name):
            until = time.monotonic() + _GRACE
        elif time.monotonic() > until and thread.is_alive():
            raise LostJobsError(f"Slurm has no job {name} any more")


def _job_name(plan: SweepPlan) -> str:
    """By which Slurm tells the jobs of a sweep, also from a sweep of this name elsewhere."""
    return f"{plan.study_name}-{hashlib.sha256(str(plan.folder).encode()).hexdigest()[:6]}"


def is_queued(name: str) -> bool:
    """Whether Slurm has a job of this name, waiting or at work; also if it does not answer."""
    asked = _slurm("squeue", name, "--noheader", "--format=%i")
    return asked is None or bool(asked.strip())


def cancel(name: str) -> None:
    """Have Slurm end the jobs of this name."""
    if _slurm("scancel", name) is None:
        log.warning("scancel --name=%s has failed; cancel the jobs by hand", name)


def _slurm(program: str, name: str, *words: str) -> str | None:
    """What a program of Slurm says of this user's jobs of a name; None if it fails."""
    command = [program, f"--user={os.getuid()}", f"--name={name}", *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("%s: %s", program, error)
        return None
    return done.stdout
