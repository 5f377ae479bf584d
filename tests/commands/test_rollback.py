import pytest

from student_perf import cli


@pytest.mark.slow
def test_without_a_champion_there_is_nothing_to_go_back_to(workspace, capsys):
    assert cli.main(["rollback"]) == 1
    assert "has no champion to leave" in capsys.readouterr().err
