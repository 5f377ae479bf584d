"""MLflow's own server on this machine, for its page: started, waited for, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import IO

from student_perf.errors import ConfigError, TrackingError
from student_perf.signals import raising

HOST = "127.0.0.1"
_PAUSE = 0.1  # seconds between two looks whether it answers
_LAST_LINES = 1  # of what a server said that has failed


def serve_page(uri: str, port: int, ready: Callable[[], None]) -> None:
    """Serve MLflow's page of a store on loopback until this process is interrupted.

    Args:
        uri: The store.
        port: Where the page answers.
        ready: Called once it does.

    Raises:
        ConfigError: The port is taken.
        TrackingError: The server ended; with what it said last.
    """
    check_free(port)
    # In the environment: everybody can read the words of a process, and this may hold a password.
    environment = os.environ | {"MLFLOW_BACKEND_STORE_URI": uri}
    with tempfile.TemporaryFile("w+") as said, raising():  # shown only if it fails
        server = subprocess.Popen(
            _command(port),
            env=environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # a closed terminal would have uvicorn restart, not end
        )
        try:
            while server.poll() is None and not _answers(port):
                time.sleep(_PAUSE)
            if server.poll() is None:
                ready()
            code = server.wait()
        except KeyboardInterrupt:
            return
        finally:
            _end(server)
        raise TrackingError(f"MLflow's server ended (exit code {code}): {_last_words(said)}")


def check_free(port: int) -> None:
    """Raise ConfigError if another program answers at a port of this machine."""
    with socket.socket() as probe:
        if probe.connect_ex((HOST, port)) == 0:
            raise ConfigError(
                f"--port={port}: another program answers there; choose a free one, for example "
                f"--port {port + 1}"
            )


def _command(port: int) -> list[str]:
    return [sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port)]


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=1):
            return True
    except OSError:
        return False


def _end(server: subprocess.Popen[bytes]) -> None:
    """End the server and the processes that it has started, which would outlive it."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
    elif server.poll() is None:
        server.terminate()
    server.wait()


def _last_words(said: IO[str]) -> str:
    said.seek(0)
    lines = [line.strip() for line in said if line.strip()]
    return "; ".join(lines[-_LAST_LINES:]) or "it said nothing"
