import subprocess
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.data.contract import make_contract
from student_perf.reproduction.differences import (
    CodeFacts,
    EnvironmentFacts,
    compare_code,
    compare_config,
    compare_data,
    compare_environment,
    compare_with_params,
    current_code,
    current_environment,
    data_of,
    recorded_code,
)
from student_perf.runs.record import Recorded, RunRecord


@pytest.fixture
def project(tmp_path):
    """A git repository with one module of the package and one page."""
    folder = tmp_path / "project"
    (folder / "student_perf").mkdir(parents=True)
    (folder / "student_perf" / "models.py").write_text("C = 1.0\nD = 2.0\n")
    (folder / "README.md").write_text("hello\n")
    in_git(folder, "init", "-q")
    in_git(folder, "add", ".")
    commit(folder)
    return folder


def in_git(folder, *words):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def commit(folder):
    in_git(folder, "commit", "-qam", "x")
    return in_git(folder, "rev-parse", "HEAD")


def head(folder):
    return in_git(folder, "rev-parse", "HEAD")


def test_one_changed_config_value_is_named(compose_config):
    one = compose_config("model=logreg", "tags.role=a").composed
    two = compose_config("model=logreg", "model.C=2.5", "tags.role=b", "tracking=off").composed
    found = compare_config(one, two)
    assert found.same is False
    assert found.lines == ["model.C: 1.0 -> 2.5"]
    assert compare_config(one, one).same is True


def test_a_config_file_changed_after_the_run_is_told_from_its_hash(compose_config, tmp_path):
    config = compose_config("model=logreg")
    params = {"model.C": "1.0"}
    record = RunRecord(tmp_path, "x", "single", params, {"student_perf.config_hash": config.sha256})
    changed = compose_config("model=logreg", "model.C=3")
    run = Recorded(record, changed.composed)
    assert compare_with_params(config.composed, config.sha256, run).same is True
    found = compare_with_params(changed.composed, changed.sha256, run)
    assert found.lines == ["model.C: 1.0 in the record -> 3 in config.yaml"]


def test_one_changed_cell_names_its_column(grades, compose_config):
    words = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade"]
    before = data_of(load_dataset(compose_config(*words).dataset))
    table = pd.read_csv(grades)
    table.loc[17, "absences"] += 1
    table.to_csv(grades, index=False)
    after = data_of(load_dataset(compose_config(*words).dataset))
    found = compare_data(before, after)
    assert found.same is False
    assert "columns with other values: absences" in found.lines
    assert compare_data(before, before).same is True
    without_columns = compare_data(replace(before, columns={}), after)
    assert without_columns.lines == [f"SHA-256 {before.sha256[:12]} -> {after.sha256[:12]}"]


def test_cells_of_unchanged_columns_break_no_rule_of_the_record(grades, compose_config):
    config = compose_config("dataset=csv", f"dataset.path={grades}", "dataset.target=grade").dataset
    dataset = load_dataset(config)
    hours = dataset.features["hours"]
    test = hours.nlargest(2).index  # outside of what the development rows hold
    development = np.setdiff1d(np.arange(len(hours)), test)
    contract = make_contract(dataset, development, config)
    before = replace(data_of(dataset), contract=contract)
    table = pd.read_csv(grades)
    table.loc[17, "absences"] += 1000
    table.to_csv(grades, index=False)
    after = data_of(load_dataset(config))
    *_, rule = compare_data(before, after).lines
    assert rule.startswith("not in the development rows of the record: column 'absences': '10")
    assert rule.endswith("(1 row: 17)")
    lines = compare_data(replace(before, columns={}), after).lines
    assert any("column 'hours'" in line for line in lines), "which columns changed is unknown"


def test_one_changed_line_of_code_is_named(project):
    before = current_code(head(project), project)
    (project / "student_perf" / "models.py").write_text("C = 1.0\nD = 2.5\n")
    after = current_code(head(project), project)
    found = compare_code(before, after, project)
    assert found.same is False
    assert found.lines == ["student_perf/models.py", "  -D = 2.0", "  +D = 2.5"]


def test_a_change_that_was_committed_since_is_the_same_code(project):
    start = head(project)
    (project / "student_perf" / "models.py").write_text("C = 1.0\nD = 2.5\n")
    dirty = current_code(start, project)
    assert dirty.diff
    commit(project)
    assert compare_code(dirty, current_code(start, project), project).same is True
    assert compare_code(current_code(start, project), CodeFacts("0", start, ""), project).same is (
        False
    )


def test_two_commits_name_their_files_and_pages_do_not_count(project):
    first = head(project)
    (project / "README.md").write_text("other\n")
    second = commit(project)
    found = compare_code(CodeFacts("0", first, ""), CodeFacts("0", second, ""), project)
    assert found.same is True
    assert any("1 file outside" in note for note in found.notes)
    (project / "student_perf" / "models.py").write_text("C = 9\n")
    third = commit(project)
    found = compare_code(CodeFacts("0", first, ""), CodeFacts("0", third, ""), project)
    assert found.lines[0] == "student_perf/models.py"
    assert "  +C = 9" in found.lines


def test_what_a_record_does_not_tell_is_not_called_the_same(project):
    known = current_code(head(project), project)
    assert compare_code(replace(known, diff=None), known, project).same is None
    assert compare_code(replace(known, commit="a" * 40), known, project).same is False
    bare = CodeFacts("0.1", None, "")
    assert compare_code(bare, bare, project).same is None
    assert compare_code(bare, replace(bare, version="0.2"), project).lines == [
        "version: 0.1 -> 0.2"
    ]


def test_a_commit_that_is_an_option_never_reaches_git(tmp_path):
    tags = {"mlflow.source.git.commit": "--output=stolen"}
    found = recorded_code(Recorded(RunRecord(tmp_path, "x", "single", {}, tags), {}))
    assert found.commit is None


def test_one_changed_package_is_named_with_both_versions():
    now = current_environment()
    assert compare_environment(now, now).same is True
    before = replace(now, packages={**now.packages, "scikit-learn": "1.8.0"})
    found = compare_environment(before, now)
    assert found.same is False
    assert found.lines == [f"scikit-learn: 1.8.0 -> {now.packages['scikit-learn']}"]


def test_a_package_that_came_later_is_a_note_and_one_that_went_is_a_difference():
    now = current_environment()
    more = replace(now, packages={**now.packages, "ipykernel": "7", "ipywidgets": "8"})
    found = compare_environment(now, more)
    assert found.same is True
    assert found.notes == ["2 packages added since: ipykernel, ipywidgets"]
    gone = compare_environment(more, now)
    assert gone.same is False
    assert gone.lines[0] == "ipykernel: 7 -> not installed"


def test_another_machine_of_the_same_system_is_a_note():
    one = EnvironmentFacts("3.11.7", "Linux-5.15-x86_64", "l", {"numpy": "2"}, "cpu a")
    two = replace(one, platform="Linux-6.1-x86_64", cpu="cpu b")
    found = compare_environment(one, two)
    assert found.same is True
    assert len(found.notes) == 2
    assert compare_environment(one, replace(one, platform="macOS-15")).same is False
    assert compare_environment(replace(one, packages={}), one).same is None
