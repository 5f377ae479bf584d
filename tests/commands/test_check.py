import json

from student_perf import cli
from student_perf.exit_codes import ExitCode
from student_perf.runs.layout import GOLDEN_FILE
from tests.made_runs import seal_again


def test_a_model_that_answers_as_before_exits_with_0(kept_run, capsys):
    assert cli.main(["check", str(kept_run)]) == 0
    assert "golden rows answered as when it was trained" in capsys.readouterr().out


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
