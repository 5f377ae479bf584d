import json
import shutil
import subprocess
import sys

import pytest

from student_perf import cli
from student_perf.compare.leaderboard import make_leaderboards
from student_perf.experiment.run import run_experiment
from student_perf.runs import tags
from student_perf.runs.record import RunRecord, load_record
from student_perf.store.find import find_group
from student_perf.terminal import Terminal
from tests.made_runs import change_record

QUICK = ["split.n_splits=3", "report.importance=false"]


@pytest.fixture
def runs(compose_config, workspace, grades):
    """Two tiny tracked-off runs on the same rows."""
    data = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade", "tracking=off"]
    for number, model in enumerate(["logreg", "dummy"]):
        config = compose_config(*data, f"model={model}", *QUICK)
        folder = workspace / f"outputs/2026-01-02/03-04-05_abcdef0{number}"
        run_experiment(config, folder, Terminal(quiet=True))


def test_latest_runs_are_compared_and_any_metric_computed_again(runs, workspace, capsys):
    assert cli.main(["compare"]) == 0
    out = capsys.readouterr().out
    assert "2 runs on" in out
    assert "Recommended: " in out
    assert max(map(len, out.splitlines())) <= 80
    assert cli.main(["compare", "--metric", "f1_macro", "--format", "json"]) == 0
    recorded = json.loads(capsys.readouterr().out)["leaderboards"][0]["runs"]
    records = find_group()
    for record in records:
        del record.metrics["fold_f1_macro"]  # as in a record from before the metric was known
    (board,) = make_leaderboards(records, "f1_macro")
    for line, row in zip(board.lines, recorded, strict=True):
        assert line.mean == pytest.approx(row["mean"], abs=1e-15)
    assert recorded[0]["minus_dummy"] is not None


@pytest.mark.slow
def test_runs_on_other_rows_are_counted(runs, workspace, capsys):
    assert cli.main(["compare"]) == 0
    assert "on other rows" not in capsys.readouterr().out
    older = workspace / "outputs/2026-01-01/03-04-05_abcdef09"
    shutil.copytree(workspace / "outputs/2026-01-02/03-04-05_abcdef00", older)
    change_record(
        load_record(older), tags={tags.DATA_SHA256: "0" * 64, tags.DATASET: "exam"}, started=1.0
    )
    assert cli.main(["compare"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "On other rows or folds: 1 single run (1 on exam). All of them: " in said
    *_, typed = said.partition("-m student_perf ")
    assert cli.main(typed.split()) == 0
    said = capsys.readouterr().out
    assert "On other rows" not in said
    assert "1 run on exam" in said


def test_a_run_beside_sweeps_on_the_same_rows_is_compared_with_them(make_record, capsys):
    for study, model, mean, started in [("older", "xgb", 0.9, 1.0), ("newer", "rf", 0.5, 3.0)]:
        trial = make_record("0", [mean, mean + 0.02], model, study=study, started=started)
        parent, known = trial.folder.parent, {tags.STUDY: study}
        RunRecord(parent, study, "sweep", {}, known, started=started).finish()
    make_record("single", [0.6, 0.62], started=2.0)
    assert cli.main(["compare"]) == 0
    said = capsys.readouterr().out
    assert "3 runs on grades" in said
    assert "> 0 older" in said
    assert "Not named" not in said
    assert cli.main(["compare", "latest"]) == 0
    said = capsys.readouterr().out
    assert "1 run on grades" in said
    said = " ".join(said.split())
    assert "Not named, on the same rows and folds: 1 single run and 1 sweep. All of them: " in said
    *_, typed = said.partition("-m student_perf ")
    assert cli.main(typed.split()[:3]) == 0
    assert "Not named" not in capsys.readouterr().out


@pytest.mark.slow
def test_the_report_is_the_same_on_screen_and_in_a_file(runs, tmp_path, capsys):
    file = tmp_path / "report.html"
    assert cli.main(["compare", "--html", str(file)]) == 0
    assert f"report   {file}" in capsys.readouterr().out
    assert cli.main(["compare", "--format", "html"]) == 0
    page = capsys.readouterr().out
    assert page == file.read_text(encoding="utf-8")
    assert "<title>Comparison: 2 runs on" in page
    assert page.count("Confusion matrix on held-out rows") == 2


def test_nothing_to_compare_is_said_in_one_line(capsys):
    assert cli.main(["compare", "nowhere"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "nowhere: no such run" in line


@pytest.mark.parametrize(
    "option", ["--rope=-1", "--rope=nan", "--top=0", "--permuted=-1", "--html=no/x"]
)
def test_options_out_of_range_are_refused_first(option, capsys):
    assert cli.main(["compare", option]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert option.partition("=")[0] in line


def test_help_starts_without_heavy_imports():
    code = (
        "import sys\nfrom student_perf import cli\n"
        "try: cli.main(['compare', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'numpy', 'pandas', 'mlflow', 'sklearn'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--permuted" in done.stdout
