import numpy as np
import pytest

from student_perf.compare.outcome import described, load_sweep, sentences
from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from tests.made_runs import change_record

FOLDS = [[0.5, 0.5, 0.6], [0.7, 0.6, 0.7], [0.4, 0.4, 0.5]]


def test_trials_are_ranked_and_the_defaults_known(sweep_folder):
    sweep = load_sweep(sweep_folder(FOLDS))
    assert [line.record.folder.name for line in sweep.lines] == ["1", "0", "2"]
    assert sweep.best.mean == pytest.approx(2.0 / 3)
    assert sweep.defaults.record.folder.name == "0"
    assert sweep.parameters == ["model.C"]
    assert sweep.is_log("model.C")
    assert sweep.states == {"finished": 3}


def test_a_closed_sweep_keeps_what_ranks_its_trials(sweep_folder):
    sweep = load_sweep(sweep_folder(FOLDS))
    board, winner = sweep.board, load_record(sweep.record.folder / "1")
    closed = sweep.closed(sweep.record, winner)
    assert closed.board is board
    assert closed.winner is winner
    assert sweep.winner is None


def test_what_failed_is_counted_and_not_ranked(sweep_folder):
    folder = sweep_folder(FOLDS)
    load_record(folder / "1").fail("ValueError: no luck")
    sweep = load_sweep(folder)
    assert sweep.states == {"finished": 2, "failed": 1}
    assert sweep.best.record.folder.name == "0"


def test_defaults_that_halving_left_alone_were_beaten_by_nothing_on_all_rows(sweep_folder):
    folder = sweep_folder([FOLDS[0], FOLDS[2], FOLDS[1]])
    record = load_record(folder / "2")
    record.metrics = {}
    record.optuna = {"user_attrs": {"rungs": {"rows": [9], "scores": [0.9], "share": 0.1}}}
    record.prune()
    lines = sentences(load_sweep(folder))
    assert "The defaults were not beaten by what ran on all rows." in lines
    assert any(line.startswith("Halving: 2 of 3 trials ran on all rows; 1 was") for line in lines)


@pytest.fixture
def limited(sweep_folder):
    """A sweep whose best value, trial 1's, breaks a limit that the defaults and trial 2 keep."""
    folder = sweep_folder(FOLDS)
    for number, loss in enumerate((1.0, 2.0, 1.0)):
        change(folder / str(number), metrics={"cv_log_loss_mean": loss})
    change(folder, objectives={"metrics": ["accuracy"], "limits": {"log_loss": 1.5}})
    return folder


def change(folder, **changed):
    change_record(load_record(folder), **changed)


def test_trials_that_keep_the_limits_come_first(limited):
    sweep = load_sweep(limited)
    numbers = [line.record.trial_number for line in sweep.lines]
    assert numbers == [record.trial_number for record in sweep.ranked] == [0, 2, 1]
    assert sweep.best is sweep.defaults
    assert sweep.lines[2].to_best == pytest.approx(np.mean(FOLDS[1]) - np.mean(FOLDS[0]))
    assert sweep.board.recommended in sweep.lines[:2]
    assert "The defaults were not beaten." in sentences(sweep)


def test_a_gain_over_defaults_that_break_the_limits_says_so(limited):
    change(limited / "0", metrics={"cv_log_loss_mean": 3.0})
    lines = sentences(load_sweep(limited))
    assert lines[0].startswith("Best: trial 2, accuracy 0.433 (95 % interval ")
    assert lines[1].startswith("Gain: -0.100 against the defaults (0.533), which break the")


def test_a_gain_is_judged_by_a_p_of_all_trials_together(sweep_folder):
    rivals = [[0.4, 0.3, 0.5, 0.2 + number / 100] for number in range(11)]
    sweep = load_sweep(sweep_folder([[0.5, 0.55, 0.45, 0.5], [0.6, 0.7, 0.6, 0.65], *rivals]))
    corrected = sweep.defaults.p_value
    assert corrected > sweep.gain.p_value  # that of a rival which nobody has chosen
    (gain,) = [line for line in sentences(sweep) if line.startswith("Gain: ")]
    assert f"p = {corrected:.3f}, corrected for the choice" in gain


def test_that_no_trial_keeps_the_limits_is_said(limited):
    change(limited, objectives={"metrics": ["accuracy"], "limits": {"log_loss": 0.5}})
    sweep = load_sweep(limited)
    assert [record.trial_number for record in sweep.ranked] == [1, 0, 2]
    assert "Constraints: no trial keeps them; this one is the best anyway." in sentences(sweep)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        (
            {"tags": {"student_perf.split_sha256": "t" * 64}, "params": {"split.n_splits": "9"}},
            "folds",
        ),
        ({"tags": {"student_perf.data_sha256": "e" * 64}}, "data"),
        (
            {"params": {"objective.metric": "log_loss"}, "metrics": {"fold_log_loss": [1.0, 2.0]}},
            "metric",
        ),
    ],
)
def test_trials_that_cannot_be_ranked_stand_side_by_side(sweep_folder, changed, what):
    folder = sweep_folder(FOLDS)
    change(folder / "1", **changed)
    change(folder, tags={"student_perf.ended": "after 9 s."})
    sweep = load_sweep(folder)
    assert sweep.is_apart
    assert (sweep.ranked, sweep.best, sweep.board) == ([], None, None)
    assert [[line.record.trial_number for line in b.lines] for b in sweep.boards] == [[0, 2], [1]]
    first, *_, last, ended = sentences(sweep)
    assert ended == "Ended: after 9 s."
    assert (
        first == f"Side by side: the trials differ in {what}, so there is no best among them all."
    )
    assert last == "No winner was fitted, and nobody has looked at the test rows."


def test_seeds_of_one_configuration_are_repeats_with_a_mean(sweep_folder):
    folder = repeated(sweep_folder, FOLDS)
    sweep = load_sweep(folder)
    assert (sweep.ranked, sweep.best) == ([], None)
    ((line,),) = [board.lines for board in sweep.boards]
    assert line.mean == pytest.approx(np.mean(FOLDS))
    means = [np.mean(folds) for folds in FOLDS]
    text = " ".join(sentences(sweep))
    assert text.startswith(f"logreg over 3 seeds: accuracy {np.mean(FOLDS):.3f} (95 % interval ")
    assert (
        f"{min(means):.3f} to {max(means):.3f}, standard deviation {np.std(means, ddof=1):.3f}."
        in text
    )
    assert "Best" not in text


def repeated(sweep_folder, folds):
    """A sweep of one configuration over as many seeds, each with folds of its own."""
    folder = sweep_folder(folds)
    for number in range(len(folds)):
        seed = {"seed": str(number), "split.random_state": str(number), "swept.seed": str(number)}
        same = {"model.C": "1.0", "swept.model.C": "1.0"}
        change(
            folder / str(number),
            params=seed | same,
            tags={"student_perf.split_sha256": f"{number}" * 64},
        )
    return folder


def test_a_reference_is_compared_and_never_the_best(sweep_folder):
    folder = sweep_folder(FOLDS)
    change(folder / "1", tags={"student_perf.outside_space": "model.C=1"})
    sweep = load_sweep(folder)
    assert [record.trial_number for record in sweep.ranked] == [0, 2]
    assert [line.record.trial_number for line in sweep.lines] == [0, 2, 1]
    assert sweep.best.record.trial_number == 0
    assert sweep.board.recommended in sweep.lines[:2]
    assert sweep.lines[2].label == "1 reference"
    assert sweep.n_tried == 2


def test_the_gain_over_defaults_outside_the_space_says_so(sweep_folder):
    folder = sweep_folder([FOLDS[1], FOLDS[0]])
    change(folder / "0", tags={"student_perf.outside_space": "model.C=1"})
    best, gain, *_ = sentences(load_sweep(folder), code=lambda text: f"`{text}`")
    assert best.startswith("Best: trial 1, accuracy 0.533")
    assert gain.startswith("Gain: -0.133 against the defaults (0.667), which lie outside the space "
                           "(`model.C=1`) and cannot win")  # fmt: skip


def test_a_sweep_whose_reference_alone_has_finished_has_no_best(sweep_folder):
    folder = sweep_folder(FOLDS[:1])
    change(folder / "0", tags={"student_perf.outside_space": "model.C=1"})
    assert sentences(load_sweep(folder)) == ["No trial of the space has finished."]


def test_failures_are_named_by_reason(sweep_folder):
    folder = sweep_folder(FOLDS * 4)
    for number in range(1, 9):
        load_record(folder / str(number)).fail("ValueError: no luck")
    load_record(folder / "9").fail("KeyError: 3")
    assert sentences(load_sweep(folder))[-3:] == [
        "Failed: 9 of 12 trials.",
        "  trials 1, 2, 3, 4, 5 and 3 more: ValueError: no luck",
        "  trial 9: KeyError: 3",
    ]


SPACE = [
    {"name": "model.C", "key": "model.C", "values": "0.1 to 1", "when": [],
     "kind": "float", "low": 0.1, "high": 1.0, "step": None, "log": False},
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ["model.C"]),
        ({"low": 0.05, "high": 1.0}, []),
        ({"when": [["model", ["svm", "rf"]]]}, ["model.C"]),
        ({"when": [["model", ["svm"]]]}, []),
    ],
)
def test_numbers_at_an_end_of_their_range(sweep_folder, changed, expected):
    folder = sweep_folder(FOLDS)
    change(folder / "1", params={"swept.model": "rf"})
    change(folder, space=[SPACE[0] | changed])
    sweep = load_sweep(folder)
    assert [one.text.partition("=")[0] for one in sweep.findings] == expected
    line = (
        "SP501: `model.C=0.1`: lies at the lower end of what the sweep tried (0.1 to 1); search a "
        "wider one if it can go further."
    )
    assert (line in sentences(sweep, lambda text: f"`{text}`")) == bool(expected)
    change(folder, params={"guards.SP501": "off"})
    assert load_sweep(folder).findings == []


@pytest.mark.parametrize(("folds", "n_found"), [(FOLDS[1], 0), (FOLDS[2], 1)])
def test_a_key_that_changes_nothing_is_not_at_an_end(sweep_folder, folds, n_found):
    folder = sweep_folder([FOLDS[0], FOLDS[1], folds])
    change(folder, space=[SPACE[0] | {"low": 0.001, "high": 0.1}])  # 0.1, then 0.01
    assert load_sweep(folder).best.record.trial_number == 1
    assert len(load_sweep(folder).findings) == n_found
    change(folder / "2", metrics={"cv_log_loss_mean": 2.0})  # as good, and beyond the limit
    change(folder / "1", metrics={"cv_log_loss_mean": 1.0})
    change(folder, objectives={"metrics": ["accuracy"], "limits": {"log_loss": 1.5}})
    assert len(load_sweep(folder).findings) == 1


@pytest.mark.parametrize(
    ("choices", "found"), [([0.1, 1, 10, 100], 1), ([0.1, 1, 10], 0), ([0.1, 1, 10, None], 0)]
)
def test_a_list_has_ends_from_four_numbers_on(sweep_folder, choices, found):
    folder = sweep_folder(FOLDS)
    grid = {k: v for k, v in SPACE[0].items() if k not in ("low", "high")} | {"choices": choices}
    change(folder, space=[grid])
    assert len(load_sweep(folder).findings) == found


def test_a_space_as_data_says_which_scale_is_logarithmic(sweep_folder):
    folder = sweep_folder(FOLDS)
    change(folder, space=SPACE)
    assert not load_sweep(folder).is_log("model.C")
    assert load_sweep(folder).space == {"model.C": "0.1 to 1"}
    change(folder, space=[SPACE[0] | {"log": True}])
    assert load_sweep(folder).is_log("model.C")


def test_equal_values_of_several_configurations_are_said(sweep_folder):
    same = "All trials have the same objective: nothing that was swept matters to it."
    assert same in sentences(load_sweep(sweep_folder([FOLDS[0]] * 3, study="flat")))
    assert same not in sentences(load_sweep(sweep_folder(FOLDS, study="hilly")))


def test_several_objectives_have_a_front(sweep_folder):
    folder = sweep_folder([*FOLDS, [0.3, 0.3, 0.3]])
    for number, seconds in enumerate((1.0, 2.0, 0.5, 0.7)):
        change(folder / str(number), metrics={"fit_seconds": seconds})
    change(folder, objectives={"metrics": ["accuracy", "fit_seconds"], "limits": {}})
    sweep = load_sweep(folder)
    assert [record.trial_number for record in sweep.front] == [1, 0, 2]
    lines = sentences(sweep)
    assert "Pareto front: 3 trials, none of which another beats in everything." in lines
    assert "  trial 1: accuracy 0.667, seconds of fitting 2.000; model.C=0.1" in lines


def test_a_sweep_without_a_finished_trial_has_no_best(sweep_folder):
    folder = sweep_folder([[0.5, 0.6]])
    load_record(folder / "0").fail("ValueError: no luck")
    sweep = load_sweep(folder)
    assert (sweep.best, sweep.board, sweep.lines) == (None, None, [])


def test_more_important_parameters_come_first(sweep_folder):
    folder = sweep_folder(FOLDS)
    record = load_record(folder)
    record.space += [
        {"name": "model.tol (model=logreg)", "key": "model.tol", "values": "0 to 1"},
        {"name": "split", "key": "split", "values": "a, b"},
    ]
    record.save()
    found = load_sweep(folder, {"model.tol (model=logreg)": 0.7, "model.C": 0.3}).parameters
    assert found == ["model.tol", "model.C", "split"]


def test_what_is_no_sweep_is_refused(sweep_folder, tmp_path):
    folder = sweep_folder(FOLDS)
    with pytest.raises(ConfigError, match=r"holds no record\.json"):
        load_sweep(tmp_path)
    with pytest.raises(ConfigError, match="is a trial run"):
        load_sweep(folder / "1")


def test_values_are_shown_short(sweep_folder):
    record = load_record(sweep_folder(FOLDS) / "2")
    assert record.swept == {"model.C": "0.01"}
    assert described(record) == "model.C=0.01"
