"""A Ray cluster of two nodes on loopback, of one core each.

The development environment has no Ray, so the test that needs it is skipped there and in CI. An
environment that has `hydra-ray-launcher`, too, runs it:

    python -m pytest -m slow -n 0 tests/faults/test_ray.py
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers import free_port

_START = (sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1",
          "--node-ip-address=127.0.0.1", "--disable-usage-stats")  # fmt: skip
_BYTES = 80_000_000  # for objects; Ray would take a third of the memory
_STARTED = "Ray runtime started."
_SECONDS = 120


class NotHereError(RuntimeError):
    """Why there can be no cluster on this machine."""


@dataclass
class RayCluster:
    """Two nodes.

    Attributes:
        address: By which a driver finds them.
        token: The environment by which it may use them.
        second: The process that keeps the second one.
    """

    address: str
    token: dict[str, str]
    second: subprocess.Popen[bytes]

    def kill_second(self) -> None:
        """Kill the raylet of the second node, on which all else hangs there."""
        os.kill(_child(self.second.pid, "raylet"), signal.SIGKILL)


@contextmanager
def ray_cluster(environment: Mapping[str, str]) -> Iterator[RayCluster]:
    """A running cluster. Raises NotHereError if it does not start.

    Args:
        environment: Of the nodes, so of all that works on them, besides this process's own.
    """
    address = f"127.0.0.1:{free_port()}"
    # Ray listens on all addresses of the machine; nobody else is to give it work.
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": uuid.uuid4().hex}
    known = {**environment, **token}
    # The paths of Ray's sockets leave no room for one of pytest's long folders.
    with tempfile.TemporaryDirectory(prefix="ray-", ignore_cleanup_errors=True) as place:
        port = address.rpartition(":")[2]
        head = ("--head", f"--port={port}", "--include-dashboard=false", f"--temp-dir={place}")
        with (
            _node(head, Path(place) / "first", known),
            _node((f"--address={address}",), Path(place) / "second", known) as second,
        ):
            yield RayCluster(address, token, second)


@contextmanager
def _node(
    words: tuple[str, ...], log: Path, environment: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    """A node that has started; all its processes end with the one that keeps it."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*_START, f"--object-store-memory={_BYTES}", *words],
            env=os.environ | environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        _await_start(process, log)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_start(process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _SECONDS
    while _STARTED not in (said := log.read_text(encoding="utf-8", errors="replace")):
        if process.poll() is not None or time.monotonic() > until:
            raise NotHereError(f"Ray does not start here: {said[-500:]}")
        time.sleep(0.2)


def _child(parent: int, name: str) -> int:
    """The child of a process that runs a program of this name."""
    text = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    (found,) = (
        int(pid)
        for pid in text.split()
        if Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip() == name
    )
    return found
