from dataclasses import replace

import numpy as np
import pytest

from student_perf.errors import ConfigError
from student_perf.promotion.gate import (
    PairedRows,
    check_calibration,
    check_groups,
    check_performance,
    pair,
)
from student_perf.promotion.limits import GateLimits
from student_perf.runs.predictions import Predictions
from student_perf.scoring.answers import Answers

LIMITS = GateLimits()


def answers(rng, y_true, accuracy):
    """Probabilities of two classes whose larger one is right in a share `accuracy` of rows."""
    right = rng.random(len(y_true)) < accuracy
    predicted = np.where(right, y_true, 1 - y_true)
    return np.column_stack([1 - predicted, predicted]) * 0.8 + 0.1


def paired(rng, n, challenger, champion):
    y_true = rng.integers(0, 2, n)
    both = (Answers(y_true, answers(rng, y_true, share)) for share in (challenger, champion))
    return PairedRows("test rows", np.arange(n), *both)


def passed(challenger, champion, times=40):
    found = [
        check_performance(
            paired(np.random.default_rng(seed), 200, challenger, champion), "accuracy", LIMITS
        )
        for seed in range(times)
    ]
    return sum(check.passed for check in found) / times


def test_a_model_that_is_worse_by_the_margin_passes_as_rarely_as_the_risk_says():
    assert passed(0.70, 0.75) <= 0.175  # 0.05 expected; that is 3.6 standard errors above


def test_a_clearly_better_one_passes_and_a_clearly_worse_one_does_not():
    assert passed(0.85, 0.70, times=10) == 1.0
    assert passed(0.60, 0.80, times=10) == 0.0


def test_the_probability_is_that_of_the_bootstrap_distribution():
    rng = np.random.default_rng(3)
    rows = paired(rng, 150, 0.72, 0.78)
    hits = [one.output.argmax(1) == one.y_true for one in (rows.challenger, rows.champion)]
    loss = hits[1].astype(float) - hits[0]
    draws = [rng.choice(loss, 150).mean() for _ in range(20_000)]
    expected = float((np.array(draws) > LIMITS.margin).mean())
    assert check_performance(rows, "accuracy", LIMITS).value == pytest.approx(expected, abs=0.08)


def test_an_error_without_bound_has_a_margin_relative_to_the_champions():
    y = np.linspace(0, 100, 80)
    noise = np.random.default_rng(0).normal(0, 10, 80)
    for factor, expected in ((1.02, True), (1.2, False)):
        both = Answers(y, y + factor * noise), Answers(y, y + noise)
        rows = PairedRows("test rows", np.arange(80), *both)
        check = check_performance(rows, "root_mean_squared_error", LIMITS)
        assert check.passed is expected


def test_a_group_that_suffers_is_named_and_small_ones_are_left_alone():
    rng = np.random.default_rng(1)
    rows = paired(rng, 400, 0.8, 0.8)
    girls = np.arange(400) < 100
    y_true = rows.challenger.y_true
    wrong = np.column_stack([y_true, 1 - y_true])[girls].astype(float)
    rows.challenger.output[girls] = wrong
    groups = {"sex=F": girls, "sex=M": ~girls, "rare": np.arange(400) < 5}
    check = check_groups(rows, "accuracy", groups, 20, LIMITS)
    assert not check.passed
    assert "sex=F (" in check.reason
    assert "sex=M (" not in check.reason
    assert "rare" not in check.reason


def test_a_group_in_which_the_metric_is_not_defined_is_named():
    rows = paired(np.random.default_rng(4), 300, 0.8, 0.8)
    one_class = rows.champion.y_true == 1
    groups = {"all right": np.arange(300) < 200, "one class": one_class}
    check = check_groups(rows, "roc_auc_ovr", groups, 20, LIMITS)
    assert check.passed
    assert "none of 1 groups" in check.reason
    assert "roc_auc_ovr is not defined in one class" in check.reason


def test_equal_groups_pass():
    rows = paired(np.random.default_rng(2), 400, 0.8, 0.8)
    groups = {"a": np.arange(400) < 200, "b": np.arange(400) >= 200}
    assert check_groups(rows, "accuracy", groups, 20, LIMITS).passed


def test_boasting_probabilities_are_refused():
    y_true = np.random.default_rng(0).integers(0, 2, 500)
    sure = np.tile([0.0, 1.0], (500, 1))  # always certain, right half the time
    rows = np.arange(500)
    predictions = Predictions("classification", rows, rows % 5, y_true, sure, ["no", "yes"])
    check = check_calibration(predictions, LIMITS)
    assert not check.passed
    gap, chance = (1 - y_true.mean()) ** 2, y_true.mean() * (1 - y_true.mean()) / 499
    assert check.value == pytest.approx(np.sqrt(gap - chance))


def test_rows_of_a_group_are_one_row_to_the_calibration():
    group = np.repeat(np.arange(50), 10)
    y_true = np.random.default_rng(0).integers(0, 2, 50)[group]
    output = np.tile([0.3, 0.7], (500, 1))
    rows = np.arange(500)
    predictions = Predictions(
        "classification", rows, rows % 5, y_true, output, ["no", "yes"], groups=group
    )
    share = y_true.mean()
    expected = np.sqrt((share - 0.7) ** 2 - share * (1 - share) / 49)
    assert check_calibration(predictions, LIMITS).value == pytest.approx(expected)


def test_repeats_are_averaged_and_other_rows_are_refused():
    y = np.array([1.0, 2.0, 1.0, 2.0])
    twice = Predictions(
        "regression", np.array([4, 7, 4, 7]), np.array([0, 0, 1, 1]), y, np.array([1.0, 2, 3, 4])
    )
    once = Predictions(
        "regression", np.array([7, 4]), np.array([0, 0]), np.array([2.0, 1.0]), np.array([5.0, 6])
    )
    rows = pair(twice, once, "test rows")
    assert rows.row.tolist() == [4, 7]
    assert rows.challenger.output.tolist() == [2, 3]
    assert rows.champion.output.tolist() == [6, 5]
    other = Predictions("regression", np.array([7, 5]), *(np.zeros(2),) * 3)
    with pytest.raises(ConfigError, match="did not answer the same test rows"):
        pair(twice, other, "test rows")


def test_groups_that_one_run_declares_are_those_of_both():
    rng = np.random.default_rng(0)
    rows, y = np.arange(60), rng.normal(size=60)
    champion, challenger = (
        Predictions("regression", rows, rows // 12, y, y + rng.normal(size=60)) for _ in range(2)
    )
    groups = rows // 6
    both = [replace(one, groups=groups) for one in (challenger, champion)]
    expected = check_performance(pair(*both, "rows"), "root_mean_squared_error", LIMITS)
    for sides in ((both[0], champion), (challenger, both[1])):
        found = check_performance(pair(*sides, "rows"), "root_mean_squared_error", LIMITS)
        assert found == expected
    with pytest.raises(ConfigError, match=r"declare other groups .* promote that by --force"):
        pair(both[0], replace(champion, groups=rows // 3), "rows")


def test_repeated_folds_are_judged_by_the_figures_of_the_runs():
    """An unstable model gains from averaging its repeats, which nobody keeps."""
    rng = np.random.default_rng(9)
    y_true = np.tile(rng.integers(0, 2, 200), 3)
    row, fold = np.tile(np.arange(200), 3), np.arange(600) // 40
    both = [
        Predictions("classification", row, fold, y_true, answers(rng, y_true, share), ("a", "b"))
        for share in (0.65, 0.75)
    ]
    rows = pair(*both, "held-out rows")
    assert rows.n_rows == 200
    found = check_performance(rows, "accuracy", LIMITS)
    means = [(one.output.argmax(axis=1) == y_true).mean() for one in both]
    assert f"accuracy {means[0]:.3f}, the champion's {means[1]:.3f} on the same 200" in found.reason
