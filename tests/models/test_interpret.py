import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from student_perf.errors import ConfigError
from student_perf.models import interpret as wrapped
from student_perf.models.build import build_estimator
from student_perf.models.interpret import EBMClassifier, EBMRegressor

WORDS = ["lo w", "4", "na", "none"]  # the last without a row, two that other readers take for more
QUICK = {"outer_bags": 2, "max_rounds": 200, "random_state": 0}


@pytest.fixture(scope="module")
def mixed():
    pytest.importorskip("interpret")
    table = rows(160, 0, last=3)
    noise = np.random.default_rng(1).normal(size=160)
    return table, (2 * table["a b"] + 2 * (table["s"] == "4") + noise).to_numpy()


def rows(n, seed, last=4):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a b": rng.normal(size=n).round(1),
            "x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n)),
            "s": pd.Categorical.from_codes(rng.integers(-1, last, n), categories=WORDS),
        }
    )


@pytest.mark.parametrize("kind", ["numbers", "two", "three"])
def test_its_tables_answer_as_interpret_does(mixed, monkeypatch, kind):
    table, numbers = mixed
    seen, keep = [], wrapped._EBM._keep
    monkeypatch.setattr(
        wrapped._EBM,
        "_keep",
        lambda self, machine, words: (seen.append(machine), keep(self, machine, words)),
    )
    target = {"numbers": numbers, "two": numbers > 0, "three": np.digitize(numbers, [-1, 1])}[kind]
    model = EBMRegressor(**QUICK) if kind == "numbers" else EBMClassifier(**QUICK)
    model.fit(table, target)
    new = rows(80, 7).assign(x=lambda t: t["x"] * 9)  # also beyond the rows of the fit
    theirs = new.assign(s=wrapped._named_by_code(new["s"]))
    method = "predict" if kind == "numbers" else "predict_proba"
    expected = getattr(seen[0], method)(theirs)
    np.testing.assert_allclose(getattr(model, method)(new), expected, rtol=0, atol=1e-12)


def test_curves_say_what_each_value_adds(mixed):
    table, numbers = mixed
    model = EBMRegressor(**QUICK, interactions=0).fit(table, numbers)
    curves = {curve.column: curve for curve in model.curves()}
    assert next(iter(curves)) == "a b"
    assert model.pair_importance() == {}
    assert all(curve.n.sum() == 160 for curve in curves.values())
    assert curves["s"].bins == [*WORDS, "missing"]
    assert curves["s"].scores[:, 0].argmax() == 1
    row = table.iloc[[3]].assign(s=pd.Categorical(["4"], categories=WORDS))
    added = curves["s"].scores[1, 0]
    rest = sum(score_of(curves[name], row[name].iloc[0]) for name in ("a b", "x"))
    assert model.predict(row)[0] == pytest.approx(model.intercept_[0] + added + rest)


def score_of(curve, value):
    last = curve.high[-2] == value  # the only bin that holds its upper bound
    (place,) = np.flatnonzero((curve.low <= value) & ((value < curve.high) | last))[-1:]
    return curve.scores[place, 0]


def test_weights_count(mixed):
    table, numbers = mixed
    target = (numbers > 0).astype(int)
    plain, weighted = (
        clone(EBMClassifier(**QUICK)).fit(table, target, sample_weight=weights)
        for weights in (None, np.where(target, 5.0, 1.0))
    )
    assert (
        weighted.predict_proba(table)[:, 1].mean() > plain.predict_proba(table)[:, 1].mean() + 0.1
    )


@pytest.mark.parametrize(
    ("key", "value"), [("outer_bags", 0), ("interactions", -1.0), ("validation_size", 1.0)]
)
def test_a_value_out_of_range_is_named_by_its_place(compose_config, key, value):
    pytest.importorskip("interpret")
    config = compose_config("model=ebm", f"model.{key}={value}")
    with pytest.raises(ConfigError, match=f"model.{key}={value}: The '{key}' parameter"):
        build_estimator(config.model, "classification")
