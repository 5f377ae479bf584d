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
from student_perf.experiment.run import run_experiment
from student_perf.runs import tags
from student_perf.runs.record import load_record
from student_perf.store.find import find_group
from student_perf.store.views import (
    experiment_address,
    page_of,
    pictures_view,
    run_address,
    runs_view,
    sweep_view,
    view_address,
)
from student_perf.sweep.standings import shape_of
from student_perf.sweep.study import read_outcome
from student_perf.terminal import Terminal
from tests.browser import CHROMIUM, browser
from tests.conftest import compose_config
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
            "p_to_best": "p_best",
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


@pytest.fixture(scope="module")
def experiment(server, tmp_path_factory):
    """Two single runs in an experiment of their own: its id, and their records."""
    folder, records = tmp_path_factory.mktemp("pictures"), []
    for depth in (2, 5):
        words = ("model=tree", f"model.max_depth={depth}", "dataset=econmath", *SMALL[:2])
        config = compose_config(*words, f"tracking.uri={server}", "tracking.experiment=pictures")
        run = run_experiment(config, folder / str(depth), Terminal(quiet=True))
        records.append(run.record)
    client = MlflowClient(tracking_uri=server)
    return client.get_run(records[0].mlflow_run_id).info.experiment_id, records


def test_pictures_of_runs_stand_side_by_side(server, experiment, page, keep):
    view = pictures_view(["confusion_matrix", "reliability", "importance"], "accuracy")
    page.open(view_address(page_of(server), experiment[0], view))
    shown = "[...document.querySelectorAll('img')].filter(e => e.naturalWidth > 100).length"
    page.wait(f"{shown} == 2 * 2")  # without the importance, which these runs leave out
    assert page.ask(NAME) == "Pictures"
    keep("pictures")


def test_tables_of_runs_are_laid_side_by_side(server, experiment, page, keep):
    view = runs_view(["accuracy"], ["econmath"])
    address = view_address(page_of(server), experiment[0], view)
    page.open(f"{address}&compareRunsMode=ARTIFACT")
    page.wait("document.body.innerText.includes('tables/')")
    page.wait("document.body.innerText.includes('all rows, accuracy')")
    keep("tables")


def test_the_page_of_models_shows_names_and_scores_under_the_dataset(
    server, experiment, page, keep
):
    start = experiment_address(page_of(server), experiment[0])
    page.open(start.replace("/runs?", "/models?"))
    page.wait("document.body.innerText.includes('tree-econmath')")
    page.wait("document.body.innerText.includes('cv_accuracy_mean')")
    text = page.text()
    assert text.count("tree-econmath\n") >= 2
    assert "student_perf.train" in text
    assert "econmath (#" in text
    keep("models")


def test_the_page_of_a_run_says_its_result_and_has_few_charts(server, experiment, page, keep):
    record = experiment[1][0]
    address = run_address(page_of(server), experiment[0], record.mlflow_run_id)
    page.open(address)
    page.wait("document.body.innerText.includes('Verdict')")
    assert f"accuracy {record.mean('accuracy'):.3f} (95 % interval" in page.text()
    keep("run")
    page.open(address.replace("?", "/model-metrics?"))
    count = r"document.body.innerText.match(/Model metrics\s*\((\d+)\)/)[1]"
    assert int(page.wait(count)) < 40
    keep("run_charts")
