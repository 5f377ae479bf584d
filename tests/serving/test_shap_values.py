from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from student_perf.data.contract import Contract
from student_perf.errors import ConfigError, DataError
from student_perf.serving.shap_values import explain_run, shap_of
from student_perf.store.kept_model import KeptModel
from tests.made_runs import change_record, read

WEIGHT = {"a": 0.0, "b": 3.0}


class Linear:
    """An additive model, whose SHAP values are known: each column's part minus its mean part."""

    def predict(self, features):
        assert features["hours"].dtype == "float64"
        assert isinstance(features["school"].dtype, pd.StringDtype)
        return parts(features).sum(axis=1)


def parts(features):
    words = [-1.0 if pd.isna(v) else WEIGHT[v] for v in features["school"]]
    return np.column_stack([2 * features["hours"].fillna(-4), words, 0 * features["idle"]])


def rows(n, seed):
    rng = np.random.default_rng(seed)
    hours = np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n).round(1))
    school = pd.Series(rng.choice(["a", "b", None], n), dtype="str")
    return pd.DataFrame({"hours": hours, "school": school, "idle": rng.normal(size=n)})


@pytest.mark.slow  # importing shap takes seconds
def test_values_of_an_additive_model_are_its_parts():
    kept = KeptModel("", "", Path(), Linear(), Contract("score", [], {}), None)
    background, explained = rows(20, 1), rows(15, 2)
    found = shap_of(kept, background, explained, seed=0)
    expected = parts(explained) - parts(background).mean(axis=0)
    np.testing.assert_allclose(found.values[:, :, 0], expected, atol=1e-9)
    np.testing.assert_allclose(found.base, parts(background).sum(axis=1).mean())
    table = found.table().set_index("column")["mean_abs_shap"]
    np.testing.assert_allclose(
        table[["hours", "school", "idle"]], np.abs(expected).mean(axis=0), atol=1e-9
    )
    assert table.is_monotonic_decreasing


@pytest.mark.slow  # importing shap takes seconds
def test_a_run_is_explained_on_its_test_rows(kept_run):
    recorded = read_folder(kept_run)
    table, files = explain_run(recorded, 8, 10, None)
    assert [path.name for path in files] == ["shap.csv", "shap.png"]
    written = pd.read_csv(files[0])
    pd.testing.assert_frame_equal(written, table)
    assert set(written["column"]) == {"school", "hours", "absences", "paid"}
    assert written.columns.tolist() == ["column", "mean_abs_shap", "low", "mid", "high"]
    np.testing.assert_allclose(
        written["mean_abs_shap"], written[["low", "mid", "high"]].mean(axis=1)
    )
    assert written["column"][0] == "hours"  # the only column that the target depends on


def test_other_data_and_no_rows_are_reported(kept_run):
    with pytest.raises(ConfigError, match="--rows 0 --background 5: both must be at least 1"):
        explain_run(read_folder(kept_run), 0, 5, None)
    recorded = read_folder(kept_run)
    change_record(recorded.record, tags={"student_perf.data_sha256": "0"})
    with pytest.raises(DataError, match="the data is not the run's"):
        explain_run(read_folder(kept_run), 5, 5, None)


def read_folder(folder):
    from student_perf.runs.record import load_record

    return read(load_record(folder))
