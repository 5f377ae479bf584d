"""Our server, with and without its arrays, and `mlflow models serve` on one model: requests a
second and latency.

    python benchmarks/serve.py                        # model=logreg, three rounds of 10 s
    python benchmarks/serve.py --seconds 3 --repeats 1 --overrides model=rf

Trains a model into a temporary workspace, starts the servers on loopback with one worker each, and
asks them in turn: single rows and batches of 100, one connection kept open, rows drawn anew for
each request. MLflow's answer holds the class only, ours the probabilities too.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from student_perf.config.load import compose_config, register_resolvers, validate
from student_perf.data.dataset import load_dataset
from student_perf.paths import PACKAGE_DIR, WORKSPACE_VARIABLE
from student_perf.runs.record import load_record
from student_perf.store.attachments import model_name

SIZES = (1, 100)
# The same server, but every request becomes a pandas table.
_FROM_TABLES = """
from student_perf import cli
from student_perf.serving import serve

serve.make_array_model = lambda kept, golden: None
raise SystemExit(cli.main())
"""
_BODIES = 200
_START_SECONDS = 120


@dataclass
class Server:
    """A running server and how it is asked; `seconds` are the latencies by rows of a request."""

    name: str
    port: int
    path: str
    key: str
    seconds: dict[int, list[float]] = field(default_factory=dict)
    rates: dict[int, list[float]] = field(default_factory=dict)


def main() -> None:
    """Train, start, ask in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10, help="of each measurement")
    parser.add_argument("--repeats", type=int, default=3, help="rounds, the servers in turn")
    parser.add_argument("--overrides", nargs="*", default=["model=logreg"], help="of the training")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = _environment(Path(folder))
        model = _train(chosen.overrides, environment, Path(folder))
        rows = _rows(chosen.overrides)
        ours, tables, theirs = _free_port(), _free_port(), _free_port()
        servers = [
            Server("mlflow models serve", theirs, "/invocations", "dataframe_records"),
            Server("ours, from tables", tables, "/predict", "rows"),
            Server("student_perf serve", ours, "/predict", "rows"),
        ]
        words = ["serve", "-m", model, "--env-manager", "local", "--port", str(theirs)]
        mlflow = ["-m", "mlflow", "models", *words]
        mine = ["-m", "student_perf", "serve", model, "--port", str(ours)]
        slow = ["-c", _FROM_TABLES, "serve", model, "--port", str(tables)]
        log = Path(folder) / "servers.log"
        with (
            _running(mlflow, environment, theirs, "/ping", log),
            _running(slow, environment, tables, "/ready", log),
            _running(mine, environment, ours, "/ready", log),
        ):
            for number in range(chosen.repeats):
                for size in SIZES:
                    for server in servers if number % 2 == 0 else servers[::-1]:
                        _ask(server, size, rows, chosen.seconds)
    _print(servers, chosen.overrides)


def _environment(folder: Path) -> dict[str, str]:
    """That of this process, with a workspace and store of its own."""
    return os.environ | {
        WORKSPACE_VARIABLE: str(folder),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        # MLflow calls `uvicorn` by its bare name.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(PACKAGE_DIR.parent),
    }


def _train(overrides: list[str], environment: dict[str, str], folder: Path) -> str:
    """MLflow's address of the model of a run trained through the command line."""
    words = ["split=holdout", "report.importance=false", f"hydra.run.dir={folder}/run", *overrides]
    command = [sys.executable, "-m", "student_perf.train", *words]
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    record = load_record(folder / "run")
    return f"runs:/{record.mlflow_run_id}/{model_name(record)}"


def _rows(overrides: list[str]) -> list[dict[str, Any]]:
    """The rows of the dataset, as JSON holds them."""
    register_resolvers()
    features = load_dataset(validate(compose_config(overrides)).dataset).features
    table = features.astype(object).where(features.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


@contextmanager
def _running(
    words: list[str], environment: dict[str, str], port: int, path: str, log: Path
) -> Iterator[None]:
    """A server that answers; ended with its processes."""
    with log.open("a") as output:
        process = subprocess.Popen(
            [sys.executable, *words],
            env=environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            _wait(process, port, path, log)
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, path: str, log: Path) -> None:
    for _ in range(_START_SECONDS * 2):
        if process.poll() is not None:
            break
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"the server on port {port} did not start:\n{log.read_text()[-3000:]}")


def _ask(server: Server, size: int, rows: list[dict[str, Any]], seconds: float) -> None:
    """Ask for `seconds`, one request after the other, after a short time that does not count."""
    rng = np.random.default_rng(0)
    bodies = [
        json.dumps({server.key: [rows[i] for i in rng.integers(len(rows), size=size)]}).encode()
        for _ in range(_BODIES)
    ]
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.connect()
    assert connection.sock is not None
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _ask_until(connection, server.path, bodies, time.perf_counter() + min(1.0, seconds))
    started = time.perf_counter()
    latencies = _ask_until(connection, server.path, bodies, started + seconds)
    server.rates.setdefault(size, []).append(len(latencies) / (time.perf_counter() - started))
    server.seconds.setdefault(size, []).extend(latencies)
    connection.close()


def _ask_until(
    connection: http.client.HTTPConnection, path: str, bodies: list[bytes], end: float
) -> list[float]:
    headers: Mapping[str, str] = {"Content-Type": "application/json"}
    latencies: list[float] = []
    while (started := time.perf_counter()) < end:
        connection.request("POST", path, bodies[len(latencies) % len(bodies)], headers)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {content[:500]!r}")
        latencies.append(time.perf_counter() - started)
    return latencies


def _print(servers: list[Server], overrides: list[str]) -> None:
    print(f"{' '.join(overrides)}; one connection; the median of the rounds' rates")
    print(
        f"{'rows':>5}  {'server':<20} {'requests/s':>10} {'p50 ms':>8} {'p99 ms':>8} {'ratio':>6}"
    )
    for size in SIZES:
        base = float(np.median(servers[0].rates[size]))
        for server in servers:
            rate = float(np.median(server.rates[size]))
            middle, late = np.percentile(server.seconds[size], [50, 99]) * 1000
            figures = f"{rate:>10.0f} {middle:>8.2f} {late:>8.2f} {rate / base:>5.1f}x"
            print(f"{size:>5}  {server.name:<20} {figures}")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


if __name__ == "__main__":
    main()
