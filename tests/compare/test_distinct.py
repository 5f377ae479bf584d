from student_perf.compare.distinct import distinct, n_distinct
from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.outcome import SweepOutcome
from student_perf.compare.show import formatted

HASH = "student_perf.config_hash"


def made(make_record, name, folds, config, **changed):
    record = make_record(name, folds, **changed)
    record.tags[HASH] = config
    return record


def test_runs_of_one_configuration_with_equal_scores_are_one(make_record):
    first = made(make_record, "tree-0", [0.5, 0.6], "a", study="s")
    again = made(make_record, "tree-1", [0.5, 0.6], "a", study="s")
    other_scores = made(make_record, "tree-2", [0.5, 0.7], "a", study="s")
    other = made(make_record, "tree-3", [0.5, 0.6], "b", study="s")
    unknown = [make_record(f"old-{i}", [0.5, 0.6], study="s") for i in (4, 5)]
    records = [again, first, other_scores, other, *unknown]
    assert [(r.name, n) for r, n in distinct(records)] == [
        ("tree-0", 2),
        ("tree-2", 1),
        ("tree-3", 1),
        ("old-4", 1),
        ("old-5", 1),
    ]
    assert n_distinct(records) == 5


def test_the_board_shows_how_often_and_counts_configurations(make_record):
    records = [made(make_record, f"tree-{i}", [0.5, 0.6], "a", study="s") for i in range(3)]
    records.append(made(make_record, "tree-3", [0.4, 0.5], "b", study="s"))
    (board,) = make_leaderboards(records)
    assert [line.times for line in board.lines] == [3, 1]
    assert board.n_looked_at == 2
    assert "tree-0 x3" in formatted([board], "markdown", 5)
    sweep = made(make_record, "s", [], "c", kind="sweep")
    assert SweepOutcome(sweep, records, None).n_tried == 2


def test_a_trial_stands_for_a_reference_of_the_same_configuration(make_record):
    reference = made(make_record, "tree-0", [0.5, 0.6], "a", study="s")
    reference.tags["student_perf.outside_space"] = "model.max_depth=4"
    trial = made(make_record, "tree-5", [0.5, 0.6], "a", study="s")
    assert distinct([reference, trial]) == [(trial, 2)]


def test_the_repeat_that_keeps_the_limits_stands_for_the_others(make_record):
    trials = [
        made(make_record, f"tree-{i}", [0.5, 0.6], "a", study="s", seconds=seconds)
        for i, seconds in enumerate([9.0, 2.0])
    ]
    sweep = made(make_record, "s", [], "c", kind="sweep")
    sweep.objectives = {"metrics": ["accuracy"], "limits": {"fit_seconds": 5}}
    outcome = SweepOutcome(sweep, trials, None)
    assert outcome.best.record is trials[1]
    assert outcome.best.times == 2
    assert outcome.keeps_limits(outcome.best)
