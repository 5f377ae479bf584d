import pytest

from student_perf.compare.outcome import described, load_sweep, short_value, swept
from student_perf.errors import ConfigError
from student_perf.runs.record import load_record

FOLDS = [[0.5, 0.5, 0.6], [0.7, 0.6, 0.7], [0.4, 0.4, 0.5]]


def test_trials_are_ranked_and_the_defaults_known(sweep_folder):
    sweep = load_sweep(sweep_folder(FOLDS))
    assert [line.record.folder.name for line in sweep.lines] == ["1", "0", "2"]
    assert sweep.best.mean == pytest.approx(2.0 / 3)
    assert sweep.defaults.record.folder.name == "0"
    assert sweep.parameters == ["model.C"]
    assert sweep.is_log("model.C")
    assert sweep.states == {"finished": 3}


def test_what_failed_is_counted_and_not_ranked(sweep_folder):
    folder = sweep_folder(FOLDS)
    load_record(folder / "1").fail("ValueError: no luck")
    sweep = load_sweep(folder)
    assert sweep.states == {"finished": 2, "failed": 1}
    assert sweep.best.record.folder.name == "0"


def test_the_winner_decides_who_is_best(sweep_folder, make_record):
    """Under constraints the trial with the highest value may not be the one to take."""
    folder = sweep_folder(FOLDS)
    make_record("final", FOLDS[0], study="mine", kind="final", number=0)
    assert load_sweep(folder).best.record.folder.name == "0"


def test_a_sweep_without_a_finished_trial_has_no_best(sweep_folder):
    folder = sweep_folder([[0.5, 0.6]])
    load_record(folder / "0").fail("ValueError: no luck")
    sweep = load_sweep(folder)
    assert (sweep.best, sweep.board, sweep.lines) == (None, None, [])


def test_more_important_parameters_come_first(sweep_folder):
    folder = sweep_folder(FOLDS)
    record = load_record(folder)
    record.params |= {"space.model.tol (model=logreg)": "0 to 1", "space.split": "a, b"}
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
    assert swept(record) == {"model.C": "0.01"}
    assert described(record) == "model.C=0.01"
    assert [short_value(v) for v in ("0.123456", "1e-05", "300", "rf", "a.b")] == [
        "0.1235", "1e-05", "300", "rf", "a.b",
    ]  # fmt: skip
