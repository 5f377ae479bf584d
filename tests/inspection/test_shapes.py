import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from student_perf.inspection.shapes import shape_table
from student_perf.models.interpret import Curve
from student_perf.models.labels import LabelledClassifier

NAN = np.nan


class Added:
    """A model of two curves and a pair."""

    def __init__(self, n_scores):
        self.n_scores = n_scores

    def curves(self):
        scores = np.arange(3.0 * self.n_scores).reshape(3, -1)
        bounds = np.array([0.0, 5.0, NAN]), np.array([5.0, 9.0, NAN])
        n = np.array([4.0, 6.0, 0.0])
        yield Curve("hours", 0.5, ["0 to 5", "5 to 9", "missing"], *bounds, n, scores)

    def pair_importance(self):
        return {("hours", "school"): 0.2}


def pipeline(last):
    return make_pipeline(StandardScaler(), last)


def test_each_output_has_the_scores_of_each_bin():
    table = shape_table(pipeline(Added(3)), ["low", "mid", "high"])
    curves, pair = table.iloc[:-1], table.iloc[-1]
    assert list(curves["output"]) == ["low"] * 3 + ["mid"] * 3 + ["high"] * 3
    assert list(curves.query("output == 'mid'")["score"]) == [1, 4, 7]
    assert list(curves["bin"][:3]) == ["0 to 5", "5 to 9", "missing"]
    assert (pair["column"], pair["importance"]) == ("hours x school", 0.2)
    assert np.isnan(pair["score"])


@pytest.mark.parametrize(("classes", "output"), [(["no", "yes"], "yes"), ((), "")])
def test_two_classes_and_numbers_have_one_curve_a_column(classes, output):
    table = shape_table(pipeline(Added(1)), classes)
    assert set(table["output"].dropna()) == {output}
    assert list(table["score"].dropna()) == [0, 1, 2]


def test_other_models_have_none():
    x, y = np.random.default_rng(0).normal(size=(20, 2)), ["a", "b"] * 10
    fitted = LabelledClassifier(pipeline(LogisticRegression()), ["a", "b"]).fit(x, y)
    assert shape_table(fitted, ["a", "b"]) is None
