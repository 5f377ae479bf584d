import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_perf.reproduction.results import (
    TOLERANCE,
    Sameness,
    compare_figures,
    compare_predictions,
)


def written(path, probabilities, classes=("a", "b")):
    labels = pa.array(list(classes))
    codes = pa.array((np.asarray(probabilities) > 0.5).astype(np.int32))
    table = {
        "row": np.arange(len(probabilities)),
        "y_pred": pa.DictionaryArray.from_arrays(codes, labels),
        "proba_b": np.asarray(probabilities, dtype=float),
    }
    pq.write_table(pa.table(table), path)
    return path


@pytest.mark.parametrize(
    ("shift", "sameness"),
    [
        (0.0, Sameness.IDENTICAL),
        (TOLERANCE / 10, Sameness.WITHIN_TOLERANCE),
        (TOLERANCE * 10, Sameness.DIFFERENT),
        (np.nan, Sameness.DIFFERENT),
    ],
)
def test_predictions_are_compared_cell_by_cell(shift, sameness, tmp_path):
    probabilities = np.array([0.2, 0.7, 0.9])
    one = written(tmp_path / "a", probabilities)
    found = compare_predictions(
        one, written(tmp_path / "b", probabilities + np.array([0, shift, 0]))
    )
    assert found.sameness is sameness
    if sameness is Sameness.DIFFERENT:
        assert "1 of proba_b" in found.words


def test_another_class_or_number_of_rows_is_different(tmp_path):
    one = written(tmp_path / "a", [0.2, 0.5])
    flipped = compare_predictions(one, written(tmp_path / "b", [0.2, 0.5 + 1e-9]))
    assert flipped.sameness is Sameness.DIFFERENT
    shorter = compare_predictions(one, written(tmp_path / "c", [0.2]))
    assert shorter.sameness is Sameness.DIFFERENT


def test_figures_of_time_and_looks_do_not_count():
    a = {"cv_x_mean": 0.5, "fold_x": [0.4, None], "fit_seconds": 1.0, "test_looks": 1.0}
    b = {**a, "fit_seconds": 9.0, "test_looks": 7.0, "wall_seconds": 3.0}
    assert [one.sameness for one in compare_figures(a, b)] == [Sameness.IDENTICAL] * 2


def test_a_large_figure_is_compared_relative_to_its_size():
    a, b = {"cv_x_mean": 1e9}, {"cv_x_mean": 1e9 + 1}
    assert compare_figures(a, b)[0].sameness is Sameness.WITHIN_TOLERANCE


@pytest.mark.parametrize("b", [{"fold_x": [0.4, 0.6]}, {"fold_x": [0.4]}, {}])
def test_a_score_that_differs_or_is_missing_is_named(b):
    (found,) = compare_figures({"fold_x": [0.4, 0.5]}, b)
    assert found.sameness is Sameness.DIFFERENT
    assert "fold_x" in found.words
