import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from student_perf.drift.columns import compare_tables, holm, judge, population_stability
from student_perf.drift.limits import Thresholds

DEFAULT = Thresholds()


def students(rng, n, *, shift=0.0, tilt=0.0, missing=0.1, heavy=0.0):
    """Rows of one distribution: continuous, discrete, with missing cells, and two categorical."""
    hours = rng.normal(5 + shift, 2, n)
    hours[rng.random(n) < missing] = np.nan
    schools = np.array(["north", "south", "east"])
    return pd.DataFrame(
        {
            "points": rng.normal(0, 1, n) + heavy,
            "hours": hours,
            "siblings": rng.poisson(1.5, n).astype(float),
            "school": pd.Series(rng.choice(schools, n, p=[0.5 - tilt, 0.3, 0.2 + tilt])),
            "paid": pd.Series(np.where(rng.random(n) < 0.3, "yes", "no")),
        }
    )


def drift_of(reference, current, thresholds=DEFAULT, **more):
    found = judge(compare_tables(reference, current, thresholds, **more), thresholds)
    return {column.name: column for column in found}


def test_identical_tables_show_no_drift():
    table = students(np.random.default_rng(0), 300)
    for column in drift_of(table, table.copy()).values():
        assert column.severity == "ok"
        assert column.psi == 0
        assert column.p_holm == 1


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(150, 80), pytest.param((1000, 600), marks=pytest.mark.slow)])
def test_null_drift_alarms_as_rarely_as_configured(sizes):
    """300 pairs of samples of one distribution. The rule alarms at most at the rate alpha; without
    a PSI threshold the tests alone keep it, which shows that Holm's correction is the right one.
    """
    rng = np.random.default_rng(1)
    tests_only = Thresholds(alpha=0.1, warn=0, alarm=0)
    by_rule = Thresholds(alpha=0.1)
    alarms = {"tests": 0, "rule": 0}
    excess = []
    for _ in range(300):
        reference, current = (students(rng, n).drop(columns=["paid", "siblings"]) for n in sizes)
        columns = compare_tables(reference, current, by_rule)
        excess += [column.psi - column.psi_by_chance for column in columns]
        alarms["tests"] += judge(columns, tests_only)[0].severity == "alarm"
        alarms["rule"] += judge(columns, by_rule)[0].severity == "alarm"
    # 0.1 and three standard deviations of the rate over 300: 0.052.
    assert 0.02 < alarms["tests"] / 300 < 0.152
    assert alarms["rule"] / 300 < 0.1
    # What is taken off the PSI is its mean without drift.
    assert abs(np.mean(excess)) < 0.15 * np.mean([c.psi_by_chance for c in columns])


@pytest.mark.parametrize(
    ("change", "column"),
    [
        ({"shift": 2.0}, "hours"),
        ({"tilt": 0.3}, "school"),
        ({"missing": 0.5}, "hours"),
        ({"heavy": 1.0}, "points"),
    ],
)
@pytest.mark.slow
def test_real_drift_is_found_in_its_column_only(change, column):
    rng = np.random.default_rng(2)
    for _ in range(20):
        columns = drift_of(students(rng, 300), students(rng, 200, **change))
        alarmed = [name for name, one in columns.items() if one.severity == "alarm"]
        assert alarmed == [column]


def test_a_significant_but_small_change_is_no_alarm():
    rng = np.random.default_rng(3)
    one = drift_of(students(rng, 20_000), students(rng, 20_000, shift=0.2))["hours"]
    assert one.p_holm < 1e-6
    assert one.severity == "ok"
    assert one.reason == "small drift"


def test_statistics_agree_with_scipy_and_with_the_definition():
    rng = np.random.default_rng(4)
    reference, current = students(rng, 400, missing=0), students(rng, 300, missing=0, shift=0.3)
    found = drift_of(reference, current)
    assert found["hours"].p == ks_2samp(reference["hours"], current["hours"], method="asymp").pvalue
    counts = pd.crosstab(
        np.repeat([0, 1], [400, 300]), pd.concat([reference, current])["school"].to_numpy()
    )
    assert found["school"].p == pytest.approx(chi2_contingency(counts, correction=False).pvalue)
    # By hand: ten bins of 40 reference rows each.
    edges = np.quantile(reference["hours"], np.arange(1, 10) / 10)
    q = [np.sum(np.digitize(current["hours"], edges) == i) for i in range(10)]
    p, q = np.full(10, 0.1), np.array(q) / 300
    assert found["hours"].psi == pytest.approx(sum((q - p) * np.log(q / p)), abs=1e-9)
    assert found["hours"].psi_by_chance == pytest.approx(9 * (1 / 400 + 1 / 300))


def test_smoothing_bounds_the_psi_of_an_empty_bin_and_touches_no_other():
    few, much = np.array([50, 0]), np.array([0, 50])
    by_constant = [population_stability(few, much, constant)[0] for constant in (0.5, 5.0)]
    assert by_constant[0] == pytest.approx(2 * 0.99 * np.log(100))
    assert by_constant[1] < by_constant[0]
    full = np.array([40, 60]), np.array([30, 70])
    by_hand = -0.1 * np.log(0.3 / 0.4) + 0.1 * np.log(0.7 / 0.6)
    for constant in (0.5, 5.0):
        assert population_stability(*full, constant)[0] == pytest.approx(by_hand, abs=1e-12)


def test_the_psi_of_categories_is_the_plain_one_though_the_test_pools_rare_ones():
    rng = np.random.default_rng(8)
    shares = [0.5, 0.3, 0.15, 0.03, 0.01, 0.01]
    names = np.array(list("abcdef"))
    before, now = rng.choice(names, 400, p=shares), rng.choice(names, 300, p=shares[::-1])
    one = drift_of(pd.DataFrame({"town": before}), pd.DataFrame({"town": now}))["town"]
    p, q = (pd.Series(side).value_counts(normalize=True).sort_index() for side in (before, now))
    assert list(p.index) == list(q.index) == one.bins
    assert one.psi == pytest.approx(float(((q - p) * np.log(q / p)).sum()), abs=1e-9)


def test_wasserstein_is_in_standard_deviations_of_the_reference():
    values = np.random.default_rng(5).normal(0, 3, 500)
    reference, current = pd.DataFrame({"x": values}), pd.DataFrame({"x": values + 6})
    assert drift_of(reference, current)["x"].distance == pytest.approx(6 / values.std())


def test_a_new_category_alarms_unless_it_was_declared():
    reference = pd.DataFrame({"coaching": ["NO", "WA"] * 50})
    current = pd.DataFrame({"coaching": ["NO", "WA"] * 50 + ["yes"]})
    one = drift_of(reference, current)["coaching"]
    assert (one.severity, one.new, one.reason) == ("alarm", ["yes"], "new: 'yes'")
    declared = {"coaching": ["NO", "WA", "yes"]}
    assert drift_of(reference, current, known=declared)["coaching"].severity == "ok"
    assert drift_of(current, reference)["coaching"].gone == ["yes"]


def test_another_spelling_is_one_finding_and_no_new_category():
    names = [f"School {i}" for i in range(40)]
    reference = pd.DataFrame({"school": names * 5})
    current = pd.DataFrame({"school": [f" {name.upper()}" for name in names] * 5})
    one = drift_of(reference, current)["school"]
    assert (one.severity, one.new, one.gone, one.psi) == ("alarm", [], [], 0)
    assert one.reason == "other spelling: ' SCHOOL 0' is 'School 0' and 39 more"
    declared = drift_of(reference.replace("School 1", "School 0"), current, known=None)["school"]
    assert declared.new == [" SCHOOL 1"], "what the reference lacks is new, however it is written"
    both = pd.DataFrame({"school": ["GP", "gp", "MS"] * 20})
    ambiguous = drift_of(both, pd.DataFrame({"school": ["Gp", "MS"] * 30}))["school"]
    assert ambiguous.new == ["Gp"], "it could be either"


def test_columns_that_go_come_or_change_their_kind():
    reference = pd.DataFrame({"age": [15.0, 16.0] * 20, "gone": 1.0})
    current = pd.DataFrame({"age": ["15", "old"] * 20, "added": 2.0})
    found = drift_of(reference, current)
    assert found["gone"].severity == "alarm"
    assert found["age"].reason == "was numeric, is categorical"
    assert found["added"].severity == "warn"
    wrong = pd.DataFrame({"age": ["15", "16", "old", None] * 10})
    assert drift_of(reference, wrong)["age"].reason == "was numeric, is categorical by 'old'"


def test_missing_cells_where_there_were_none():
    reference = pd.DataFrame({"x": np.arange(100.0)})
    current = reference.mask(reference["x"] == 3)
    assert drift_of(reference, current)["x"].severity == "warn"
    lost = drift_of(reference, current.assign(x=np.nan))["x"]
    assert lost.severity == "alarm"
    assert lost.missing_current == 1


def test_a_column_without_values_or_with_one_value():
    empty = pd.DataFrame({"x": [np.nan] * 30})
    constant = pd.DataFrame({"x": [4.0] * 30})
    assert drift_of(empty, empty)["x"].severity == "ok"
    assert drift_of(constant, constant)["x"].severity == "ok"
    assert drift_of(constant, constant + 1)["x"].severity == "alarm"
    assert drift_of(empty, constant)["x"].severity == "alarm"


def test_rare_categories_are_pooled_for_the_test_only():
    rng = np.random.default_rng(6)
    names = np.array([f"town_{i}" for i in range(400)])
    reference, current = (pd.DataFrame({"town": rng.choice(names, 500)}) for _ in range(2))
    one = drift_of(reference, current)["town"]
    assert len(one.bins) > 300
    assert one.p == 1, "all of them are pooled"
    assert one.severity == "alarm", "for its new categories"
    assert len(one.new) > 50


def test_holm_by_hand():
    corrected = holm([0.01, 0.04, float("nan"), 0.03, 0.9])
    np.testing.assert_allclose(corrected, [0.04, 0.09, np.nan, 0.09, 0.9])
