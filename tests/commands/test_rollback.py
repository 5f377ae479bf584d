import pytest

from student_perf import cli


def test_a_store_that_is_absent_is_not_made(workspace, capsys):
    assert cli.main(["rollback", "--store", f"sqlite:///{workspace}/none.db"]) == 1
    assert "none.db: no such database" in capsys.readouterr().err
    assert not list(workspace.iterdir())


@pytest.mark.slow
def test_without_a_champion_there_is_nothing_to_go_back_to(train, capsys):
    assert train("report.importance=false").code == 0
    assert cli.main(["rollback"]) == 1
    assert "has no champion to leave" in capsys.readouterr().err
