import numpy as np
import pandas as pd
import pytest

from student_perf.drift.limits import Thresholds
from student_perf.drift.report import make_report
from student_perf.pages.drift import drift_sentences, drift_verdict

LIMITS = Thresholds()


def by_name(report):
    return {column.name: column for column in report.columns}


def test_identical_files_give_no_alarm(grades):
    report = make_report(str(grades), str(grades), LIMITS, target="grade")
    assert not report.has_alarm
    assert (report.n_reference, report.n_current) == (120, 120)
    assert by_name(report)["grade"].role == "target"
    assert all(column.psi == 0 for column in report.columns)


def test_too_few_rows_are_no_answer(grades, tmp_path):
    table = pd.read_csv(grades)
    table.head(5).to_csv(tmp_path / "few.csv", index=False)
    few = make_report(str(grades), str(tmp_path / "few.csv"), LIMITS)
    assert (few.has_alarm, few.is_undecided) == (False, True)
    assert few.to_dict()["undecided"]
    assert (drift_verdict(few), drift_sentences(few)[0]) == (
        "Too few rows to tell",
        "120 and 5 rows show a shift of a number by 2.9 standard deviations or of a category's "
        "share by 90 points in four of five cases, smaller ones more rarely.",
    )
    assert not make_report(
        str(grades), str(tmp_path / "few.csv"), Thresholds(visible=3)
    ).is_undecided
    one = pd.DataFrame({"hours": [5.0]})
    one.to_csv(tmp_path / "one.csv", index=False)
    table[["hours"]].to_csv(tmp_path / "hours.csv", index=False)
    single = make_report(str(tmp_path / "hours.csv"), str(tmp_path / "one.csv"), LIMITS)
    assert (
        drift_sentences(single)[0]
        == "120 and 1 rows show no shift of a number, however large: collect more."
    )
    strange = table.head(5).assign(school="moon")
    strange.to_csv(tmp_path / "strange.csv", index=False)
    found = make_report(str(grades), str(tmp_path / "strange.csv"), LIMITS)
    assert (found.has_alarm, found.is_undecided) == (True, False), "a new category needs no test"


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


@pytest.mark.slow
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


def test_declared_weights_are_not_used_and_the_report_says_so(grades, tmp_path):
    pd.read_csv(grades).assign(w=2).to_csv(tmp_path / "w.csv", index=False)
    side = f"csv dataset.path={tmp_path / 'w.csv'} dataset.target=grade"
    report = make_report(f"{side} dataset.weight=w", str(tmp_path / "w.csv"), LIMITS)
    (line,) = (one for one in drift_sentences(report) if "weight" in one)
    assert line.endswith("dataset.weight=w is not used.")
    unweighted = make_report(side, str(tmp_path / "w.csv"), LIMITS)
    assert not any("weight" in one for one in drift_sentences(unweighted))


def test_of_text_the_number_of_words_is_compared(tmp_path):
    words = ["good work", "late again today", "fine"]
    rows = pd.DataFrame({"note": [f"{words[i % 3]} {i}" for i in range(60)], "y": list("ab") * 30})
    rows.to_csv(tmp_path / "old.csv", index=False)
    rows.assign(note=rows["note"] + " and so much more of it").iloc[:30].to_csv(
        tmp_path / "new.csv", index=False
    )
    side = f"csv dataset.path={tmp_path / 'old.csv'} dataset.target=y dataset.text=[note]"
    report = make_report(side, str(tmp_path / "new.csv"), LIMITS)
    assert (by_name(report)["note"].kind, by_name(report)["note"].reason) == ("numeric", "drift")
    assert "Of the text in note the number of words is compared." in drift_sentences(report)


def test_an_identifier_of_rows_is_left_out_of_two_files_and_said(grades, tmp_path):
    table = pd.read_csv(grades)
    code = [f"A{number:04}" for number in range(240)]

    def written(name, first, n_rows=120):
        rows = slice(first, first + n_rows)
        marked = table.head(n_rows).assign(id=range(first, first + n_rows), code=code[rows])
        marked.to_csv(tmp_path / name, index=False)
        return str(tmp_path / name)

    old, new, few = written("old.csv", 0), written("new.csv", 120), written("few.csv", 120, 20)
    for other in (new, few):
        report = make_report(old, other, LIMITS)
        assert not report.has_alarm
        assert not {"id", "code"} & set(by_name(report))
        assert report.notes == ["Left out, as identifiers of rows (see SP201): id, code"]
    pd.read_csv(new).assign(code="A0001").to_csv(new, index=False)
    changed = make_report(old, new, LIMITS)
    assert by_name(changed)["code"].severity == "alarm", "it identifies nothing any more"
    assert changed.notes == ["Left out, as an identifier of rows (see SP201): id"]
    words = f"csv dataset.path={old} dataset.target=grade"
    assert by_name(make_report(words, old, LIMITS))["id"].severity == "ok", "a feature, as declared"
