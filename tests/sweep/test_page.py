import shlex

import pytest

from student_perf.data.dataset import Dataset
from student_perf.errors import ConfigError
from student_perf.runs.record import NOTE_TAG, load_record
from student_perf.sweep.page import command_line, describe_target, write_page
from student_perf.sweep.report import importances
from student_perf.sweep.study import load_journal

SEARCH = ["-m", "model.C=tag(log,interval(0.01,10))", "model.class_weight=null,balanced",
          "hydra.sweeper.n_trials=11", "split.n_splits=2", "report.importance=false"]  # fmt: skip


def sweep_folder(workspace):
    (folder,) = (workspace / "multirun").iterdir()
    return folder


def test_a_sweep_leaves_its_page_with_the_importances_of_optuna(train, workspace):
    outcome = train(*SEARCH, "tracking=off")
    folder = sweep_folder(workspace)
    text = (folder / "report.html").read_text(encoding="utf-8")
    assert f"report   {folder}/report.html" in outcome.out.replace("\n", "")
    assert "Which parameters mattered" in text
    assert shlex.join(["python", "-m", "student_perf.train", *SEARCH]).replace("'", "&#39;") in text
    record = load_record(folder)
    assert "**Best**: trial" in record.tags[NOTE_TAG]
    assert "11 finished" in record.tags[NOTE_TAG]
    _, sweep = write_page(folder)
    expected = importances(load_journal(folder / "study.journal", folder.name))
    assert sweep.importances == expected
    assert sum(expected.values()) == pytest.approx(1)
    (folder / "study.journal").unlink()
    _, sweep = write_page(folder)
    assert not sweep.importances
    assert "Which parameters mattered" not in (folder / "report.html").read_text(encoding="utf-8")


def test_mlflow_has_the_page_and_the_note(train, workspace):
    from mlflow import MlflowClient

    assert train("-m", "model.C=0.1,1", "split.n_splits=2", "report.importance=false").code == 0
    folder = sweep_folder(workspace)
    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    parent = client.get_run((folder / "mlflow_run_id").read_text())
    sent = {item.path for item in client.list_artifacts(parent.info.run_id)}
    assert {"report.html", "config.yaml", ".hydra", "provenance.json"} <= sent
    (hydra,) = client.list_artifacts(parent.info.run_id, ".hydra")
    assert hydra.path == ".hydra/hydra.yaml"
    assert "OptunaSweeper" in (folder / ".hydra" / "hydra.yaml").read_text(encoding="utf-8")
    winner = load_record(folder / "winner").mlflow_run_id
    assert f"run `{winner}`" in parent.data.tags["mlflow.note.content"]
    assert parent.data.tags["student_perf.target"].startswith("score: ")


def test_a_page_that_fails_does_not_fail_the_sweep(train, workspace, monkeypatch):
    def broken(*_args):
        raise ValueError("out of ink")

    monkeypatch.setattr("student_perf.sweep.run.write_page", broken)
    words = ["model.C=0.1,1", "split.n_splits=2", "report.importance=false", "tracking=off"]
    outcome = train("-m", *words)
    assert outcome.code == 0
    assert "No report was written: ValueError: out of ink" in outcome.out
    assert load_record(sweep_folder(workspace)).status == "FINISHED"


def test_the_page_of_a_run_that_is_no_sweep_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no record\.json"):
        write_page(tmp_path)


def test_targets_are_counted_or_summed_up(small_dataset):
    assert describe_target(small_dataset) == "grade: low 20, mid 20, high 20"
    numbers = Dataset(
        name="x", version="1", task="regression", target_name="score",
        features=small_dataset.features, target=small_dataset.target * 10.0, classes=(),
        sha256="0" * 64,
    )  # fmt: skip
    assert describe_target(numbers) == (
        "score: mean 10.000, standard deviation 8.234, 0.000 to 20.000"
    )


def test_the_command_is_quoted_for_a_shell():
    assert shlex.split(command_line(["-m", "a=choice(b, c)"]))[-1] == "a=choice(b, c)"
