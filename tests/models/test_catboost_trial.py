import catboost
import numpy as np
import pytest

from student_perf.models.catboost_trial import ROWS, answer


@pytest.mark.parametrize("kind", [catboost.CatBoostClassifier, catboost.CatBoostRegressor])
def test_rows_of_numbers_and_words_are_answered(kind):
    rows = np.array([[0.1 * i, str(i % 3)] for i in range(60)], dtype=object)
    model = kind(iterations=2, depth=2, verbose=False, allow_writing_files=False, cat_features=[1])
    model.fit(rows, np.arange(60) % 2)
    assert answer(bytes(model._serialize_model())) == ROWS
