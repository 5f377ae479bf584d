import sys

import pandas as pd
import pytest

from student_perf import cli
from student_perf.experiment.run import run_experiment
from student_perf.terminal import Terminal


@pytest.mark.slow  # importing shap takes seconds
def test_the_command_prints_columns_and_files(kept_run, capsys):
    assert cli.main(["explain", str(kept_run), "--rows", "4", "--background", "6"]) == 0
    out = capsys.readouterr().out
    assert "absences" in out
    assert (kept_run / "shap.png").is_file()


def test_a_missing_extra_is_one_line_with_the_command(kept_run, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "shap", None)
    assert cli.main(["explain", str(kept_run)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "needs shap, which is not installed; run: " in line
    assert line.endswith(" -m pip install 'shap>=0.50'")


@pytest.mark.slow
def test_what_mlflow_knows_gets_the_files(compose_config, workspace):
    config = compose_config("tracking=sqlite", "split=holdout", "report.importance=false")
    record = run_experiment(config, workspace / "run", Terminal(quiet=True)).record
    options = ["--rows", "3", "--background", "5"]
    assert cli.main(["explain", str(workspace / "run"), *options]) == 0
    import mlflow

    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    names = {file.path for file in client.list_artifacts(record.mlflow_run_id)}
    assert {"shap.csv", "shap.png"} <= names


def test_a_model_of_curves_has_its_picture_named(kept_run, monkeypatch, capsys):
    from student_perf.serving import shap_values

    table = pd.DataFrame({"column": ["hours"], "mean_abs_shap": [0.1]})
    monkeypatch.setattr(shap_values, "explain_run", lambda *_: (table, []))
    assert cli.main(["explain", str(kept_run)]) == 0
    assert "curves" not in capsys.readouterr().out
    (kept_run / "shapes.png").write_bytes(b"picture")
    assert cli.main(["explain", str(kept_run)]) == 0
    out = capsys.readouterr().out
    assert "curves" in out
    assert "shapes.png" in "".join(out.split())  # a long path breaks
