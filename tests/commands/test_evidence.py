import platform

import pytest

from student_perf import cli


@pytest.mark.parametrize("form", ["text", "markdown"])
@pytest.mark.slow
def test_evidence_names_environment_packages_and_runs(form, dummy_run, capsys):
    assert cli.main(["evidence", "--format", form]) == 0
    out = capsys.readouterr().out
    assert platform.python_version() in out
    assert "scikit-learn" in out
    assert dummy_run.name in out
    assert "complete" in out


def test_no_runs_and_no_negative_number_of_them(workspace, capsys):
    assert cli.main(["evidence", "--last", "0"]) == 0
    assert "Last runs: 0" in capsys.readouterr().out
    assert cli.main(["evidence", "--last", "-1"]) == 1
    assert "must be 0 or more" in capsys.readouterr().err
