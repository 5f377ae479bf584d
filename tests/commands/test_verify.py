import zipfile

from student_perf import cli
from student_perf.exit_codes import ExitCode


def test_an_added_member_gives_2(dummy_run, tmp_path, capsys):
    path = tmp_path / "b.zip"
    assert cli.main(["export", str(dummy_run.folder), str(path)]) == 0
    with zipfile.ZipFile(path, "a") as archive:
        for number in range(25):
            archive.writestr(f"new{number}.txt", "x")
    assert cli.main(["verify", str(path)]) == ExitCode.FINDING
    out = capsys.readouterr().out
    assert "new0.txt: was added" in out
    assert "and 5 more" in out
    assert "not as it was exported" in out


def test_a_file_that_is_not_there_gives_1(tmp_path, capsys):
    assert cli.main(["verify", str(tmp_path / "x.zip")]) == 1
    assert "no such file" in capsys.readouterr().err
