"""`python -m student_perf ui`: MLflow's page on this machine."""

from __future__ import annotations

import argparse
import subprocess
import sys

from student_perf.errors import ConfigError

HELP = "open MLflow's page on this machine"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Store and port."""
    parser.add_argument(
        "--store", help="tracking URI; default: MLFLOW_TRACKING_URI or the project's"
    )
    parser.add_argument("--port", type=int, default=5000)


def run(chosen: argparse.Namespace) -> int:
    """Serve MLflow's page on loopback until Ctrl-C. Raises ConfigError where there is no store."""
    from student_perf.config.load import default_tracking
    from student_perf.store.address import is_absent, is_server

    store = chosen.store or default_tracking().uri
    if is_server(store):
        print(f"The store is a server already; open {store} in a browser.")
        return 0
    if is_absent(store):
        raise ConfigError(f"--store {store}: no such database yet; run `make train` first")
    # Without the parameter MLflow's page starts in its view for generative AI.
    page = f"http://127.0.0.1:{chosen.port}/#/experiments?workflowType=machine_learning"
    print(f"MLflow's page (Ctrl-C ends it): {page}", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    return subprocess.call([*command, "--host", "127.0.0.1", "--port", str(chosen.port)])
