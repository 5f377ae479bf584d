import json

import pytest

from student_perf import cli
from student_perf.exit_codes import ExitCode
from student_perf.runs.layout import GOLDEN_FILE
from student_perf.runs.record import load_record
from tests.made_runs import change_record, seal_again


def test_a_model_that_answers_as_before_exits_with_0(kept_run, capsys):
    assert cli.main(["check", str(kept_run)]) == 0
    assert "golden rows answered as when it was trained" in capsys.readouterr().out


@pytest.mark.slow
def test_a_difference_names_row_figures_and_versions(kept_run, capsys):
    path = kept_run / GOLDEN_FILE
    content = json.loads(path.read_text(encoding="utf-8"))
    content["expected"][1] = [1.0, 0.0, 0.0]
    content["packages"]["numpy"] = "1.0"
    path.write_text(json.dumps(content), encoding="utf-8")
    seal_again(kept_run)
    assert cli.main(["check", str(kept_run)]) == ExitCode.FINDING
    first, second = capsys.readouterr().err.splitlines()
    assert "golden row 1: expected 1, 0, 0; got 0." in first
    assert "numpy was 1.0, is " in second


def test_a_model_without_golden_rows_cannot_be_checked(kept_run, capsys):
    (kept_run / GOLDEN_FILE).unlink()
    seal_again(kept_run)
    assert cli.main(["check", str(kept_run)]) == 1
    assert "has no golden rows" in capsys.readouterr().err


def test_a_sweep_says_what_was_counted_and_exits_with_3_if_it_does_not_add_up(sweep_folder, capsys):
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8]])
    assert cli.main(["check", "mine"]) == 0
    counted = capsys.readouterr().out.splitlines()
    assert "mine: records: 2 trials (2 FINISHED)" in counted
    assert "mine: winner: none" in counted
    change_record(load_record(folder / "1"), tags={"student_perf.trial_number": "7"})
    assert cli.main(["check", str(folder)]) == ExitCode.FINDING
    assert "trial 1: its record is that of trial 7" in capsys.readouterr().err
