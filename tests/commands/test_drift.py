import json

import pandas as pd
import pytest
from mlflow import MlflowClient

from student_perf import cli
from student_perf.runs.record import load_record
from tests.made_runs import change_record
from tests.servers import free_port


@pytest.fixture
def changed(grades, tmp_path):
    """The grades file with a category nobody knew, and [brackets] in it."""
    table = pd.read_csv(grades)
    table.loc[:20, "school"] = "[bold]east"
    table.to_csv(tmp_path / "changed.csv", index=False)
    return str(tmp_path / "changed.csv")


def test_identical_files_exit_with_0(grades, capsys):
    assert cli.main(["drift", str(grades), str(grades), "--no-tracking"]) == 0
    assert "No alarm" in capsys.readouterr().out


def test_an_alarm_exits_with_3_and_fits_the_terminal(grades, changed, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert cli.main(["drift", str(grades), changed, "--no-tracking"]) == 3
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if "school" in line]
    assert "alarm: new:" in rows[0]
    assert "[bold]east" in out
    assert "Alarm in 1 of 5 columns" in out
    table = out[out.index("column") :]
    assert max(map(len, table.splitlines())) <= 80


def test_json_holds_every_figure_and_the_page_is_written(grades, changed, tmp_path, capsys):
    page = tmp_path / "page.html"
    arguments = ["--no-tracking", "--format", "json", "--html", str(page), "--alarm", "0.3"]
    assert cli.main(["drift", str(grades), changed, *arguments]) == 3
    content = json.loads(capsys.readouterr().out)
    assert content["alarm"] is True
    assert content["thresholds"]["alarm"] == 0.3
    school = content["columns"][0]
    assert (school["name"], school["new"]) == ("school", ["[bold]east"])
    assert sum(school["shares_current"]) == pytest.approx(1)
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.slow
def test_a_report_is_recorded_on_disk_and_in_mlflow(grades, changed, workspace, capsys):
    assert cli.main(["drift", str(grades), changed]) == 3
    (folder,) = (workspace / "drift").iterdir()
    record = load_record(folder)
    assert (record.kind, record.status) == ("drift", "FINISHED")
    import mlflow

    run = mlflow.MlflowClient(f"sqlite:///{workspace}/mlflow.db").get_run(record.mlflow_run_id)
    assert run.data.tags["student_perf.kind"] == "drift"
    assert run.data.metrics["drift_alarms"] == 1
    assert run.data.params["drift.alarm"] == "0.25"
    assert run.data.metrics["psi.school"] == record.metrics["psi.school"]


def test_a_page_without_a_folder_is_refused_before_any_work(grades, tmp_path, capsys):
    arguments = ["drift", str(grades), str(grades), "--html", str(tmp_path / "no/x.html")]
    assert cli.main(arguments) == 1
    assert "there is no folder" in capsys.readouterr().err


@pytest.mark.slow
def test_an_alarm_is_an_alarm_without_a_server_and_is_sent_later(
    grades, changed, workspace, monkeypatch, capsys
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://u:rosebud77@127.0.0.1:{free_port()}")
    assert cli.main(["drift", str(grades), changed]) == 3
    said = capsys.readouterr().out
    assert "Not in MLflow yet" in said
    assert "rosebud77" not in said
    (folder,) = (workspace / "drift").iterdir()
    assert "rosebud77" not in (folder / "record.json").read_text()

    uri = {"tracking.uri": f"sqlite:///{workspace}/later.db"}
    change_record(load_record(folder), params=uri)
    for times in range(2):
        assert cli.main(["sync"]) == 0
        run_id = load_record(folder).mlflow_run_id
        assert run_id is not None
        assert (run_id in capsys.readouterr().out) is (times == 0)
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/later.db")
    run = client.get_run(run_id)
    assert run.data.tags["student_perf.kind"] == "drift"
    assert {file.path for file in client.list_artifacts(run_id)} == {"drift.html", "drift.json"}
