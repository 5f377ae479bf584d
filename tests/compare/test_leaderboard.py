import math

import numpy as np
import pytest

from student_perf.compare.leaderboard import FAMILIES, make_leaderboards, recommendation
from student_perf.errors import ConfigError
from student_perf.paths import CONF_DIR
from student_perf.scoring.intervals import fold_interval
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import paired_difference

BASE = np.array([0.60, 0.64, 0.62, 0.66, 0.61])


@pytest.fixture
def boards(make_record):
    """A boosted model, a linear one that is a little worse on the same folds, one far worse."""
    rng = np.random.default_rng(0)
    noise = np.array([0.03, -0.02, 0.02, -0.03, 0.01])
    dummy = {"dummy_accuracy_mean": 0.3}
    make = [
        make_record("a", list(BASE + 0.02), "xgb", seconds=4.0, metrics=dummy),
        make_record("b", list(BASE + noise), "logreg", seconds=0.5),
        make_record("c", list(BASE - 0.3 + rng.normal(0, 0.005, 5)), "dummy", seconds=0.01),
    ]
    return make_leaderboards(make)


def test_figures_are_those_of_the_formulas(boards):
    (board,) = boards
    assert [line.record.name for line in board.lines] == ["a", "b", "c"]
    best, other, worst = board.lines
    assert (best.tied, other.tied, worst.tied) == (True, True, False)
    expected = fold_interval(best.scores, 0.25, METRICS["accuracy"])
    assert (best.mean, best.std, best.low, best.high) == tuple(vars(expected).values())
    pair = paired_difference(other.scores, best.scores, 0.25)
    assert other.to_best == pytest.approx(pair.mean)
    assert (other.to_best_low, other.to_best_high) == pytest.approx((pair.low, pair.high))
    assert other.p_value == pytest.approx(pair.p_value)  # the larger of two is not multiplied
    assert best.to_dummy == pytest.approx(0.3 + 0.026 + 0.02)
    assert other.worse + other.equivalent + other.better == pytest.approx(1)
    assert worst.worse > 0.999
    assert (board.dummy, board.n_looked_at, board.n_folds) == (0.3, 3, 5)


def test_the_simplest_of_the_tied_is_recommended_with_its_numbers(boards):
    (board,) = boards
    assert board.recommended is board.lines[1]
    sentence = recommendation(board)
    for word in ("logreg", "linear", "0.5 s", "2 tied", "xgb", f"{board.lines[1].to_best:+.3f}"):
        assert word in sentence


def test_of_one_family_equally_fast_ones_are_told_apart_by_their_mean(make_record):
    slow = make_record("slow", list(BASE + np.array([0.05, -0.01, 0.03, 0, 0.05])), seconds=9.0)
    quick = make_record("quick", list(BASE + np.array([0, 0.01, 0, 0.01, 0])), seconds=1.0)
    better = make_record("better", list(BASE + np.array([0.03, 0, 0.01, 0, 0.02])), seconds=1.9)
    (board,) = make_leaderboards([slow, quick, better])
    assert all(line.tied for line in board.lines)
    assert board.recommended.record is better


def test_less_is_better_for_a_loss(make_record):
    losses = BASE + np.array([0, 0.01, 0, 0.01, 0])
    good = make_record("good", list(BASE), metric="log_loss")
    bad = make_record("bad", list(losses + 0.5), metric="log_loss")
    (board,) = make_leaderboards([bad, good])
    assert [line.record.name for line in board.lines] == ["good", "bad"]
    assert board.lines[1].worse > 0.99
    assert board.rope == pytest.approx(0.01 * BASE.mean())


@pytest.mark.parametrize("changed", [{"data": "e" * 64}, {"split": "t" * 64}])
def test_runs_with_other_data_or_folds_are_never_paired(make_record, changed):
    records = [make_record(f"{i}", list(BASE)) for i in range(3)]
    records.append(make_record("stranger", list(BASE + 0.1), **changed))
    first, second = make_leaderboards(records)
    assert [line.record.name for line in first.lines] == ["0", "1", "2"]
    assert [line.record.name for line in second.lines] == ["stranger"]


@pytest.mark.parametrize("kind", ["final", "kept", "replaced"])
def test_a_kept_model_is_its_trial_and_gives_the_baseline(make_record, kind):
    dummy = {"dummy_accuracy_mean": 0.3}
    records = [make_record(f"rf-{i}", list(BASE + i / 10), "rf", study="mine") for i in range(2)]
    winner = make_record(
        "w", list(BASE + 0.1), "rf", study="mine", kind=kind, number=1, metrics=dummy
    )
    pruned = make_record("rf-2", [0.1], "rf", study="mine", status="PRUNED")
    (board,) = make_leaderboards([*records, winner, pruned])
    assert [line.label for line in board.lines] == ["rf-1", "rf-0"]
    assert (board.dummy, board.n_looked_at, board.left_out) == (0.3, 3, {"pruned": 1})
    (alone,) = make_leaderboards([winner])
    assert len(alone.lines) == 1


def test_trials_of_two_sweeps_have_labels_of_their_own(make_record):
    records = [make_record("rf-0", list(BASE), "rf", study=f"sweep-{s}") for s in ("one", "two")]
    (board,) = make_leaderboards(records)
    assert {line.label for line in board.lines} == {"rf-0 weep-one", "rf-0 weep-two"}


def test_a_single_fold_ranks_but_proves_nothing(make_record):
    bounds = {"cv_accuracy_ci95_low": 0.5, "cv_accuracy_ci95_high": 0.7}
    records = [make_record("a", [0.6], metrics=bounds), make_record("b", [0.5])]
    (board,) = make_leaderboards(records)
    best, other = board.lines
    assert (best.mean, best.low, best.high) == (0.6, 0.5, 0.7)
    assert math.isnan(other.p_value)
    assert board.recommended is None
    assert "does not show which differences are real" in recommendation(board)


def test_a_metric_that_is_undefined_on_a_fold_leaves_the_run_out(make_record):
    records = [make_record("a", list(BASE)), make_record("b", [0.5, None, 0.5, 0.5, 0.5])]
    (board,) = make_leaderboards(records)
    assert board.left_out == {"accuracy is undefined in fold 2": 1}
    with pytest.raises(ConfigError, match=r"--metric accuracy: is undefined in folds 2, 4 of c"):
        make_leaderboards([make_record("c", [0.5, None, 0.5, None, 0.5])], "accuracy")


def test_what_cannot_be_ranked_says_why(make_record):
    record = make_record("a", list(BASE))
    with pytest.raises(ConfigError, match="did you mean accuracy"):
        make_leaderboards([record], "acuracy")
    with pytest.raises(ConfigError, match="none of the 1 finished runs"):
        make_leaderboards([record], "r2")
    with pytest.raises(ConfigError, match="none of the 1 runs is finished"):
        make_leaderboards([make_record("b", [], status="FAILED")])
    with pytest.raises(ConfigError, match="none of the 1 runs says which data"):
        make_leaderboards([make_record("of another tool", list(BASE), data="")])


def test_every_model_of_the_zoo_has_a_family():
    known = [name for _, names in FAMILIES for name in names]
    assert sorted(known) == sorted(file.stem for file in (CONF_DIR / "model").glob("*.yaml"))


def test_tied_for_lack_of_power_but_surely_worse_is_not_recommended(make_record):
    """Against many candidates Holm's p is never small, while the posterior of one pair is."""
    rng = np.random.default_rng(1)
    best = make_record("best", list(BASE + 0.1), "xgb")
    others = [
        make_record(f"{i}", list(BASE + 0.02 + rng.normal(0, 0.02, 5)), "logreg") for i in range(60)
    ]
    (board,) = make_leaderboards([best, *others])
    worse = [line for line in board.lines if line.tied and line.worse >= 0.95]
    assert worse
    assert board.recommended not in worse


def test_equal_trials_come_by_number_though_one_was_run_again(make_record):
    later = make_record("0", [0.5, 0.6], study="mine", started=1_700_000_500.0)
    earlier = make_record("1", [0.5, 0.6], study="mine", started=1_700_000_000.0)
    (board,) = make_leaderboards([earlier, later])
    assert [line.record.trial_number for line in board.lines] == [0, 1]
