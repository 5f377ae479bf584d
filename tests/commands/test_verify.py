import shutil
import zipfile

import pytest

from student_perf import cli
from student_perf.exit_codes import ExitCode
from student_perf.runs.record import load_record
from tests.reproduction.test_signature import make_key


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


def test_a_run_and_a_sweep_are_checked_by_any_word(dummy_run, sweep_folder, capsys):
    assert cli.main(["verify", "latest"]) == 0
    found = f"{dummy_run.name}: 1 record and {len(dummy_run.files)} files unchanged"
    assert found in capsys.readouterr().out.replace("\n", " ")
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8]])
    trial = load_record(folder / "1")
    (trial.folder / "predictions.parquet").write_bytes(b"answers")
    trial.finish()
    assert cli.main(["verify", "mine"]) == 0
    out = capsys.readouterr().out
    assert "mine: 3 records and 1 file unchanged" in out
    (trial.folder / "predictions.parquet").write_bytes(b"answerz")
    assert cli.main(["verify", "mine"]) == ExitCode.FINDING
    out = capsys.readouterr().out
    assert "mine: not as the run left it" in out
    assert "predictions.parquet: was changed after the run" in out.replace("\n", " ")


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_a_bundle_without_the_signature_that_is_asked_for_is_a_finding(dummy_run, tmp_path, capsys):
    key = make_key(tmp_path / "id_ed25519")
    path, public = tmp_path / "b.zip", tmp_path / "id_ed25519.pub"
    assert cli.main(["export", str(dummy_run.folder), str(path), "--sign", str(key)]) == 0
    assert cli.main(["verify", str(path), "--key", str(public)]) == 0
    assert "by the key" in capsys.readouterr().out
    assert cli.main(["export", str(dummy_run.folder), str(path)]) == 0
    assert cli.main(["verify", str(path), "--key", str(public)]) == ExitCode.FINDING
    assert "the bundle is not signed" in capsys.readouterr().out.replace("\n", " ")
    for words in (["--key", str(key)], ["--key", str(tmp_path / "gone.pub")]):
        assert cli.main(["verify", str(path), *words]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("student_perf: --key ")
    assert cli.main(["verify", str(dummy_run.folder), "--key", str(public)]) == 1
    assert "only a bundle is signed" in capsys.readouterr().err
