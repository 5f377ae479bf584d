import zipfile

from student_perf import cli


def test_export_writes_one_zip_that_verifies(dummy_run, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["export", "latest"]) == 0
    (path,) = tmp_path.glob("*.zip")
    assert path.name == f"{dummy_run.name}.zip"
    wanted = {"config.yaml", "predictions.parquet", "model.skops", "model_card.md"}
    assert wanted < set(zipfile.ZipFile(path).namelist())
    assert f"python -m student_perf verify {path.name}" in capsys.readouterr().out
    assert cli.main(["verify", path.name]) == 0
