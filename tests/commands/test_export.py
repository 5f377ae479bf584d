import zipfile

from student_perf import cli


def test_export_writes_one_zip_that_verifies(dummy_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # the second holds nothing of the first
        assert cli.main(["export", "latest"]) == 0
        (path,) = dummy_run.folder.glob("*.zip")
        assert not any(name.endswith(".zip") for name in zipfile.ZipFile(path).namelist())
    assert not list(tmp_path.glob("*.zip"))
    assert path.name == f"{dummy_run.name}.zip"
    wanted = {"config.yaml", "predictions.parquet", "model.skops", "model_card.md"}
    assert wanted < set(zipfile.ZipFile(path).namelist())
    assert f"-m student_perf verify {path}" in capsys.readouterr().out
    assert cli.main(["verify", str(path)]) == 0


def test_a_file_that_is_no_bundle_stays(dummy_run, tmp_path, capsys):
    grades = tmp_path / "grades.csv"
    grades.write_text("id;grade")
    assert cli.main(["export", str(dummy_run.folder), str(grades)]) == 1
    assert "exists and holds something else" in capsys.readouterr().err
    assert grades.read_text() == "id;grade"
