import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler

from student_perf.data import load_dataset
from student_perf.data.features import prepare_features
from student_perf.errors import ModelError
from student_perf.experiment.run import run_experiment
from student_perf.serving.array_model import make_array_model
from student_perf.store.kept_model import load_kept_model
from student_perf.terminal import Terminal
from tests.hostile import ANSWERED, Shares

QUICK = ["tracking=off", "split=holdout", "report.importance=false"]


def kept_and_golden(folder):
    kept = load_kept_model(str(folder))
    golden, _ = prepare_features(pd.DataFrame(kept.golden.rows), kept.contract)
    return kept, golden


def test_arrays_get_the_answers_of_tables_to_the_last_bit(kept_run, grades, compose_config):
    kept, golden = kept_and_golden(kept_run)
    arrays = make_array_model(kept, golden)
    assert arrays is not None
    dataset = load_dataset(
        compose_config("dataset=csv", f"dataset.path={grades}", "dataset.target=grade").dataset
    )
    expected = kept.output(dataset.features)
    columns = {name: dataset.features[name].tolist() for name in dataset.features}
    columns["school"] = [None if pd.isna(v) else v for v in columns["school"]]
    np.testing.assert_array_equal(arrays.output(columns), expected)
    np.testing.assert_array_equal(arrays.output(dataset.features), expected)
    for row in (0, 3, 5):  # alone, with a missing school, without
        one = {name: values[row : row + 1] for name, values in columns.items()}
        np.testing.assert_array_equal(arrays.output(one), kept.output(dataset.features[row:][:1]))


@pytest.mark.parametrize("word", ["that sum to 3", "nan", "rows", "shape"])
def test_an_answer_that_breaks_a_rule_is_an_error_here_too(kept_run, word):
    kept, golden = kept_and_golden(kept_run)
    arrays = make_array_model(kept, golden)
    wrong = Shares(answer=ANSWERED[word]).fit(np.zeros((6, 1)), np.arange(6) % 3)
    with pytest.raises(ModelError, match=r"^the model answered .* for the rows of a request; "):
        replace(arrays, model=wrong).output(golden)


@pytest.mark.parametrize("preprocess", ["ordinal", "target_encode", "count_encode", "k_best"])
@pytest.mark.slow
def test_every_combination_of_words_gets_the_figures_of_the_tables(
    compose_config, workspace, tmp_path, preprocess
):
    """Words that are rare, never seen in training but declared, and missing."""
    rng = np.random.default_rng(5)
    grade = rng.choice(["low", "mid", "high"], 120)
    table = pd.DataFrame(
        {
            "a": rng.choice(["x", "y", "z"], 120, p=[0.6, 0.38, 0.02]),
            "b b": rng.choice(["one", "two", None], 120),
            "c": rng.choice(["yes", "no"], 120),
            "n": rng.normal(size=120) + (grade == "high"),
            "grade": grade,
        }
    )
    table.to_csv(tmp_path / "words.csv", index=False)
    words = ["dataset=csv", f"dataset.path={tmp_path}/words.csv", "dataset.target=grade"]
    words += ["dataset.classes=[low,mid,high]", "+dataset.categories={a:[w,x,y,z]}"]
    config = compose_config(*QUICK, *words, f"preprocess={preprocess}")
    run_experiment(config, workspace / "run", Terminal(quiet=True))
    kept, golden = kept_and_golden(workspace / "run")
    arrays = make_array_model(kept, golden)
    assert arrays is not None
    cells = itertools.product(
        ["w", "x", "y", "z"], ["one", "two", None], ["no", "yes"], [0.5, -2.0]
    )
    rows = pd.DataFrame(list(cells), columns=["a", "b b", "c", "n"])
    features, refused = prepare_features(rows, kept.contract)
    assert refused == {}
    columns = {name: rows[name].tolist() for name in rows}
    np.testing.assert_array_equal(arrays.output(columns), kept.output(features))


@pytest.mark.parametrize("overrides", [["model=ridge", "dataset=econmath_score"]])
@pytest.mark.slow
def test_a_regression_model_answers_with_numbers(compose_config, workspace, overrides):
    run_experiment(compose_config(*QUICK, *overrides), workspace / "run", Terminal(quiet=True))
    kept, golden = kept_and_golden(workspace / "run")
    arrays = make_array_model(kept, golden)
    assert arrays is not None
    assert arrays.output(golden).shape == (len(golden),)
    np.testing.assert_array_equal(arrays.output(golden), kept.output(golden))


@pytest.mark.slow
def test_a_model_that_wants_tables_keeps_them(compose_config, workspace):
    config = compose_config(*QUICK, "model=naive_bayes")
    assert config.preprocess["output"] == "table"
    run_experiment(config, workspace / "run", Terminal(quiet=True))
    assert make_array_model(*kept_and_golden(workspace / "run")) is None


def test_an_unknown_step_or_another_answer_keeps_tables(kept_run, monkeypatch):
    kept, golden = kept_and_golden(kept_run)
    monkeypatch.setattr("student_perf.serving.array_model._OF_NUMBERS", (StandardScaler,))
    assert make_array_model(kept, golden) is None
    monkeypatch.undo()
    assert make_array_model(kept, golden) is not None
    output = kept.output
    monkeypatch.setattr(
        "student_perf.store.kept_model.KeptModel.output",
        lambda self, features: output(features) + 1e-15,
    )
    assert make_array_model(kept, golden) is None
