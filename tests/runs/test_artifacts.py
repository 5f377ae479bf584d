import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.metrics import accuracy_score

from student_perf.config.schema import KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.findings import Findings
from student_perf.inspection.subgroups import subgroup_table
from student_perf.runs.artifacts import (
    predictions_table,
    report_text,
    shown_of,
    write_findings,
    write_pictures,
    write_result,
)

pytestmark = pytest.mark.usefixtures("pictures")


@pytest.fixture
def evaluated(small_dataset):
    split = make_split(small_dataset, KFoldSplit("kfold", 0.2, 0, True, 4))
    return split, cross_validate(DummyClassifier(), small_dataset, split)


def test_any_metric_can_be_recomputed_from_the_predictions(small_dataset, evaluated, tmp_path):
    split, result = evaluated
    write_result(tmp_path, small_dataset, split, result, {"metrics": {}}, DummyClassifier())
    table = pd.read_parquet(tmp_path / "predictions.parquet")
    by_fold = [accuracy_score(f["y_true"], f["y_pred"]) for _, f in table.groupby("fold")]
    np.testing.assert_array_equal(by_fold, result.fold_scores["accuracy"])
    assert sorted(table["row"]) == split.development.tolist()
    assert list(table["y_true"].cat.categories) == ["low", "mid", "high"]
    shares = table[["proba_low", "proba_mid", "proba_high"]].sum(axis=1)
    np.testing.assert_allclose(shares, 1)


@pytest.mark.slow
def test_equal_results_give_equal_bytes(small_dataset, evaluated, tmp_path):
    split, result = evaluated
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        write_result(folder, small_dataset, split, result, {"metrics": {}}, DummyClassifier())
        write_pictures(folder, shown_of(small_dataset, split, result, Findings("accuracy")))
    pictures = ("confusion_matrix.png", "roc_curves.png", "precision_recall.png", "reliability.png")
    for name in ("predictions.parquet", "classification_report.txt", *pictures):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


@pytest.mark.slow
def test_findings_become_a_table_and_a_picture_each(small_dataset, evaluated, tmp_path):
    split, result = evaluated
    groups = subgroup_table(small_dataset, result, ["school"], "accuracy", 5)
    findings = Findings("accuracy", subgroups=groups)
    folder = tmp_path / "run"
    folder.mkdir()
    write_findings(folder, findings)
    write_pictures(folder, shown_of(small_dataset, split, result, findings))
    assert {path.name for path in folder.glob("subgroups.*")} == {"subgroups.csv", "subgroups.png"}
    assert not (folder / "importance.csv").exists()
    read = pd.read_csv(folder / "subgroups.csv", keep_default_na=False, na_values={"value": ""})
    assert read["value"].tolist() == groups["value"].tolist()
    assert read["group"].tolist()[-1] == "south"


def test_report_names_classes_in_order_and_says_what_it_covers(small_dataset, evaluated):
    text = report_text(small_dataset, evaluated[1], "4 folds, n = 48 rows")
    assert text.index("low") < text.index("mid") < text.index("high")
    assert "n = 48 rows" in text.splitlines()[0]


def test_predictions_are_compact(small_dataset, evaluated):
    result = evaluated[1]
    table = predictions_table(small_dataset, result.row, result.fold, result.output).to_pandas()
    kinds = table.dtypes.astype(str).to_dict()
    assert (kinds["row"], kinds["fold"], kinds["y_pred"]) == ("int32", "int16", "category")
