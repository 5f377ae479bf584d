import re
from dataclasses import replace

import pytest

from student_perf.experiment.run import run_experiment
from student_perf.runs import tags
from student_perf.runs.card import model_card, run_note
from student_perf.runs.record import Recorded
from student_perf.terminal import Terminal


@pytest.fixture
def run(workspace, compose_config):
    """Makes a quick finished run without pictures."""

    def make(*overrides):
        quick = ("tracking=off", "report.importance=false", "split.n_splits=2")
        config = compose_config(*quick, *overrides)
        record = run_experiment(config, workspace / "run", Terminal(quiet=True)).record
        return Recorded(record, config.composed)

    return make


def test_the_card_holds_the_figures_of_the_run(run):
    finished = run("model=ridge")
    record, card = finished.record, model_card(finished)
    assert card == finished.text("model_card.md")
    for title in ("Data", "Intended use", "Limits", "Results by group", "How to check it"):
        assert f"\n## {title}\n" in card
    mean = record.metrics["cv_accuracy_mean"]
    low, high = (record.metrics[f"cv_accuracy_ci95_{end}"] for end in ("low", "high"))
    dummy = record.metrics["dummy_accuracy_mean"]
    assert f"| accuracy | {mean:.3f} | {low:.3f} to {high:.3f} | {dummy:.3f} |" in card
    assert record.tags["student_perf.data_sha256"] in card
    assert "under_60, 60_to_70, 70_to_80, from_80" in card
    assert re.search(r"\| male \| 1 \| 341 \| accuracy \|", card)


@pytest.mark.slow
def test_limits_name_noise_and_looks(run):
    finished = run("model=ridge")
    metrics = {**finished.record.metrics, "label_noise_ceiling": 0.912, "test_looks": 3.0}
    card = model_card(replace(finished, record=replace(finished.record, metrics=metrics)))
    assert "accuracy of any model to 0.912" in card
    assert "opened 3 times" in card


@pytest.mark.slow
def test_names_from_data_are_no_markup(run, grades):
    text = grades.read_text().replace("grade", "a|b<script>", 1)
    grades.write_text(text)
    words = ["dataset=csv", f"dataset.path={grades}", "dataset.target='a|b<script>'"]
    card = model_card(run("model=ridge", *words))
    assert "<script>" not in card
    assert "a\\|b&lt;script>" in card


def test_the_note_says_result_verdict_data_and_how_to_repeat_it(run):
    record = run("model=logreg").record
    note = record.tags[tags.NOTE]
    interval = record.estimate("accuracy")
    assert f"accuracy {interval.mean:.3f} (95 % interval {interval.low:.3f}" in note
    assert "2 folds; the dummy baseline has 0.3" in note
    assert "- **Verdict**: " in note
    assert f"econmath (version {record.dataset_version}), {record.n_rows} rows" in note
    assert f"`python -m student_perf reproduce {record.record_id[:8]}`" in note
    assert "Test rows" not in note


@pytest.mark.slow
def test_the_note_of_a_winner_has_its_test_rows(run):
    record = run("model=logreg").record
    record.metrics |= {"test_accuracy": 0.5, "test_looks": 2.0}
    record.metrics |= {"test_accuracy_ci95_low": 0.4, "test_accuracy_ci95_high": 0.6}
    row = {"mean": 0.55, "low": None, "high": None, "dummy": None}
    note = run_note(record, {"accuracy": row})
    assert "- **Test rows**: accuracy 0.500 (95 % interval 0.400 to 0.600); opened 2 times." in note
    assert "- **Result**: accuracy 0.550 on rows the model did not see, 2 folds." in note


def test_a_trial_has_means_only(run):
    finished = run("model=ridge")
    (finished.folder / "metrics.json").unlink()
    (finished.folder / "subgroups.csv").unlink()
    finished.record.seal()
    card = model_card(finished)
    mean = finished.record.metrics["cv_accuracy_mean"]
    assert f"| accuracy | {mean:.3f} | - | - |" in card
    assert "The dataset names no subgroups, or the run was a trial." in card
