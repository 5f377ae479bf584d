"""MLflow's own page in headless Chromium: a sweep is readable and comparable there as it is.

The pictures go to the folder that STUDENT_PERF_SCREENSHOTS names, where somebody may look at them.
"""

import html
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
from mlflow import MlflowClient

from student_perf.runs.record import load_record
from tests.servers import free_port

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--window-size=1400,1000", "--virtual-time-budget=30000"),
)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


@contextmanager
def page_of(workspace):
    """Address of `python -m student_perf ui` on this workspace."""
    port = free_port()
    command = [sys.executable, "-m", "student_perf", "ui", "--port", str(port)]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address
    finally:
        running.terminate()  # it ends MLflow's server with all its processes
        running.wait(timeout=60)


def look(address, name, place, profile):
    """Text and markup of a page after its scripts have run; leaves its picture in `place`."""
    command = [CHROMIUM, *QUIET, f"--user-data-dir={profile}", f"--screenshot={place}/{name}.png"]
    done = subprocess.run(
        [*command, "--dump-dom", address], capture_output=True, text=True, timeout=180, check=True
    )
    assert (place / f"{name}.png").stat().st_size > 50_000  # an empty page is smaller
    return html.unescape(done.stdout)


def test_a_sweep_is_compared_and_its_report_opened_in_mlflows_page(train, workspace, tmp_path):
    words = ["model=xgb", "model.max_depth=2,3,4", "split.n_splits=3", "report.importance=false"]
    assert train("-m", *words, "model.n_estimators=20").code == 0
    (folder,) = (workspace / "multirun").iterdir()
    parent = (folder / "mlflow_run_id").read_text()
    trials = [load_record(folder / str(number)) for number in range(3)]
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    experiment = client.get_run(parent).info.experiment_id
    ids, of = (quote(json.dumps(x)) for x in ([t.mlflow_run_id for t in trials], [experiment]))
    place = Path(os.environ.get("STUDENT_PERF_SCREENSHOTS", tmp_path))
    place.mkdir(parents=True, exist_ok=True)

    with page_of(workspace) as address:
        runs = f"{address}/#/experiments/{experiment}/runs"
        listed = look(runs, "runs", place, tmp_path / "profile")
        assert folder.name in listed

        compared = f"{address}/#/compare-runs?runs={ids}&experiments={of}"
        text = look(compared, "compare", place, tmp_path / "profile")
        assert "Comparing 3 Runs from 1 Experiment" in text
        assert "Parallel Coordinates" in text
        for trial in trials:
            assert trial.name in text
        for word in ("model.max_depth", "cv_accuracy_mean", "swept.model.max_depth"):
            assert word in text

        overview = look(f"{runs}/{parent}", "sweep", place, tmp_path / "profile")
        assert "xgb-econmath-winner" in overview
        assert "Best" in overview  # of the note

        report = look(f"{runs}/{parent}/artifacts/report.html", "report", place, tmp_path / "p")
        assert "report.html" in report
        assert "srcdoc" in report or "iframe" in report
