import json
import shutil

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from student_perf.errors import ConfigError
from student_perf.experiment.run import run_experiment
from student_perf.reproduction.reproduce import Verdict, reproduce
from student_perf.reproduction.results import Sameness
from student_perf.runs.layout import CONFIG_FILE
from student_perf.runs.looks import LEDGER_FILE
from student_perf.runs.record import load_record
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.winner import run_winner
from student_perf.terminal import Terminal
from tests.conftest import compose_config, write_grades
from tests.made_runs import QUICK, change_record, read, seal_again
from tests.shortcuts import without_pictures
from tests.sweep.conftest import outcome_of, plan_of, run_trials  # noqa: F401 (a fixture)

CASES = [
    ["model=logreg"],
    ["model=tree", "dataset=attend", "split=repeated_kfold", "split.n_repeats=2"],
    ["model=xgb", "model.n_estimators=5", "dataset=econmath_score"],
    pytest.param(
        ["model=rf", "model.n_estimators=5", "seed=3", "model.n_jobs=1"], marks=pytest.mark.slow
    ),
    pytest.param(
        ["model=elastic_net", "dataset=synthetic", "dataset.rows=300"], marks=pytest.mark.slow
    ),
    ["model=ridge", "dataset=econmath_score", "split=holdout"],
]


@pytest.mark.parametrize("overrides", CASES, ids=lambda o: o[0])
@pytest.mark.slow
def test_a_run_comes_out_again_to_the_last_digit(overrides, run, tmp_path):
    quick = QUICK[:2] if "split=holdout" in overrides else QUICK
    verdict = reproduce(read(run(*overrides, quick=quick)), tmp_path / "again")
    assert verdict.sentence == "identical"
    assert verdict.is_same
    assert [one.what for one in verdict.comparisons] == [
        "predictions",
        "scores of folds",
        "metrics",
        "model",
    ]
    assert {part.part for part in verdict.differences if part.same is False} == set()


def parts(verdict: Verdict) -> list[str]:
    return [part.part for part in verdict.causes]


@pytest.fixture(scope="module")
def graded_once(tmp_path_factory):
    """The record of a run, and the file of its rows."""
    folder = tmp_path_factory.mktemp("graded")
    rows = write_grades(folder / "grades.csv")
    words = ["model=logreg", "dataset=csv", f"dataset.path={rows}", "dataset.target=grade"]
    config = compose_config(*QUICK, *words)
    with without_pictures():
        return run_experiment(config, folder / "run", Terminal(quiet=True)).record, rows


@pytest.fixture
def graded(graded_once, workspace):
    """The test's own copy of the run."""
    folder = workspace / "outputs/2026-01-02/run-0"
    shutil.copytree(graded_once[0].folder, folder)
    return load_record(folder)


@pytest.mark.slow
def test_one_changed_cell_of_the_data_is_the_reason(graded, graded_once, tmp_path):
    file = graded_once[1]
    rows = file.read_bytes()
    table = pd.read_csv(file)
    table.loc[17, "absences"] += 1
    table.to_csv(file, index=False)
    try:
        verdict = reproduce(read(graded), tmp_path / "again")
    finally:
        file.write_bytes(rows)
    assert not verdict.is_same
    assert parts(verdict) == ["data"]
    assert "columns with other values: absences" in verdict.causes[0].lines
    assert verdict.sentence == "different because of the data"


def test_one_changed_value_of_the_config_is_the_reason(graded, tmp_path):
    file = graded.folder / CONFIG_FILE
    content = yaml.safe_load(file.read_text())
    content["model"]["C"] = 50.0
    file.write_text(yaml.safe_dump(content, sort_keys=False))
    seal_again(graded.folder)
    verdict = reproduce(read(graded), tmp_path / "again")
    assert parts(verdict) == ["config"]
    assert verdict.causes[0].lines == ["model.C: 1.0 in the record -> 50.0 in config.yaml"]
    assert verdict.sameness is Sameness.DIFFERENT


@pytest.mark.slow
def test_one_changed_package_is_named_and_no_reason_where_results_are_the_same(graded, tmp_path):
    file = graded.folder / "pip_list.txt"
    lines = [x for x in file.read_text().splitlines() if not x.startswith("scikit-learn==")]
    file.write_text("\n".join([*lines, "scikit-learn==0.1"]))
    provenance = graded.folder / "provenance.json"
    if provenance.is_file():
        content = json.loads(provenance.read_text())
        content["packages"]["scikit-learn"] = "0.1"
        provenance.write_text(json.dumps(content))
    seal_again(graded.folder)
    checked = reproduce(read(graded), tmp_path / "no", check_only=True)
    assert not (tmp_path / "no").exists()
    assert parts(checked) == ["environment"]
    assert not checked.is_same
    assert checked.causes[0].lines[0].startswith("scikit-learn: 0.1 -> ")
    again = reproduce(read(graded), tmp_path / "again")
    assert again.sentence == "identical"
    assert again.differences[-1].same is False


@pytest.mark.slow
def test_one_changed_line_of_code_is_the_reason_where_results_differ(graded, tmp_path, monkeypatch):
    from student_perf.reproduction import reproduce as module
    from student_perf.reproduction.differences import CodeFacts

    diff = "diff --git a/student_perf/x.py b/student_perf/x.py\n-C = 1\n+C = 2"
    monkeypatch.setattr(module, "recorded_code", lambda run: CodeFacts("0", "a" * 40, ""))
    monkeypatch.setattr(module, "current_code", lambda *_: CodeFacts("0", "a" * 40, diff))
    original = module.run_again

    def changed(config, kind, folder):
        figures = original(config, kind, folder)
        table = pq.read_table(folder / "predictions.parquet").to_pandas()
        table["proba_low"] += 0.1
        table.to_parquet(folder / "predictions.parquet")
        return figures

    assert "code" not in parts(reproduce(read(graded), tmp_path / "same"))
    monkeypatch.setattr(module, "run_again", changed)
    verdict = reproduce(read(graded), tmp_path / "again")
    assert parts(verdict) == ["code"]
    assert verdict.causes[0].lines == ["student_perf/x.py", "  -C = 1", "  +C = 2"]


@pytest.mark.slow
def test_a_difference_without_a_reason_says_so(graded, tmp_path):
    metrics = {**graded.metrics, "cv_accuracy_mean": 0.123}
    change_record(graded, metrics=metrics)
    verdict = reproduce(read(graded), tmp_path / "again")
    assert not verdict.is_same
    assert "show no reason" in verdict.sentence


def test_a_last_digit_is_within_tolerance(graded, tmp_path):
    metrics = {**graded.metrics, "cv_accuracy_mean": graded.metrics["cv_accuracy_mean"] + 1e-12}
    change_record(graded, metrics=metrics)
    verdict = reproduce(read(graded), tmp_path / "again")
    assert verdict.sentence.startswith("same within tolerance (1e-06")
    assert verdict.is_same


@pytest.mark.slow
def test_a_strangers_record_runs_nothing(graded, tmp_path, monkeypatch):
    file = graded.folder / CONFIG_FILE
    content = yaml.safe_load(file.read_text())
    content["model"]["classifier"] = {"_target_": "os.system", "command": f"touch {tmp_path}/bad"}
    file.write_text(yaml.safe_dump(content))
    seal_again(graded.folder)
    for check_only in (True, False):
        with pytest.raises(ConfigError, match=r"os\.system"):
            reproduce(read(graded), tmp_path / "again", check_only)
    assert not (tmp_path / "bad").exists()


@pytest.mark.slow
def test_trials_and_the_winner_come_out_again(plan_of, workspace, tmp_path, monkeypatch):  # noqa: F811
    from rich.console import Console

    from student_perf.sweep.study import open_study

    words = ["model=logreg", "report.importance=false", "model.C=0.1,10"]
    plan, evaluator = plan_of(*words)
    run_trials(plan, evaluator)
    for number in (0, 1):
        verdict = reproduce(read(load_record(plan.folder / str(number))), tmp_path / str(number))
        assert verdict.sentence == "identical"
        assert verdict.comparisons[0].what == "predictions"
    monkeypatch.setattr("student_perf.sweep.winner.Terminal", lambda: Terminal(quiet=True))
    outcome = outcome_of(plan, evaluator)
    winner = load_record(run_winner(plan, outcome, open_study(plan), Console(quiet=True)))
    looks = (workspace / LEDGER_FILE).read_text()
    verdict = reproduce(read(winner), tmp_path / "winner")
    assert verdict.sentence == "identical"
    assert (workspace / LEDGER_FILE).read_text() == looks
    change_record(winner, metrics={**winner.metrics, "test_accuracy": 0.999})
    changed = reproduce(read(winner), tmp_path / "changed")
    assert "test_accuracy (0.999" in changed.comparisons[2].words


def test_the_evaluator_of_trials_agrees_with_a_single_run(run):
    record = run("model=logreg")
    result = TrialEvaluator().evaluate(compose_config(*QUICK, "model=logreg"))
    recorded = record.metrics["fold_accuracy"]
    np.testing.assert_array_equal(result.fold_scores["accuracy"], recorded)


@pytest.mark.parametrize("name", ["model.skops", "predictions.parquet"])
@pytest.mark.slow
def test_results_that_are_damaged_are_one_line(name, graded, tmp_path):
    (graded.folder / name).write_bytes(b"damaged")
    graded.seal()
    with pytest.raises(ConfigError, match="its results cannot be read"):
        reproduce(read(graded), tmp_path / "again")
