import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.pairs import over_dummy, paired_runs
from student_perf.compare.show import closing
from student_perf.runs.layout import PREDICTIONS_FILE
from student_perf.runs.record import RunRecord, load_record
from student_perf.scoring.paired import paired_difference, row_difference
from tests.made_runs import Run

SPLITS = ("split.n_splits=3", "split=repeated_kfold split.n_splits=2 split.n_repeats=2")


def without_recorded_gain(record: RunRecord) -> RunRecord:
    """The same run as a trial, which has no baseline of its own, records it."""
    found = load_record(record.folder)
    found.metrics = {k: v for k, v in found.metrics.items() if not k.startswith("gain_")}
    return found


@pytest.fixture(name="two")
def two_fixture(run: Run) -> tuple[RunRecord, RunRecord]:
    return run("model=logreg"), run("model=tree")


@pytest.mark.slow
def test_two_runs_are_paired_by_rows_and_without_predictions_by_folds(two):
    one, other = two
    change, over = paired_runs(one, other, "accuracy")
    rows = [record.row_scores("accuracy") for record in two]
    assert change == row_difference(*rows)
    assert over == "684 rows"
    (other.folder / PREDICTIONS_FILE).unlink()
    change, over = paired_runs(one, other, "accuracy")
    folds = [record.fold_scores("accuracy") for record in two]
    assert change == paired_difference(*folds, one.test_over_train)
    assert over == "2 folds (Nadeau and Bengio's correction)"
    with pytest.raises(ValueError, match="two or more"):
        paired_runs(one, other, "r2")


@pytest.mark.slow
def test_a_board_pairs_rows_and_says_whose_are_gone(two):
    (board,) = make_leaderboards(two)
    best, other = board.lines
    change, _ = paired_runs(other.record, best.record, "accuracy")
    assert (other.to_best, other.to_best_low, other.to_best_high, other.p_value) == pytest.approx(
        (change.mean, change.low, change.high, change.p_value)
    )
    recorded = best.record.estimate("accuracy")
    assert (best.low, best.high) == (recorded.low, recorded.high)
    assert all(line.by_rows for line in board.lines)
    assert any("the rows that both have answered" in line for line in closing(board, 5))
    (other.record.folder / PREDICTIONS_FILE).unlink()
    (board,) = make_leaderboards(two)
    assert [line.by_rows for line in board.lines] == [True, False]
    assert any("1 of them have no predictions here" in line for line in closing(board, 5))


@pytest.mark.slow
def test_groups_that_one_run_declares_pair_both(two):
    file = two[0].folder / PREDICTIONS_FILE
    table = pq.read_table(file)
    groups = table["row"].to_numpy() // 10
    pq.write_table(table.append_column("group", pa.array(groups)), file)
    two[0].seal()
    over = f"{len(np.unique(groups))} groups"
    assert paired_runs(*two, "accuracy")[1] == over
    (board,) = make_leaderboards(two)
    assert all(line.by_rows for line in board.lines)
    assert not any("have no predictions here" in line for line in closing(board, 5))


@pytest.mark.parametrize("objective", ["accuracy", "log_loss"])
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.slow
def test_the_gain_over_the_dummy_is_that_of_its_own_run(run, split, objective):
    """A trial has no baseline: it is made from the rows, and is the one that a run has fitted."""
    record = run("model=logreg", *split.split(), f"objective={objective}", quick=("tracking=off",))
    known = over_dummy(record, objective, record.dummy(objective))
    assert known.p_value == record.gain(objective)["gain_p"]
    found = over_dummy(without_recorded_gain(record), objective, record.dummy(objective))
    for figure in ("mean", "low", "high", "p_value"):
        assert getattr(found, figure) == pytest.approx(getattr(known, figure), abs=1e-9)


@pytest.mark.slow
def test_another_baseline_or_a_single_part_is_not_guessed(run):
    record = without_recorded_gain(run("model=ridge"))
    assert over_dummy(record, "accuracy", record.dummy("accuracy") + 0.1) is None
    single = without_recorded_gain(run("model=ridge", "split=holdout", quick=("tracking=off",)))
    assert over_dummy(single, "accuracy", single.dummy("accuracy")) is None
    assert np.isnan(single.gain("accuracy")["gain_p"])
