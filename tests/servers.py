"""A real `mlflow server` on loopback, for the slow tests."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Without the eight processes for jobs of MLflow's own, which start slowly.
QUICK_SERVER = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def mlflow_server(folder: Path, port: int | None = None, store: str | None = None) -> Iterator[str]:
    """Address of a server that keeps its runs in `folder`, or in an existing store; ended with all
    its processes.
    """
    port = free_port() if port is None else port
    address = f"http://127.0.0.1:{port}"
    store = f"sqlite:///{folder}/server.db" if store is None else store
    words = ["--backend-store-uri", store, "--host", "127.0.0.1", "--port", str(port)]
    words += ["--artifacts-destination", str(folder / "artifacts"), "--workers", "1"]
    command = [sys.executable, "-m", "mlflow", "server", *words]
    with (folder / "server.log").open("a") as log:
        server = subprocess.Popen(
            command, stdout=log, stderr=log, start_new_session=True, env=os.environ | QUICK_SERVER
        )
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{address}/health", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.5)
            yield address
        finally:
            os.killpg(server.pid, 9)
            server.wait()


@contextmanager
def postgres() -> Iterator[str]:
    """URI of a fresh database of a throw-away PostgreSQL on loopback, with a password."""
    with postgres_server() as server:
        yield server.uri


class PostgresServer:
    """A throw-away PostgreSQL that can go and come back."""

    def __init__(self, folder: Path, user: dict[str, Any]) -> None:
        self.data, port = ["-D", str(folder / "data")], free_port()
        self.quiet: dict[str, Any] = {
            "check": True,
            "stdout": subprocess.DEVNULL,
            "cwd": folder,
            **user,
        }
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        self._words = ["-w", "-l", str(folder / "log"), "-o", options]
        self.uri = f"postgresql://tracker:rosebud77@127.0.0.1:{port}/postgres"

    def add_database(self, name: str) -> str:
        """URI of another database, empty, for Optuna."""
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        address = self.uri.rpartition("/")[0].replace("postgresql:", "postgresql+psycopg:")
        return f"{address}/{name}"

    def start(self) -> None:
        subprocess.run(["pg_ctl", *self.data, *self._words, "start"], **self.quiet)

    def stop(self, mode: str = "immediate") -> None:
        subprocess.run(["pg_ctl", *self.data, "-m", mode, "stop"], **self.quiet)


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A running `PostgresServer` with an empty database."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as place:
        folder, user = Path(place), dict[str, Any]()
        if os.getuid() == 0:  # which PostgreSQL refuses to run as
            shutil.chown(folder, "postgres")
            user = {"user": "postgres"}
        (folder / "password").write_text("rosebud77")
        words = ["-U", "tracker", "--pwfile", str(folder / "password"), "--auth", "scram-sha-256"]
        server = PostgresServer(folder, user)
        subprocess.run(["initdb", *server.data, *words], **server.quiet)
        server.start()
        try:
            yield server
        finally:
            server.stop()
