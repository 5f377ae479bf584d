"""Loads the CatBoost model on standard input and answers some rows: a script for a child process.

It stands alone, since the child imports nothing but CatBoost and NumPy.
"""

import sys

import numpy as np

ROWS = 300


def answer(content: bytes) -> int:
    """Answer rows of every size and of missing values; the number of answers."""
    import catboost

    model = catboost.CatBoost()
    model._load_from_string(content)
    generator = np.random.default_rng(0)
    rows = generator.normal(scale=10.0, size=(ROWS, len(model.feature_names_))).astype(object)
    rows[generator.random(rows.shape) < 0.1] = np.nan
    for column in model.get_cat_feature_indices():
        rows[:, column] = [str(value) for value in rows[:, column]]
    return len(model.predict(rows, prediction_type="RawFormulaVal", thread_count=1))


if __name__ == "__main__":
    answer(sys.stdin.buffer.read())
