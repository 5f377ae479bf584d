import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.config.schema import GuardsConfig
from student_perf.errors import ConfigError, DataError
from student_perf.evaluation.guards import check_guards, label_noise_limit
from student_perf.evaluation.registry import CHECKS, Subject
from student_perf.evaluation.splits import make_split
from tests.conftest import SMALL_CONFIG
from tests.evaluation.checked import KFOLD, WARN, findings_of, lines_of, with_column


def test_an_error_names_the_column_and_the_way_on(small_dataset):
    leaky = with_column(small_dataset, "copy", small_dataset.target * 2.0)
    with pytest.raises(DataError, match=r"SP101: column 'copy'.*guards\.SP101=warn"):
        lines_of(leaky, guards=GuardsConfig({"SP101": "error"}))
    assert lines_of(leaky, guards=GuardsConfig({"SP101": "off"})) == []


def test_a_finding_begins_with_its_code_and_an_unknown_code_is_refused(small_dataset):
    (found,) = findings_of(with_column(small_dataset, "same", 1.0))
    assert str(found).startswith("SP202: column 'same': ")
    with pytest.raises(ConfigError, match=r"guards\.SP999: no such check"):
        findings_of(small_dataset, guards=GuardsConfig({"SP999": "off"}))


def test_label_noise_ceiling_by_hand(small_dataset):
    features = pd.DataFrame({"x": [1.0, 1.0, 1.0, 2.0, 2.0, 3.0]})
    target = np.array([0, 0, 1, 1, 0, 2])
    data = replace(small_dataset, features=features, target=target)
    assert label_noise_limit(data) == pytest.approx((2 + 1 + 1) / 6)
    numbers = replace(data, task="regression", target=target.astype(float), classes=())
    residuals = np.array([-1 / 3, -1 / 3, 2 / 3, 0.5, -0.5, 0])
    assert label_noise_limit(numbers) == pytest.approx(np.sqrt((residuals**2).mean()))


def test_guards_look_at_development_rows_only(small_dataset):
    split = make_split(small_dataset, KFOLD)
    values = np.ones(60)
    values[split.test] = 2.0
    data = with_column(small_dataset, "c", values)
    found = check_guards(Subject(data, split, SMALL_CONFIG, KFOLD), WARN)
    assert [finding.code for finding in found] == ["SP202"]


def test_no_check_reads_a_test_rows_target(small_dataset):
    split = make_split(small_dataset, KFOLD)
    blank = small_dataset.target.copy()
    blank[split.test] = 0
    data = with_column(small_dataset, "same", 1.0)
    found, again = (
        check_guards(Subject(one, split, SMALL_CONFIG, KFOLD), WARN)
        for one in (data, replace(data, target=blank))
    )
    assert found == again


@pytest.mark.slow
def test_the_targets_own_one_hot_columns_stop_a_run_and_flatter_it_without_the_guard(
    train, workspace, grades
):
    data = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade", "tracking=off"]
    leak = "dataset.clean=[{step:one_hot,columns:[grade]}]"
    outcome = train(*data, leak)
    assert outcome.code == 1
    assert "column 'grade_" in outcome.err
    accuracy = []
    for overrides in ([], [leak, "guards.leaking_feature='off'"]):
        assert train(*data, *overrides, "report.importance=false").code == 0
        newest = max(workspace.glob("outputs/*/*/metrics.json"), key=lambda p: p.stat().st_mtime)
        accuracy.append(json.loads(newest.read_text())["metrics"]["accuracy"]["mean"])
    assert accuracy[0] < 0.6
    assert accuracy[1] > 0.95


def test_weights_count_in_what_contradictory_rows_leave(small_dataset):
    features = pd.DataFrame({"a": [1.0, 1.0, 2.0]})
    weights = np.array([3.0, 1.0, 4.0])
    data = replace(small_dataset, features=features, target=np.array([0, 1, 0]), weights=weights)
    assert label_noise_limit(data) == pytest.approx(7 / 8)
    numbers = replace(data, task="regression", target=np.array([0.0, 4.0, 0.1]), classes=())
    # Around the weighted mean 1: three times 1 and once 9, over all weight.
    assert label_noise_limit(numbers) == pytest.approx(np.sqrt((3 * 1 + 9) / 8))
    alone = replace(numbers, features=pd.DataFrame({"a": [1.0, 3.0, 2.0]}))
    assert label_noise_limit(alone) == 0


def test_advice_on_cleaning_keeps_the_steps_that_are_declared(small_dataset, monkeypatch):
    line = "type 'dataset.clean=[normalise_text,drop_duplicates]'"
    known = replace(CHECKS["SP104"], find=lambda subject: iter([line]))
    monkeypatch.setitem(CHECKS, "SP104", known)
    config = replace(SMALL_CONFIG, clean=["normalise_text", "drop_missing_target"])
    subject = Subject(small_dataset, make_split(small_dataset, KFOLD), config, KFOLD)
    (found,) = [one for one in check_guards(subject, WARN) if one.code == "SP104"]
    assert "clean=[normalise_text,drop_missing_target,drop_duplicates]" in found.text
