"""How long MLflow's page takes to draw the charts of a run.

    .venv/bin/python benchmarks/mlflow_page.py [--repeats 3]

A run of econmath is opened in headless Chromium (Debian's `chromium`), once as it is sent by
default and once with `tracking.all_metrics=true`; medians of the seconds until every chart of its
page is drawn, in a window that is high enough for all.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlflow import MlflowClient

sys.path.insert(0, str(Path(__file__).parents[1]))
from student_perf.store.views import run_address
from tests.browser import Page, browser
from tests.servers import mlflow_server

EXPERIMENT = "exam"
HEAD = r"document.body.innerText.match(/Model metrics\s*\((\d+)\)/)[1]"
DRAWN = "document.querySelectorAll('.js-plotly-plot .main-svg').length > 0 && "
DRAWN += "document.querySelectorAll('.js-plotly-plot').length"
SETTINGS = {
    # Else MLflow's assistant takes a fifth of each first page.
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}
DARK = "_mlflow_dark_mode_toggle_enabled"


def train(workspace: Path, address: str, *words: str) -> None:
    """A run or sweep in the workspace, sent to the server."""
    tracking = [f"tracking.uri={address}", f"tracking.experiment={EXPERIMENT}"]
    command = [sys.executable, "-m", "student_perf.train", *words, *tracking]
    environment = os.environ | {"STUDENT_PERF_WORKSPACE": str(workspace)}
    subprocess.run(command, env=environment, check=True, capture_output=True)


def seconds_to_draw(address: str) -> tuple[float, int]:
    """Seconds until all charts of a run's page are drawn, and how many there are."""
    with browser(1600, 16_000) as page:
        prepare(page, address.partition("#")[0])
        started = time.perf_counter()
        page.open(address.replace("?", "/model-metrics?"))
        n_charts = int(page.wait(HEAD))
        page.wait(f"({DRAWN}) >= {n_charts}")
        return time.perf_counter() - started, n_charts


def prepare(page: Page, server: str, dark: bool = False) -> None:
    """The settings of a user who has been here before."""
    page.open(server)
    page.wait("localStorage.length")
    for key, value in {**SETTINGS, DARK: str(dark).lower()}.items():
        page.ask(f"localStorage.setItem('{key}', '{value}')")


def main() -> None:
    """Run, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, mlflow_server(Path(place)) as server:
        workspace = Path(place) / "workspace"
        train(workspace, server, "model=tree")
        client = MlflowClient(tracking_uri=server)
        found = client.get_experiment_by_name(EXPERIMENT)
        assert found is not None
        experiment = found.experiment_id
        train(workspace, server, "model=tree", "tracking.all_metrics=true")
        newest_first = client.search_runs([experiment], "tags.`student_perf.kind` = 'single'")
        runs = {"all metrics": newest_first[0], "default": newest_first[-1]}
        for name, run in runs.items():
            address = run_address(server, experiment, run.info.run_id)
            taken = [seconds_to_draw(address) for _ in range(chosen.repeats)]
            median = statistics.median(seconds for seconds, _ in taken)
            print(f"{name:<12} {taken[0][1]:>4} charts  {median:6.1f} s")


if __name__ == "__main__":
    main()
