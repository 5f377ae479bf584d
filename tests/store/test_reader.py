import json
import shutil

import pytest

from student_perf.errors import TrackingError
from student_perf.experiment.run import run_experiment
from student_perf.reproduction.reproduce import reproduce
from student_perf.store.find import opened
from student_perf.store.reader import fetch_run
from student_perf.terminal import Terminal
from tests.conftest import compose_config


@pytest.mark.slow
def test_a_run_of_another_machine_comes_back_whole_and_is_reproduced(workspace, tmp_path):
    words = ["tracking=sqlite", "model=ridge", "report.importance=false", "split.n_splits=2"]
    folder = workspace / "outputs" / "2026-01-02" / "a"
    config = compose_config(*words)
    sent = run_experiment(config, folder, Terminal(quiet=True)).record
    store, run_id = config.tracking.uri, sent.mlflow_run_id
    there = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.*")}
    shutil.rmtree(folder)  # what is left is what another machine would see
    fetched = fetch_run(run_id[:12], store, tmp_path / "fetched")
    assert fetched.mlflow_run_id == run_id
    assert fetched.metrics == {k: v for k, v in sent.metrics.items() if v is not None}
    assert fetched.params == sent.params
    assert fetched.tags.items() >= sent.tags.items()
    for name, content in there.items():
        if name.name not in ("record.json", "model.skops"):  # MLflow writes the model anew
            assert (tmp_path / "fetched" / name).read_bytes() == content, name
    assert json.loads((tmp_path / "fetched" / "record.json").read_text())["kind"] == "single"
    with opened(run_id, store) as recorded:
        assert reproduce(recorded, tmp_path / "again").sentence == "identical"
    with pytest.raises(TrackingError, match="no such run"):
        fetch_run("f" * 32, store, tmp_path / "none")
    with pytest.raises(TrackingError, match="letters and digits"):
        fetch_run("x%' OR 1=1", store, tmp_path / "none")


def test_a_store_that_is_not_there_is_not_made(workspace):
    store = f"sqlite:///{workspace}/none.db"
    with pytest.raises(TrackingError, match="no such database"):
        fetch_run("abcd", store, workspace / "x")
    assert not (workspace / "none.db").exists()
    with pytest.raises(TrackingError, match="no answer"):
        fetch_run("abcd", "http://127.0.0.1:9", workspace / "x")
