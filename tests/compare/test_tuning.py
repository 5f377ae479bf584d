from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.tuning import bias_corrected, trials_on, tuning_lines, tuning_of
from student_perf.errors import DataError, TrackingError
from student_perf.runs.looks import count_look
from student_perf.runs.predictions import Predictions
from student_perf.runs.record import load_record
from student_perf.scoring.influence import REPEATED, row_scores
from student_perf.scoring.intervals import row_interval
from student_perf.scoring.metrics import METRICS

CLASSES = "classification"


def guesses(n_configurations, n_rows=200, n_classes=2, seed=0, n_repeats=1):
    """Configurations whose probabilities have nothing to do with the truth."""
    rng = np.random.default_rng(seed)
    y_true = np.tile(rng.permutation(np.arange(n_rows) % n_classes), n_repeats)
    row, fold = np.tile(np.arange(n_rows), n_repeats), np.repeat(np.arange(n_repeats), n_rows)
    return [
        Predictions(CLASSES, row, fold, y_true, rng.dirichlet(np.ones(n_classes), len(row)))
        for _ in range(n_configurations)
    ]


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "balanced_accuracy", "roc_auc_ovr"])
@pytest.mark.slow
def test_of_pure_noise_the_best_looks_good_and_the_corrected_does_not(metric):
    """Fifty configurations that guess, several times: chance is known."""
    chance = {"accuracy": 0.5, "balanced_accuracy": 0.5, "roc_auc_ovr": 0.5}
    sign = METRICS[metric].sign
    found = [bias_corrected(guesses(50, seed=seed), metric, 60) for seed in range(4)]
    truth = chance.get(metric, 1.0)  # the log loss of uniform guesses is 1 on average
    apparent, corrected = (np.mean([getattr(f, n) for f in found]) for n in ("apparent", "mean"))
    assert sign * (apparent - truth) > 0.04
    # The estimate errs on the side of caution: rows not drawn are those the choice did not like.
    assert abs(corrected - truth) < 0.5 * abs(apparent - truth)
    assert all(f.low < f.mean < f.high for f in found)


def test_it_is_the_procedure_of_the_paper_step_by_step():
    made = [*guesses(6, 50, 3), *guesses(1, 50, 3)]
    got = bias_corrected(made, "f1_macro", n_bootstraps=40, seed=3)
    rng = np.random.default_rng(3)
    expected = []
    for counts in rng.multinomial(50, np.full(50, 1 / 50), size=40):
        inside, outside = np.repeat(np.arange(50), counts), np.flatnonzero(counts == 0)
        on = [
            [METRICS["f1_macro"].of(p.answers.take(rows)) for p in made]
            for rows in (inside, outside)
        ]
        expected.append(on[1][int(np.argmax(on[0]))])
    assert got.mean == pytest.approx(np.mean(expected))
    metric, best = METRICS["f1_macro"], max(made, key=lambda p: METRICS["f1_macro"].of(p.answers))
    assert got.apparent == metric.of(best.answers)
    by_row = row_scores(metric, best.answers, best.row, best.fold)
    same = row_interval(replace(by_row, mean=got.mean), metric)
    assert (got.low, got.high) == (same.low, same.high)


def test_one_configuration_has_nothing_to_choose_from():
    (one,) = guesses(1, 2000)
    found = bias_corrected([one], "accuracy")
    assert found.mean == pytest.approx(found.apparent, abs=0.002)


def test_rows_predicted_several_times_are_drawn_together():
    """With all repeats of a row alike, repeated folds must not shrink the interval."""
    (one,) = guesses(1, 100)
    again = Predictions(
        CLASSES,
        np.tile(one.row, 10),
        np.repeat(np.arange(10), 100),
        np.tile(one.y_true, 10),
        np.tile(one.output, (10, 1)),
    )
    once, tenfold = (bias_corrected([p], "accuracy") for p in (one, again))
    widths = [found.high - found.low for found in (once, tenfold)]
    assert widths[1] == pytest.approx(REPEATED * widths[0], rel=0.02)


def test_ranks_get_fewer_bootstraps(monkeypatch):
    monkeypatch.setattr("student_perf.compare.tuning._MOST_RANKINGS", 1000)
    assert bias_corrected(guesses(8, 40), "roc_auc_ovr").n_bootstraps == 125
    assert bias_corrected(guesses(12, 40), "roc_auc_ovr").n_bootstraps == 100
    assert bias_corrected(guesses(2, 40), "roc_auc_ovr", 150).n_bootstraps == 150


def test_other_rows_are_refused():
    with pytest.raises(DataError, match="rows of the configurations differ"):
        bias_corrected([*guesses(1, 50), *guesses(1, 60)], "accuracy")


def store(record, predictions):
    columns = {"row": predictions.row, "fold": predictions.fold}
    columns["y_true"] = [f"class {code}" for code in predictions.y_true]
    probabilities = {f"proba_class {k}": p for k, p in enumerate(predictions.output.T)}
    pq.write_table(pa.table(columns | probabilities), record.folder / "predictions.parquet")


def test_a_sweep_with_its_winner_and_its_looks(make_record):
    made = guesses(3, 60, 3)
    trials = [make_record(f"rf-{i}", [0.3, 0.4], study="mine") for i in range(3)]
    for record, predictions in zip(trials, made, strict=True):
        store(record, predictions)
    test = {"test_accuracy": 0.4, "test_accuracy_ci95_low": 0.3, "test_accuracy_ci95_high": 0.5}
    winner = make_record("w", [0.3, 0.4], study="mine", kind="final", number=1, metrics=test)
    for folder in (winner.folder, trials[0].folder):
        count_look("d" * 64, "rows", folder)
    found = tuning_of("mine", [*trials, winner], "accuracy")
    assert found.corrected == bias_corrected(made, "accuracy")
    assert (found.test.mean, found.test.low, found.test.high) == (0.4, 0.3, 0.5)
    text = " ".join(tuning_lines(found))
    assert "best of 3 trials" in text
    assert "looked at 2 times" in text
    without = tuning_of("mine", trials, "accuracy")
    assert without.test is None
    assert len(tuning_lines(without)) == 1
    assert tuning_of("mine", trials[:1], "accuracy") is None
    (trials[0].folder / "predictions.parquet").unlink()
    with pytest.raises(TrackingError, match=r"rf-0: predictions.parquet is not in"):
        tuning_of("mine", trials, "accuracy")


def test_a_trial_that_repeats_one_of_another_sweep_counts_in_both(sweep_folder):
    folders = [sweep_folder([[0.5, 0.5], [0.7, 0.6]], study) for study in ("mine", "yours")]
    records = [load_record(folder / str(i)) for folder in folders for i in range(2)]
    for record in records:
        record.tags["student_perf.config_hash"] = "c" * 64
    (board,) = make_leaderboards(records)
    assert len(board.lines) == 2
    assert [r.study for r in trials_on(board, records)] == ["mine", "mine", "yours", "yours"]
