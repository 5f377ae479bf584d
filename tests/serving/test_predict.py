import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.errors import ConfigError, DataError, StudentPerfError
from student_perf.scoring.conformal import LEVELS, PredictionSets, classes_within
from student_perf.serving import predict
from student_perf.serving.predict import check_model, predict_file
from student_perf.store.kept_model import load_kept_model
from tests.tables.test_sheets import write_xlsx


def raw_text(path):
    return pd.read_csv(path, dtype="str", keep_default_na=False)


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_predicting_the_training_file_is_bit_equal_to_the_model(
    kept_run, grades, compose_config, tmp_path, ending
):
    kept = load_kept_model(str(kept_run))
    target = tmp_path / f"out.{ending}"
    summary = predict_file(kept, grades, target)
    assert str(summary) == "120 rows, 120 predicted, 0 refused"
    dataset = load_dataset(
        compose_config("dataset=csv", f"dataset.path={grades}", "dataset.target=grade").dataset
    )
    expected = kept.model.predict_proba(dataset.features)
    reader = pd.read_csv if ending == "csv" else pd.read_parquet
    out = reader(target)
    names = ["proba_low", "proba_mid", "proba_high"]
    np.testing.assert_array_equal(out[names].to_numpy(), expected)
    assert out["prediction"].tolist() == kept.model.predict(dataset.features).tolist()
    assert out["row"].tolist() == list(range(120))
    assert out["reason"].isna().all()


def test_rows_are_numbered_and_refused_across_parts(kept_run, grades, tmp_path):
    table = raw_text(grades)
    table.loc[[10, 50], "school"] = "east"
    table.loc[[50, 110], "absences"] = "many"
    table.to_csv(tmp_path / "in.csv", index=False)
    kept = load_kept_model(str(kept_run))
    summary = predict_file(kept, tmp_path / "in.csv", tmp_path / "out.csv", rows_at_once=16)
    out = pd.read_csv(tmp_path / "out.csv")
    assert out["row"].tolist() == list(range(120))
    assert (summary.rows, summary.refused) == (120, 3)
    assert summary.problems == {"not a number": 2, "unknown category": 1}
    assert out.index[out["reason"].notna()].tolist() == [10, 50, 110]
    assert out["reason"][10] == "school: 'east' is not one of north, south"
    assert out["reason"][110] == "absences: 'many' is not a number"
    assert out[["prediction", "proba_low"]].isna().all(axis=1).sum() == 3


def test_a_flagged_category_is_predicted_but_nothing_else_is(kept_run, grades, tmp_path):
    table = raw_text(grades)
    table.loc[[10, 50], "school"] = "east"
    table.loc[50, "absences"] = "many"
    table.to_csv(tmp_path / "in.csv", index=False)
    kept = load_kept_model(str(kept_run))
    summary = predict_file(kept, tmp_path / "in.csv", tmp_path / "out.csv", flag_unknown=True)
    out = pd.read_csv(tmp_path / "out.csv")
    assert (summary.refused, summary.flagged) == (1, 1)
    assert out["prediction"].notna()[10]
    assert out["reason"][10].startswith("school: 'east'")
    assert pd.isna(out["prediction"][50])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_sets_stand_beside_the_prediction(kept_run, grades, tmp_path, ending):
    table = raw_text(grades)
    table.loc[10, "school"] = "east"
    table.to_csv(tmp_path / "in.csv", index=False)
    kept = load_kept_model(str(kept_run))
    target = tmp_path / f"out.{ending}"
    predict_file(kept, tmp_path / "in.csv", target, coverage=0.9, keep=["hours"])
    out = (pd.read_csv if ending == "csv" else pd.read_parquet)(target)
    assert [*out][-2:] == ["set", "reason"]
    assert out["set"].isna().to_numpy().nonzero()[0].tolist() == [10]
    shares = out[["proba_low", "proba_mid", "proba_high"]].dropna()
    held = classes_within(shares.to_numpy(), kept.limit(0.9))
    texts = ["; ".join(np.array(["low", "mid", "high"])[one]) for one in held]
    assert out["set"].dropna().tolist() == texts
    truth = table["grade"].drop(index=10)
    assert np.mean([t in s.split("; ") for t, s in zip(truth, texts, strict=True)]) > 0.8


def test_numbers_get_the_ends_of_an_interval(kept_run, grades, tmp_path):
    kept = load_kept_model(str(kept_run))
    limits = PredictionSets(100, [2.0] * len(LEVELS), [4.0] * len(LEVELS))

    class Numbers:
        def predict(self, rows):
            return np.arange(len(rows), dtype=np.float64)

    numbers = replace(
        kept, model=Numbers(), golden=None, sets=limits, contract=replace(kept.contract, classes=[])
    )
    predict_file(numbers, grades, tmp_path / "out.csv", coverage=0.8)
    out = pd.read_csv(tmp_path / "out.csv")
    assert [*out] == ["row", "prediction", "low", "high", "reason"]
    np.testing.assert_allclose(out["low"], out["prediction"] - 2)
    np.testing.assert_allclose(out["high"], out["prediction"] + 2)


def test_a_model_without_scores_of_held_out_rows_says_so(kept_run, grades, tmp_path):
    kept = replace(load_kept_model(str(kept_run)), sets=None)
    with pytest.raises(ConfigError, match=r"--coverage 0.9: .* no scores of held-out rows; train"):
        predict_file(kept, grades, tmp_path / "out.csv", coverage=0.9)
    assert not (tmp_path / "out.csv").exists()


def test_a_failure_leaves_the_old_output_and_no_draft(kept_run, grades, tmp_path):
    target = tmp_path / "out.csv"
    target.write_text("old", encoding="utf-8")
    text = grades.read_text(encoding="utf-8") + "north,1,2,3,4,5,6\n"
    (tmp_path / "in.csv").write_text(text, encoding="utf-8")
    kept = load_kept_model(str(kept_run))
    with pytest.raises(DataError, match="line 122 has 7 cells and the header 5"):
        predict_file(kept, tmp_path / "in.csv", target, rows_at_once=16)
    assert target.read_text(encoding="utf-8") == "old"
    assert not list(tmp_path.glob(".out*"))


def test_a_missing_column_writes_nothing(kept_run, grades, tmp_path):
    raw_text(grades).drop(columns="hours").to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(DataError, match="column 'hours'"):
        predict_file(load_kept_model(str(kept_run)), tmp_path / "in.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


def test_a_column_that_the_model_needs_may_not_occur_twice(kept_run, grades, tmp_path):
    table = pd.read_csv(grades)
    lines = table.assign(again=99).to_csv(index=False)
    kept, target = load_kept_model(str(kept_run)), tmp_path / "out.csv"
    (tmp_path / "in.csv").write_text(lines.replace("again", "hours", 1), encoding="utf-8")
    with pytest.raises(DataError, match=r"in.csv: .* column 'hours', which occurs twice; rename"):
        predict_file(kept, tmp_path / "in.csv", target)
    assert not target.exists()
    (tmp_path / "in.csv").write_text(lines.replace("again", "grade", 1), encoding="utf-8")
    assert predict_file(kept, tmp_path / "in.csv", target).rows == 120  # it is not read


def test_a_header_alone_is_refused(kept_run, grades, tmp_path):
    header = grades.read_text(encoding="utf-8").splitlines()[0]
    (tmp_path / "in.csv").write_text(f"{header}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"in.csv: has no rows below its header"):
        predict_file(load_kept_model(str(kept_run)), tmp_path / "in.csv", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [("out.xlsx", "ending '.xlsx'"), ("no/out.csv", "there is no folder"), ("grades.csv", "input")],
)
def test_an_output_that_cannot_be_is_reported(kept_run, grades, tmp_path, name, message):
    with pytest.raises(ConfigError, match=message):
        predict_file(load_kept_model(str(kept_run)), grades, tmp_path / name)


def test_no_part_is_larger_than_asked(kept_run, grades, tmp_path, monkeypatch):
    """Memory follows the largest part: however long the file, every part stays small."""
    sizes = []
    prepare = predict.prepare_features

    def watched(raw, contract, options, shares):
        sizes.append(len(raw))
        return prepare(raw, contract, options, shares)

    kept = load_kept_model(str(kept_run))
    monkeypatch.setattr(predict, "prepare_features", watched)
    predict_file(kept, grades, tmp_path / "out.csv", rows_at_once=50)
    assert sizes == [50, 50, 20]


def test_golden_rows_show_a_changed_preprocessing(kept_run, grades, tmp_path):
    kept = load_kept_model(str(kept_run))
    assert check_model(kept) == []
    preprocess = kept.model.estimator_.named_steps["preprocess"]
    scaler = next(
        step
        for _, step in preprocess.named_transformers_["numeric"].steps
        if hasattr(step, "mean_")
    )
    scaler.mean_ = scaler.mean_ + 1.0
    wrong = check_model(kept)
    assert wrong[0].startswith("golden row 0: expected ")
    with pytest.raises(StudentPerfError, match="golden row 0"):
        predict_file(kept, grades, tmp_path / "out.csv")


def test_golden_rows_show_a_changed_cleaning(kept_run):
    kept = load_kept_model(str(kept_run))
    swap = {"step": "map_values", "column": "school", "values": {"north": "N", "south": "S"}}
    kept.contract.clean.append(swap)
    assert "is not one of north, south" in check_model(kept)[0]


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(kept_run, grades, tmp_path):
    """Peak memory of processes that predict 100,000 and 400,000 rows."""
    code = (
        "import resource, sys; from student_perf import cli; cli.main(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)"
    )
    peaks = []
    lines = grades.read_text(encoding="utf-8").splitlines()
    for n in (100_000, 400_000):
        body = (lines[1:] * (n // 120 + 1))[:n]
        (tmp_path / "in.csv").write_text("\n".join([lines[0], *body]), encoding="utf-8")
        arguments = ["predict", str(kept_run), str(tmp_path / "in.csv"), str(tmp_path / "o.csv")]
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
        )
        peaks.append(int(done.stdout.splitlines()[-1]))
    assert peaks[1] < peaks[0] + 60


def test_a_copied_column_is_written_alike_in_every_part(kept_run, grades, tmp_path):
    table = pd.read_csv(grades).head(4).assign(number=[1, 2, None, 4])
    whole = table.iloc[:2].assign(number=[1.0, 2.0])
    pd.concat([whole, table.iloc[2:]]).to_parquet(tmp_path / "in.parquet")
    kept = load_kept_model(str(kept_run))
    target = tmp_path / "out.csv"
    predict_file(kept, tmp_path / "in.parquet", target, rows_at_once=2, keep=["number"])
    assert raw_text(target)["number"].tolist() == ["1", "2", "", "4"]


def test_only_what_was_used_for_the_file_is_said(kept_run, grades, tmp_path):
    kept = load_kept_model(str(kept_run))
    table, target = pd.read_csv(grades), tmp_path / "out.csv"
    spanish = {"separator": ";", "decimal": ",", "thousands": ".", "encoding": "cp1252"}
    of_csv = replace(kept, golden=None, contract=replace(kept.contract, read=spanish))
    of_sheet = replace(kept, golden=None, contract=replace(kept.contract, read={"sheet": "Notas"}))
    table.to_csv(tmp_path / "in.csv", index=False, sep=";", decimal=",")
    table.to_parquet(tmp_path / "in.parquet")
    write_xlsx(tmp_path / "in.xlsx", Hoja1=[[*table], *table.to_numpy().tolist()])

    def said(model, name, **named):
        return predict_file(model, tmp_path / name, target, named).read_as

    assert said(of_csv, "in.csv") == ""
    assert said(of_csv, "in.xlsx") == "sheet 'Hoja1'"
    assert said(of_csv, "in.xlsx", decimal=".") == "decimal '.', sheet 'Hoja1'"
    assert said(of_csv, "in.parquet") == ""
    assert said(of_sheet, "in.csv") == "separator ';', decimal ',', utf-8"


def test_the_file_of_the_training_is_known_by_its_bytes(kept_run, grades, tmp_path):
    kept, target = load_kept_model(str(kept_run)), tmp_path / "out.csv"
    (line,) = predict_file(kept, grades, target).notes()
    assert line.startswith("this is the file that the model was trained on")
    pd.read_csv(grades).iloc[::-1].to_csv(tmp_path / "in.csv", index=False)
    assert predict_file(kept, tmp_path / "in.csv", target).notes() == []
    elsewhere = replace(kept, folder=tmp_path)  # without a record nobody knows
    assert predict_file(elsewhere, grades, target).notes() == []
