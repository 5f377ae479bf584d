import pytest

from student_perf import cli


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--for", "soon"], "--for soon: must be a time above 0; write it like 90s"),
        (["--for", "0s"], "--for 0s: must be a time above 0"),
        (["--trials", "0"], "--trials 0: must be 1 or more"),
        ([], "nothing-here: no such run on disk"),
    ],
)
def test_what_makes_no_sense_is_one_line(words, line, capsys):
    assert cli.main(["worker", "nothing-here", *words]) == 1
    assert line in capsys.readouterr().err


def test_only_a_sweep_has_trials_to_help_with(kept_run, capsys):
    assert cli.main(["worker", str(kept_run)]) == 1
    assert "is not the folder or name of a sweep" in capsys.readouterr().err
