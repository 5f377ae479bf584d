import numpy as np
import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.outcome import load_sweep
from student_perf.pages.report import sweep_page
from student_perf.pages.sweep_section import markdown_note, sweep_section
from student_perf.runs.record import load_record
from student_perf.scoring.intervals import fold_interval
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import paired_difference
from tests.made_runs import change_record
from tests.pages.page_reader import Reader, leaderboard

RNG = np.random.default_rng(11)
FOLDS = [(0.5 + RNG.normal(0, 0.02, 5)).tolist() for _ in range(11)]
FOLDS[4] = [value + 0.04 for value in FOLDS[4]]
FOLDS[7] = [value - 0.3 for value in FOLDS[7]]  # surely worse


@pytest.fixture
def folder(sweep_folder):
    return sweep_folder(FOLDS)


def test_figures_of_the_page_are_those_of_the_records(folder):
    rows = leaderboard(Reader(sweep_page(load_sweep(folder))))
    assert len(rows) == len(FOLDS)
    means = [float(row["mean"]) for row in rows]
    assert means == sorted(means, reverse=True)
    for row in rows:
        scores = np.array(FOLDS[int(row["trial"].split()[0])])
        estimate = fold_interval(scores, 0.25, METRICS["accuracy"])
        assert row["mean"] == f"{scores.mean():.3f}"
        assert row["95 % interval"] == f"{estimate.low:.3f} to {estimate.high:.3f}"
        assert row["minus best"] == f"{scores.mean() - np.mean(FOLDS[4]):+.3f}"
    assert rows[0]["trial"] == "4"
    assert [row["trial"] for row in rows if "defaults" in row["trial"]] == ["0 (defaults)"]


def test_ties_are_those_of_the_leaderboard(folder):
    rows = leaderboard(Reader(sweep_page(load_sweep(folder))))
    (board,) = make_leaderboards([load_record(folder / str(i)) for i in range(len(FOLDS))])
    assert [row["tied"] for row in rows] == ["yes" if line.tied else "no" for line in board.lines]
    assert rows[-1]["trial"] == "7"
    assert rows[-1]["tied"] == "no"


@pytest.mark.slow
def test_the_gain_over_the_defaults_is_the_paired_one(folder):
    text = " ".join(Reader(sweep_page(load_sweep(folder))).text)
    gain = paired_difference(np.array(FOLDS[4]), np.array(FOLDS[0]), 0.25)
    expected = f"{gain.mean:+.3f} better than the defaults ({np.mean(FOLDS[0]):.3f})"
    assert expected in text
    assert f"{gain.low:+.3f} to {gain.high:+.3f}" in text


def test_of_a_loss_less_is_better(sweep_folder):
    folds = [[9.0, 9.1, 9.2], [8.0, 8.2, 8.1]]
    found = sweep_folder(folds, metric="root_mean_squared_error")
    for number in range(2):
        record = load_record(found / str(number))
        record.params["dataset.task"] = "regression"
        record.save()
    reader = Reader(sweep_page(load_sweep(found)))
    assert leaderboard(reader)[0]["trial"] == "1"
    assert "+1.000 better than the defaults (9.100)" in " ".join(reader.text)
    assert "less is better" in " ".join(reader.text)


def test_the_widget_holds_the_whole_config_of_each_run(folder):
    (data,) = Reader(sweep_page(load_sweep(folder))).json
    assert len(data["runs"]) == len(FOLDS)
    assert data["runs"][0]["name"].startswith("trial 4")
    whole = data["base"] | data["runs"][0]["changed"]
    params = load_record(folder / "4").params
    assert whole == {key: params.get(key) for key in whole}
    assert whole["model.C"] == "0.0001"


def test_without_a_script_the_page_shows_what_the_best_changes(folder):
    text = sweep_page(load_sweep(folder))
    assert '<div class="diff" hidden>' in text
    assert ["model.C", "1.0", "0.0001"] in [row for table in Reader(text).tables for row in table]


@pytest.mark.parametrize("state", ["nothing finished", "one trial", "one fold"])
def test_little_makes_a_page_too(sweep_folder, state):
    folds = [[0.5]] * 3 if state == "one fold" else [[0.5, 0.6]]
    found = sweep_folder(folds)
    if state == "nothing finished":
        load_record(found / "0").fail("ValueError: no luck")
    sweep = load_sweep(found)
    text = " ".join(Reader(sweep_page(sweep)).text)
    note = markdown_note(sweep)
    if state == "nothing finished":
        assert "No trial has finished." in text
        assert "1: ValueError: no luck" in text
        assert note.startswith("- No trial has finished.\n- **Failed**: 1 of 1 trials.\n")
        assert "- **Trials**: 1 failed\n" in note
    else:
        assert "The defaults were not beaten." in text
        assert "nan" not in note.lower()


def test_importances_come_from_outside_and_may_be_missing(folder):
    without = sweep_page(load_sweep(folder)).count("<img")
    assert sweep_page(load_sweep(folder, {"model.C": 1.0})).count("<img") == without + 1


def test_the_note_says_best_counts_gain_and_winner(folder, make_record):
    winner = make_record("final", FOLDS[4], study="mine", kind="final", number=4)
    winner.mlflow_run_id = "ab" * 16
    winner.save()
    note = markdown_note(load_sweep(folder))
    estimate = fold_interval(np.array(FOLDS[4]), 0.25, METRICS["accuracy"])
    assert f"{estimate.mean:.3f} (95 % interval {estimate.low:.3f} to {estimate.high:.3f})" in note
    assert "trial 4" in note
    assert "`model.C=0.0001`" in note
    assert "11 finished" in note
    assert "better than the defaults" in note
    assert "ab" * 16 in note


def test_several_objectives_are_drawn_against_each_other(sweep_folder):
    found = sweep_folder(FOLDS)
    without = sweep_section(load_sweep(found)).pictures
    record = load_record(found)
    record.objectives = {"metrics": ["accuracy", "fit_seconds"], "limits": {}}
    record.save()
    drawn = sweep_section(load_sweep(found)).pictures
    (front,) = {picture.alt for picture in drawn} - {picture.alt for picture in without}
    # All took as long, so the best alone is on the front.
    assert front.startswith("Pareto front: none of these 1 trials is beaten")


def test_trials_that_cannot_be_ranked_are_shown_without_a_best(sweep_folder):
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8], [0.6, 0.6]])
    change_record(load_record(folder / "1"), tags={"student_perf.split_sha256": "t" * 64})
    section = sweep_section(load_sweep(folder))
    assert section.title == "Side by side"
    assert [(row.rank, row.marked) for row in section.rows] == [
        (1, False),
        (2, False),
        (None, False),
    ]
    assert section.change is None
    assert section.lead[0].startswith("Side by side: the trials differ in folds")
