import pytest

from student_perf.api.results import Comparison, Run, Sweep
from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.outcome import load_sweep
from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep.standings import write_standings

FOLDS = [[0.5, 0.5, 0.6], [0.7, 0.6, 0.7]]


def test_estimates_are_those_of_the_record(kept_run):
    record = load_record(kept_run)
    estimates = Run(record).estimates
    line = estimates.loc["accuracy"]
    estimate = record.estimate("accuracy")
    assert (line["mean"], line["low"], line["high"]) == (estimate.mean, estimate.low, estimate.high)
    assert line["dummy"] == record.dummy("accuracy")
    assert "test" not in estimates  # a single run has not opened the test rows


def test_a_notebook_shows_a_run_a_sweep_and_a_comparison(kept_run, sweep_folder):
    record = load_record(kept_run)
    record.name = "<script>"
    page = Run(record)._repr_html_()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert f"{record.estimate('accuracy').low:.3f}" in page
    folder = sweep_folder(FOLDS)
    write_standings(load_sweep(folder))
    page = Sweep(load_record(folder))._repr_html_()
    assert "Sweep mine" in page
    assert "0.667" in page
    boards = make_leaderboards([load_record(folder / str(n)) for n in range(2)])
    page = Comparison(tuple(boards))._repr_html_()
    assert page.count("<table") == 1
    assert "0.667" in page
    assert repr(Comparison(tuple(boards))).startswith("Comparison(2 runs on ")


def test_a_run_that_did_not_finish_is_refused(kept_run):
    record = load_record(kept_run)
    record.fail("ValueError: no luck")
    with pytest.raises(ConfigError, match="is FAILED; name a finished run"):
        Run.find(str(kept_run))
