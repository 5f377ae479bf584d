import platform
from importlib.metadata import version

from student_perf.reproduction.evidence import (
    environment_facts,
    last_runs,
    package_versions,
)
from student_perf.runs.record import RunRecord
from student_perf.text import markdown_table


def test_the_environment_is_this_one():
    facts = environment_facts()
    assert facts["Python"] == platform.python_version()
    assert "SHA-256" in facts["lock"]
    short = package_versions()
    assert short["scikit-learn"] == version("scikit-learn")
    assert len(package_versions(all_of_them=True)) > len(short)


def test_runs_are_listed_newest_first_with_what_is_missing(run, workspace):
    record = run("model=dummy")
    (record.folder / "model.skops").unlink()
    failed = workspace / "outputs" / "2026-01-02" / "failed"
    failed.mkdir(parents=True)
    RunRecord(failed, "failed", "single", {}, {}, started=record.started + 9).fail("X: no")
    first, second = last_runs(5)
    assert (first.status, first.missing) == ("FAILED", ())
    assert second.missing == ("model.skops",)
    assert second.mlflow == "off"
    assert "missing: model.skops" in second.artifacts
    assert len(last_runs(1)) == 1


def test_bars_do_not_break_the_table():
    assert markdown_table(("a",), [("x|y",)]) == "| a |\n| --- |\n| x\\|y |"
