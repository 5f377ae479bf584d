import signal
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from student_perf.errors import ConfigError
from student_perf.models import pytabkit as wrapped
from student_perf.models.build import build_estimator
from student_perf.models.pytabkit import RealMLPClassifier, RealMLPRegressor
from student_perf.signals import Terminated

QUICK = {"n_epochs": 3, "hidden_width": 16, "random_state": 0}
LETTERS = list("abcdefghijkl")  # more than get a column each


def rows(n, seed, last=4):
    """Numbers with gaps, and columns of up to twelve categories, some of them without a row."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "x": np.where(rng.random(n) < 0.1, np.nan, rng.normal(5000, 1, n)),
            "many": pd.Categorical.from_codes(rng.integers(0, 12, n), categories=LETTERS),
            "a b": rng.normal(size=n),
            "level": np.repeat(3.0, n),
        }
    )
    for name, size in {"of 1": 1, "of 2": 2, "of 3": 3, "more": last}.items():
        codes = rng.integers(-1, size, n)
        table[name] = pd.Categorical.from_codes(codes, categories=LETTERS[:6])
    return table


def numbers_of(table):
    rng = np.random.default_rng(1)
    return table["a b"] * 3 + 2 * (table["of 2"] == "b") + rng.normal(size=len(table))


KINDS = {
    "all": list(rows(5, 0)),
    "numbers": ["x", "a b"],
    "few": ["of 2", "of 3"],
    "many": ["many"],
}


@pytest.mark.slow
@pytest.mark.parametrize("columns", KINDS)
@pytest.mark.parametrize("task", ["numbers", "classes"])
def test_its_arrays_answer_as_pytabkit_does(monkeypatch, columns, task):
    pytest.importorskip("pytabkit")
    table = rows(120, 0)[KINDS[columns]]
    target = numbers_of(rows(120, 0)).to_numpy() + 700
    seen, keep = [], wrapped._RealMLP._keep
    monkeypatch.setattr(
        wrapped._RealMLP, "_keep", lambda self, network: (seen.append(network), keep(self, network))
    )
    kind = RealMLPRegressor if task == "numbers" else RealMLPClassifier
    if task == "classes":
        target = np.digitize(target, [699, 702])
    model = kind(**QUICK, n_cv=2 if columns == "all" else 1).fit(table, target)
    new = rows(80, 7, last=6)[KINDS[columns]]  # also categories without a row in the fit
    numbers, codes = model._columns(new)
    theirs = pd.DataFrame(np.hstack([numbers, np.where(codes == 0, np.nan, codes)]))
    method = "predict" if task == "numbers" else "predict_proba"
    expected = getattr(seen[0], method)(theirs)
    np.testing.assert_allclose(getattr(model, method)(new), expected, rtol=1e-6, atol=2e-6)
    assert np.ptp(expected) > 0.01


@pytest.mark.slow
def test_a_missing_number_counts_as_the_median_and_few_rows_answer_as_many():
    pytest.importorskip("pytabkit")
    table = rows(120, 0)
    model = clone(RealMLPRegressor(**QUICK)).fit(table, numbers_of(table))
    gap = table.iloc[:3].assign(x=np.nan)
    median = gap.assign(x=np.nanmedian(table["x"]))
    np.testing.assert_array_equal(model.predict(gap), model.predict(median))
    long = pd.concat([table] * 40, ignore_index=True)  # more than are answered at once
    np.testing.assert_allclose(model.predict(long)[-120:], model.predict(table), rtol=1e-12)


def test_ctrl_c_in_a_fit_stays_the_same_and_the_next_one_counts():
    asked, handler = Terminated(signal.SIGTERM), signal.getsignal(signal.SIGINT)

    def fit():
        try:
            raise asked
        except KeyboardInterrupt:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # as Lightning does
            sys.exit(1)

    with pytest.raises(Terminated) as raised, wrapped._own_interrupt():
        fit()
    assert raised.value is asked
    assert signal.getsignal(signal.SIGINT) is handler
    with pytest.raises(SystemExit), wrapped._own_interrupt():
        sys.exit(1)


@pytest.mark.parametrize(
    ("key", "value"), [("n_epochs", 0), ("p_drop", 1.0), ("val_fraction", 1.0), ("lr", 0)]
)
def test_a_value_out_of_range_is_named_by_its_place(compose_config, key, value):
    pytest.importorskip("pytabkit")
    config = compose_config("model=realmlp", f"model.{key}={value}")
    with pytest.raises(ConfigError, match=f"model.{key}={value}: The '{key}' parameter"):
        build_estimator(config.model, "classification")
