import numpy as np
import pytest

from student_perf.compare.comparable import can_be_ranked, differing, has_repeats, is_seed, merged
from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.show import about
from student_perf.runs.record import RunRecord
from student_perf.scoring.influence import RowScores, mean_of
from student_perf.scoring.intervals import fold_interval, row_interval
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import paired_difference, row_difference

FOLDS = {"tree": [[0.5, 0.6], [0.4, 0.5], [0.6, 0.7]], "rf": [[0.7, 0.7], [0.5, 0.6], [0.8, 0.7]]}


@pytest.fixture
def trials(make_record):
    """Makes the trials of two models over three seeds; each seed has folds of its own or not."""

    def make(own_folds=True, seeds=3):
        records = []
        for model, by_seed in FOLDS.items():
            for seed in range(seeds):
                record = make_record(
                    f"{model}-{len(records)}",
                    by_seed[seed],
                    model,
                    study="s",
                    split=str(seed if own_folds else 0) * 64,
                    metrics={"cv_accuracy_mean": float(np.mean(by_seed[seed]))},
                )
                record.params |= {"seed": str(seed), "swept.seed": str(seed), "swept.model": model}
                records.append(record)
        return records

    return make


def test_seeds_are_repeats_and_become_one_record_each(trials):
    records = trials()
    assert has_repeats(records)
    assert not can_be_ranked(records)
    assert differing(records) == ["folds"]
    tree, rf = merged(records)
    assert (tree.name, rf.name, tree.n_repeats, tree.rows == rf.rows) == ("tree", "rf", 3, True)
    assert tree.fold_scores("accuracy").tolist() == [0.5, 0.6, 0.4, 0.5, 0.6, 0.7]
    assert tree.repeat_means("accuracy") == pytest.approx([0.55, 0.45, 0.65])


def test_configurations_are_judged_by_their_means_paired_on_seeds(trials):
    (board,) = make_leaderboards(trials())
    best, other = board.lines
    assert (best.label, other.label, board.folds) == ("rf", "tree", "3 repeats of 2 folds")
    flat = {model: np.concatenate(scores) for model, scores in FOLDS.items()}
    expected = paired_difference(flat["tree"], flat["rf"], 0.25)
    assert other.to_best == pytest.approx(expected.mean)
    assert other.p_value == pytest.approx(expected.p_value)
    interval = fold_interval(flat["rf"], 0.25, METRICS["accuracy"])
    assert (best.low, best.high) == pytest.approx((interval.low, interval.high))


def test_with_predictions_repeats_are_judged_by_the_rows_that_their_seeds_have_answered(
    trials, monkeypatch
):
    def by_row(record, metric, groups=None):
        rng = np.random.default_rng(list(record.name.encode()))
        first = 10 * int(record.params["seed"])  # each seed keeps other rows out
        return RowScores(record.mean(metric), np.arange(first, first + 50), rng.normal(0, 0.01, 50))

    monkeypatch.setattr(RunRecord, "row_scores", by_row)
    records = trials()
    (board,) = make_leaderboards(records)
    best, other = board.lines
    tree, rf = (mean_of([by_row(one, "accuracy") for one in records[i : i + 3]]) for i in (0, 3))
    assert len(rf.unit) == 70
    interval = row_interval(rf, METRICS["accuracy"])
    assert (best.low, best.high) == pytest.approx((interval.low, interval.high))
    assert other.by_rows
    assert other.to_best_low == pytest.approx(row_difference(tree, rf).low)


def test_the_same_folds_again_narrow_no_interval_by_their_number(trials):
    """Seeds of the model alone leave the folds as they are: scores of a fold are averaged first."""
    tree = merged(trials(own_folds=False))[0]
    assert tree.fold_scores("accuracy") == pytest.approx(np.mean(FOLDS["tree"], axis=0))
    assert tree.split_sha256 == "0" * 64


def test_many_seeds_keep_the_part_of_the_error_that_training_rows_share(trials, make_record):
    one = merged(trials(seeds=2))[0]
    width = one.estimate("accuracy").high - one.estimate("accuracy").low
    scores = one.fold_scores("accuracy")
    assert width > 2 * scores.std(ddof=1) * np.sqrt(one.test_over_train)


def test_without_repeats_records_stay_as_they_are(trials):
    records = trials(seeds=1)
    assert merged(records) == records
    assert can_be_ranked(records)


def test_a_configuration_that_lacks_a_seed_is_not_ranked_with_the_others(trials):
    records = trials()
    records[0].status = "FAILED"
    boards = make_leaderboards(records)
    assert [[line.label for line in board.lines] for board in boards] == [["tree"], ["rf"]]


def test_trials_of_several_objectives_are_compared_within_each(trials):
    records = trials(seeds=1)
    records[1].params["objective.metric"] = "log_loss"
    records[1].metrics = {"fold_log_loss": [1.0, 1.2]}
    assert [board.metric for board in make_leaderboards(records)] == ["accuracy", "log_loss"]


def test_the_same_cells_as_other_classes_are_other_data(trials):
    """The hash of the data is taken of cells: one pass mark and four grades share it."""
    records = trials(seeds=1)
    records[0].params["dataset.bands.edges"] = "[55]"
    records[1].params["dataset.bands.edges"] = "[60, 70, 80]"
    assert records[0].rows == records[1].rows
    assert not can_be_ranked(records)
    assert differing(records) == ["data"]
    first, second = make_leaderboards(records)
    assert about(second, first)[-1] == "SP503: not paired with the runs above: other data."


def test_seeds_are_known_by_how_their_names_end():
    assert is_seed("model.members.rf.random_state")
    assert is_seed("+model.bagging_seed")
    assert is_seed("+seed")
    assert not is_seed("model.seeded")
