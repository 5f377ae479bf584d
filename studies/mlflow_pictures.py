"""Pictures of our saved views in MLflow's page, in light and dark, for the documentation.

    .venv/bin/python studies/mlflow_pictures.py [--folder docs/images]

Makes two runs and a sweep of econmath in a server of its own and opens the page in headless
Chromium (Debian's `chromium`): the table and the charts of the sweep's view, and the views of runs
and of their pictures.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from mlflow import MlflowClient
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from mlflow_page import EXPERIMENT, prepare, train

from student_perf.paths import PACKAGE_DIR
from student_perf.store.views import experiment_address
from tests.browser import browser
from tests.servers import mlflow_server

RUNS = (
    ["model=tree"],
    ["model=rf"],
    ["-m", "search=tree", "hydra.sweeper.n_trials=24", "hydra.sweeper.study_name=exam-tree"],
)
VIEWS = {
    "mlflow_sweep": ("sweep.exam-tree", ""),
    "mlflow_charts": ("sweep.exam-tree", "CHART"),
    "mlflow_runs": ("runs", ""),
    "mlflow_pictures": ("pictures", "CHART"),
}
COLOURS = 128  # of a picture, which is then a third as large


def save_pictures(server: str, experiment: str, folder: Path) -> None:
    """Each view in light and dark."""
    for theme in ("light", "dark"):
        with browser(1700, 1000) as page:
            prepare(page, server, theme == "dark")
            for name, (view, mode) in VIEWS.items():
                words = f"viewStateShareKey=student_perf.{view}"
                words += f"&compareRunsMode={mode}" if mode else ""
                page.open(f"{experiment_address(server, experiment)}&{words}")
                page.wait("document.body.innerText.includes('tree')")
                time.sleep(8)  # for animations, of whose end the page says nothing
                file = folder / f"{name}_{theme}.png"
                page.save(file)
                with Image.open(file) as picture:
                    smaller = picture.convert("RGB").quantize(COLOURS)
                smaller.save(file, optimize=True)


def main() -> None:
    """Run, open, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--folder", type=Path, default=PACKAGE_DIR.parent / "docs" / "images")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, mlflow_server(Path(place)) as server:
        for words in RUNS:
            train(Path(place) / "workspace", server, *words)
        experiment = MlflowClient(tracking_uri=server).get_experiment_by_name(EXPERIMENT)
        assert experiment is not None
        save_pictures(server, experiment.experiment_id, chosen.folder)


if __name__ == "__main__":
    main()
