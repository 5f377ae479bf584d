"""Saved views in MLflow's own page: an address opens a sweep, ranked, with its columns and charts.

The pictures go to the folder that STUDENT_PERF_SCREENSHOTS names, where somebody may look at them.
"""

import os
import re
from pathlib import Path

import pytest
from mlflow import MlflowClient

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.show import rows
from student_perf.runs import tags
from student_perf.runs.record import load_record
from student_perf.store.find import find_group
from student_perf.store.views import (
    page_of,
    page_version,
    pictures_view,
    run_address,
    save_views,
    sweep_view,
    view_address,
)
from student_perf.sweep.standings import shape_of
from student_perf.sweep.study import read_outcome
from tests.browser import CHROMIUM, browser
from tests.servers import mlflow_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

SMALL = ("split.n_splits=3", "report.importance=false", "hydra.sweeper.n_jobs=1")
# What stands in the page in any order: heads by their place, rows by their index.
HEADS = """
[...document.querySelectorAll('.ag-header-cell')]
.sort((a, b) => a.getBoundingClientRect().x - b.getBoundingClientRect().x)
.map(e => e.getAttribute('col-id'))
"""
ROWS = """
[...document.querySelectorAll('.ag-cell[col-id="attributes.`Run Name`"]')]
.map(e => [e.closest('.ag-row').getAttribute('row-index'), e.innerText.trim().split('\\n').pop()])
.sort((a, b) => a[0] - b[0]).map(pair => pair[1])
"""
SECTIONS = """
[...document.querySelectorAll('[data-testid="experiment-view-compare-runs-section-header"]')]
.map(e => e.innerText.replace(/\\s+/g, ' '))
"""
CARD = "document.querySelector('[data-testid=\"experiment-view-compare-runs-card\"]')"
LINES_OF_FIRST = f"{CARD}.innerText.split('\\n')"
PLOTS = "document.querySelectorAll('.js-plotly-plot').length"
NAME = "document.querySelector('[data-testid=\"saved-views-trigger\"]').innerText.trim()"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("server")) as address:
        yield address


@pytest.fixture(scope="module")
def page(server):
    with browser(3000, 1700) as one:
        one.open(server)
        one.wait("localStorage.length")
        # Else MLflow's assistant takes a fifth of each first page.
        one.ask("localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true')")
        one.ask("localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false')")
        yield one


@pytest.fixture
def keep(page, tmp_path):
    """Leaves a picture of the page where somebody may look at it."""
    place = Path(os.environ.get("STUDENT_PERF_SCREENSHOTS", tmp_path))
    place.mkdir(parents=True, exist_ok=True)

    def save(name):
        page.save(place / f"{name}.png")
        assert (place / f"{name}.png").stat().st_size > 50_000  # an empty page is smaller

    return save


def sweep(train, server, *words):
    """Run a sweep; returns the address that its closing lines print."""
    done = train("-m", "search=tree", *SMALL, f"tracking.uri={server}", *words)
    assert done.code == 0, done.err
    (address,) = re.findall(r"  open +(http\S+)", done.out)
    return address


def expected(folder, server):
    """The view that the sweep should have, and its runs in the order of `compare` in the store."""
    outcome = read_outcome(folder)
    compared = cli_rows(server, folder.name)
    agree(server, compared)
    names = [row["run"] for row in compared]
    return sweep_view(shape_of(outcome)), [outcome.winner.name, *names]


def cli_rows(server, study):
    """What `compare` says of a sweep, read from the store alone."""
    board = make_leaderboards(find_group([study], store=server))[0]
    return rows(board)


def agree(server, compared):
    """`compare` and the page never disagree: every figure of a run is the leaderboard's."""
    client = MlflowClient(tracking_uri=server)
    for row in compared:
        data = client.get_run(row["mlflow_run_id"]).data
        metric = row["metric"]
        for ours, theirs in {
            "rank": "rank",
            f"cv_{metric}_mean": "mean",
            f"cv_{metric}_ci95_low": "ci95_low",
            f"cv_{metric}_ci95_high": "ci95_high",
            "to_best": "minus_best",
            "to_best_low": "minus_best_ci95_low",
            "to_best_high": "minus_best_ci95_high",
            "p_to_best": "p_holm",
        }.items():
            assert data.metrics[ours] == pytest.approx(row[theirs]), (row["run"], ours)
        assert data.tags[tags.TIED] == ("tied" if row["tied"] else "worse")


def check(page, keep, address, view, order, name):
    page.open(address)
    page.wait(f"({ROWS}).length == {len(order)}")
    rows = page.ask(ROWS)
    assert rows == order
    shown = [head for head in page.ask(HEADS) if head in view.columns]
    assert shown == list(view.columns)
    assert page.ask(NAME) == view.name
    keep(f"{name}_runs")

    page.open(f"{address}&compareRunsMode=CHART")
    page.wait(f"{PLOTS} >= 4")
    page.wait(f"({LINES_OF_FIRST}).length > 6")  # axes of the parallel chart, the last to be drawn
    heads = page.wait(SECTIONS)
    expected = [f"{s.title} ({len(s.charts)}) Add chart" for s in view.sections]
    assert heads[: len(expected)] == expected
    assert heads[len(expected)].startswith("Model metrics")
    keep(f"{name}_charts")


def test_a_classification_sweep_opens_ranked_with_its_columns_and_charts(
    train, workspace, server, page, keep
):
    address = sweep(train, server, "dataset=econmath", "hydra.sweeper.n_trials=6")
    (folder,) = (workspace / "multirun").iterdir()
    view, order = expected(folder, server)
    assert order[0] == "tree-econmath-winner"
    assert "metrics.`cv_accuracy_ci95_low`" in view.columns
    assert "params.`model.max_depth`" in view.columns
    check(page, keep, address, view, order, "classification")

    experiment = address.split("/experiments/")[1].split("/")[0]
    winner = load_record(folder / "winner").mlflow_run_id
    page.open(run_address(page_of(server), experiment, winner))
    page.wait("document.body.innerText.includes('Run ID')")
    assert "Model registry" in page.text()  # which the page for generative AI does not have


def test_a_regression_sweep_has_the_least_error_first(train, workspace, server, page, keep):
    address = sweep(train, server, "dataset=econmath_score", "hydra.sweeper.n_trials=5")
    (folder,) = (workspace / "multirun").iterdir()
    view, order = expected(folder, server)
    assert "metrics.`test_root_mean_squared_error`" in view.columns
    check(page, keep, address, view, order, "regression")


def test_a_continued_sweep_replaces_its_view(train, workspace, server, page, keep):
    words = ("dataset=econmath", "hydra.sweeper.study_name=again", "tracking.experiment=again")
    first = sweep(train, server, *words, "hydra.sweeper.n_trials=3")
    folder = workspace / "multirun" / "again"
    address = sweep(train, server, *words, "hydra.sweeper.n_trials=6")
    view, order = expected(folder, server)
    assert address == first
    assert len(order) == 7
    check(page, keep, address, view, order, "continued")

    page.click("document.querySelector('[data-testid=\"saved-views-trigger\"]')")
    menu = page.wait("document.querySelector('[role=\"menu\"]').innerText")
    assert menu.count("Sweep again") == 1
    assert menu.index("Sweep again") < menu.index("Runs and winners")
    keep("continued_views")
    page.press("Escape")


def test_pictures_of_runs_stand_side_by_side(train, workspace, server, page, keep):
    from PIL import Image

    client = MlflowClient(tracking_uri=server)
    for depth in (2, 5):
        words = ("model=tree", f"model.max_depth={depth}", "dataset=econmath", *SMALL[:2])
        assert train(*words, f"tracking.uri={server}", "tracking.experiment=pictures").code == 0
    records = [load_record(f.parent) for f in (workspace / "outputs").glob("*/*/record.json")]
    for record in records:
        picture = Image.open(record.folder / "confusion_matrix.png")
        client.log_image(record.mlflow_run_id, picture, key="confusion_matrix", step=0)
    experiment = client.get_run(records[0].mlflow_run_id).info.experiment_id
    view = pictures_view(["confusion_matrix"], "accuracy")
    assert save_views(client, experiment, [view], page_version(server))
    page.open(view_address(page_of(server), experiment, view))
    shown = "[...document.querySelectorAll('img')].filter(e => e.naturalWidth > 100).length"
    page.wait(f"{shown} == 2")
    keep("pictures")
