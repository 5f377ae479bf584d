import pandas as pd
import pytest

from student_perf import cli
from student_perf.exit_codes import ExitCode
from tests.made_runs import seal_again


def test_the_latest_run_is_identical(dummy_run, capsys):
    assert cli.main(["reproduce", "latest"]) == 0
    out = capsys.readouterr().out
    assert out.rstrip().endswith("Verdict: identical")
    assert dummy_run.name in out
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.slow
def test_what_the_run_warned_of_is_not_said_again(train, grades, capsys):
    table = pd.read_csv(grades)
    table.assign(student=[f"s{n}" for n in range(len(table))]).to_csv(grades, index=False)
    outcome = train("model=dummy", "dataset=csv", f"dataset.path={grades}", "dataset.target=grade",
                    "tracking=off")  # fmt: skip
    assert "SP201" in outcome.out
    assert cli.main(["reproduce", "latest"]) == 0
    printed = capsys.readouterr()
    assert "SP201" not in printed.out + printed.err


def test_checks_alone_run_nothing_and_a_change_is_a_finding(dummy_run, capsys):
    file = dummy_run.folder / "config.yaml"
    file.write_text(file.read_text().replace("seed: 0", "seed: 5", 1))
    seal_again(dummy_run.folder)
    assert cli.main(["reproduce", str(dummy_run.folder), "--check-only"]) == ExitCode.FINDING
    out = capsys.readouterr().out
    assert "seed: 0 in the record -> 5 in config.yaml" in out
    assert "different because of the config" in out
    assert "predictions" not in out


def test_a_run_that_is_not_there_is_one_line(workspace, capsys):
    assert cli.main(["reproduce", "0123abcd"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "no such run on disk or in sqlite" in line
