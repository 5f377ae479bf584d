"""`python -m student_perf ui`: MLflow's page on this machine."""

from __future__ import annotations

import argparse
import subprocess
import sys

from student_perf.commands.arguments import TRACKING, reading, store_of
from student_perf.exit_codes import ExitCode

HELP = "open MLflow's page on this machine"
GROUP = TRACKING
PARENTS = (reading(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Port."""
    parser.add_argument("--port", type=int, default=5000, help="port of the page")


def run(chosen: argparse.Namespace) -> int:
    """Serve MLflow's page on loopback until Ctrl-C. Raises TrackingError if there is none."""
    from student_perf.store.address import is_server
    from student_perf.store.client import check_readable

    store = store_of(chosen)
    if is_server(store):
        print(f"The store is a server already; open {store} in a browser.")
        return ExitCode.DONE
    check_readable(store)
    # Without the parameter MLflow's page starts in its view for generative AI.
    page = f"http://127.0.0.1:{chosen.port}/#/experiments?workflowType=machine_learning"
    print(f"MLflow's page (Ctrl-C ends it): {page}", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store]
    return subprocess.call([*command, "--host", "127.0.0.1", "--port", str(chosen.port)])
