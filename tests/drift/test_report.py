import numpy as np
import pandas as pd
import pytest

from student_perf.drift.limits import Thresholds
from student_perf.drift.report import make_report

LIMITS = Thresholds()


def by_name(report):
    return {column.name: column for column in report.columns}


def test_identical_files_give_no_alarm(grades):
    report = make_report(str(grades), str(grades), LIMITS, target="grade")
    assert not report.has_alarm
    assert (report.n_reference, report.n_current) == (120, 120)
    assert by_name(report)["grade"].role == "target"
    assert all(column.psi == 0 for column in report.columns)


def test_a_model_compares_predictions_and_performance(kept_run, grades, tmp_path):
    rng = np.random.default_rng(0)
    table = pd.read_csv(grades)
    worse = pd.concat([table] * 4, ignore_index=True)
    worse["hours"] = worse["hours"] + 20
    worse["grade"] = rng.choice(["low", "mid", "high"], len(worse), p=[0.6, 0.3, 0.1])
    worse.to_csv(tmp_path / "worse.csv", index=False)
    report = make_report(str(grades), str(tmp_path / "worse.csv"), LIMITS, model=str(kept_run))
    found = by_name(report)
    assert found["hours"].severity == "alarm"
    assert found["prediction"].role == "prediction"
    assert found["prediction"].severity == "alarm"
    change = report.performance
    assert change.change == pytest.approx(change.current - change.reference)
    assert change.low < change.change < change.high
    assert found["accuracy"].p == change.p
    assert (found["accuracy"].severity == "alarm") == (found["accuracy"].p_holm < LIMITS.alpha)


def test_same_rows_show_no_change_of_performance(kept_run, grades):
    report = make_report(str(grades), str(grades), LIMITS, model=str(kept_run))
    assert report.performance.change == 0
    assert by_name(report)["accuracy"].severity == "ok"
    assert not report.has_alarm


def test_training_rows_are_judged_by_their_held_out_predictions(kept_run, grades):
    report = make_report(str(kept_run), str(grades), LIMITS, model=str(kept_run))
    assert report.notes == [f"{kept_run}: predictions are the run's held-out ones"]
    held_out = pd.read_parquet(kept_run / "predictions.parquet")
    right = held_out["y_true"].astype(str) == held_out["y_pred"].astype(str)
    assert report.performance.reference == pytest.approx(right.mean())
    prediction = by_name(report)["prediction"]
    assert prediction.missing_reference == 0, "rows never held out are left out"
    assert len(held_out) < 120
    shares = held_out["y_pred"].value_counts(normalize=True)
    got = dict(zip(prediction.bins, prediction.shares_reference, strict=True))
    assert got == pytest.approx({label: shares.get(label, 0) for label in got})


def test_a_category_the_config_declares_is_not_new(tmp_path):
    reference = pd.DataFrame({"x": ["a", "b"] * 40, "y": ["p", "q"] * 40})
    current = reference.copy()
    current.loc[0, "x"] = "c"
    for name, table in (("r", reference), ("c", current)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    words = f"csv dataset.path={tmp_path}/r.csv dataset.target=y"
    declared = f"{words} +dataset.categories.x=[a,b,c]"
    assert make_report(words, str(tmp_path / "c.csv"), LIMITS).has_alarm
    assert not make_report(declared, str(tmp_path / "c.csv"), LIMITS).has_alarm
