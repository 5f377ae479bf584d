"""A command with everything it starts: seconds, processor time, and how that grew meanwhile."""

from __future__ import annotations

import os
import resource
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_PAUSE = 0.1
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Measured:
    """`started` and `ended` in seconds since the epoch, `cpu` in seconds over all processes;
    `samples` are pairs of time and processor seconds so far, empty without /proc.
    """

    started: float
    ended: float
    cpu: float
    samples: np.ndarray
    output: str

    def cpu_between(self, start: float, end: float) -> float:
        """Processor seconds of all processes from one time to another; NaN without samples."""
        if not len(self.samples):
            return float("nan")
        low, high = np.interp([start, end], self.samples[:, 0], self.samples[:, 1])
        return float(high - low)


def run_measured(commands: Sequence[Sequence[str]], environment: dict[str, str]) -> Measured:
    """Run commands at the same time; raises CalledProcessError with the output of a failed one."""
    # Compiled modules are kept, as wherever people work: imports take twice as long without.
    environment = {k: v for k, v in environment.items() if k != "PYTHONDONTWRITEBYTECODE"}
    before, started = _cpu_of_children(), time.time()
    over = threading.Event()
    samples: list[tuple[float, float]] = []
    watcher = threading.Thread(target=_watch, args=(over, samples))
    with tempfile.TemporaryFile("w+") as output:
        processes = [
            subprocess.Popen(c, env=environment, stdout=output, stderr=subprocess.STDOUT)
            for c in commands
        ]
        watcher.start()
        codes = [process.wait() for process in processes]
        ended = time.time()
        over.set()
        watcher.join()
        output.seek(0)
        text = output.read()
    for command, code in zip(commands, codes, strict=True):
        if code:
            raise subprocess.CalledProcessError(code, command, text)
    return Measured(started, ended, _cpu_of_children() - before, np.array(samples), text)


def write_after_worker(write: Callable[[], object]) -> None:
    """Have the worker of a sweep in this process call `write` at its end: it is a fork of this
    process, and what it has measured is known there only.
    """
    from student_perf.sweep.worker import Worker

    run = Worker.run

    def run_and_write(worker: Worker) -> None:
        run(worker)
        write()

    setattr(Worker, "run", run_and_write)  # noqa: B010 (mypy refuses a plain assignment)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(over: threading.Event, samples: list[tuple[float, float]]) -> None:
    while not over.wait(_PAUSE):
        if found := _processes():
            samples.append((time.time(), _tree_cpu(found, os.getpid())))


def _processes() -> dict[int, tuple[int, float, float]]:
    """Parent, own seconds, and those of ended children it has waited for, of each process."""
    found = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            words = file.read_text().rpartition(")")[2].split()
        except OSError:  # ended meanwhile
            continue
        own, waited = (sum(int(w) for w in words[i : i + 2]) / _TICKS for i in (11, 13))
        found[int(file.parent.name)] = (int(words[1]), own, waited)
    return found


def _tree_cpu(found: dict[int, tuple[int, float, float]], root: int) -> float:
    total, parents = found[root][2], {root}
    while parents:
        children = {pid for pid, (parent, _, _) in found.items() if parent in parents}
        total += sum(found[pid][1] + found[pid][2] for pid in children)
        parents = children
    return total
