import pytest

from student_perf import cli
from student_perf.experiment.run import run_experiment
from student_perf.runs.record import RunRecord
from student_perf.terminal import Terminal

QUICK = ["split.n_splits=2", "report.importance=false"]


@pytest.fixture
def finished(compose_config, workspace):
    config = compose_config("tracking=off", "model=logreg", *QUICK)
    folder = workspace / "outputs/2026-01-02/03-04-05_abcdef01"
    return run_experiment(config, folder, Terminal(quiet=True)).record


def test_report_shows_the_latest_finished_run(finished, workspace, capsys):
    later = workspace / "outputs/2026-01-02/09-00-00_abcdef02"
    later.mkdir(parents=True)
    RunRecord(later, "broken", "single", {}, {}, started=finished.started + 60).fail("X: no")
    assert cli.main(["report"]) == 0
    out = capsys.readouterr().out
    assert finished.name in out
    mean = finished.metrics["cv_accuracy_mean"]
    assert f"{mean:.3f}" in out
    assert str(finished.folder) in out
    assert "note: sets that hold the class of 90 % of new rows have" in out


def test_report_takes_a_folder(finished, capsys):
    assert cli.main(["report", str(finished.folder)]) == 0
    assert finished.name in capsys.readouterr().out


@pytest.mark.slow
def test_report_shows_the_latest_sweep_and_writes_its_page_again(
    finished, train, workspace, capsys
):
    words = ["model.C=0.1,1", *QUICK, "tracking=off"]
    assert train("-m", *words).code == 0
    (folder,) = (workspace / "multirun").iterdir()
    page = folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    for words in ([str(folder)], [folder.name], ["latest"], []):
        assert cli.main(["report", *words]) == 0
        out = capsys.readouterr().out
        assert out.startswith(f"{folder.name}, finished\n")
        assert "Best: trial 1, accuracy" in " ".join(out.split())
        assert str(page) in out
        assert finished.name not in out
        assert page.read_bytes() == before


@pytest.mark.parametrize("state", ["none", "failed", "no record"])
def test_report_without_a_result_says_why(state, tmp_path, capsys):
    arguments = ["report"] if state == "none" else ["report", str(tmp_path)]
    if state == "failed":
        RunRecord(tmp_path, "x", "single", {}, {}).fail("DataError: no rows")
    assert cli.main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    expected = {"none": "perf.train` first", "failed": "no rows", "no record": "record.json"}
    assert expected[state] in line
