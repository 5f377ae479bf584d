import math

import numpy as np
import pytest
from scipy.stats import t

from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.intervals import FIXED_MODEL, fold_interval, row_interval
from student_perf.scoring.metrics import METRICS, TRAINING
from student_perf.scoring.paired import row_difference


def test_interval_is_that_of_nadeau_and_bengio_without_bounds():
    values = np.array([-0.5, 0.1, -0.2, 0.05])
    estimate = fold_interval(values, 0.25)
    width = t.ppf(0.975, 3) * values.std(ddof=1) * np.sqrt(1 / 4 + 0.25)
    assert estimate.low == pytest.approx(values.mean() - width)
    assert estimate.high == pytest.approx(values.mean() + width)
    assert estimate.low < 0


def test_a_single_fold_has_no_interval():
    estimate = fold_interval(np.array([0.3]), 0.25)
    assert estimate.mean == 0.3
    assert np.isnan([estimate.std, estimate.low, estimate.high]).all()


def test_fold_interval_by_the_corrected_variance():
    values = np.array([0.70, 0.74, 0.66, 0.72, 0.68])
    got = fold_interval(values, 0.25, METRICS["accuracy"])
    width = t.ppf(0.975, 4) * np.sqrt((1 / 5 + 0.25) * values.var(ddof=1))
    assert got.mean == pytest.approx(0.70)
    assert got.std == pytest.approx(values.std(ddof=1))
    assert (got.low, got.high) == pytest.approx((0.70 - width, 0.70 + width))
    naive = t.ppf(0.975, 4) * values.std(ddof=1) / np.sqrt(5)
    assert got.high - got.mean == pytest.approx(naive * np.sqrt(1 + 5 * 0.25))


def test_intervals_stay_within_what_the_metric_can_be():
    got = fold_interval(np.array([1.0, 0.9, 1.0]), 0.5, METRICS["accuracy"])
    assert got.high == 1.0
    assert fold_interval(np.array([-3.0, 0.9]), 0.5, METRICS["r2"]).low < -3


@pytest.mark.parametrize("values", [[2.682, 2.5], [-1.0, -0.5], [5.0, 5.0], [0.9, 1.3]])
def test_no_interval_is_upside_down_or_without_its_figure(values):
    got = fold_interval(np.array(values), 0.5, METRICS["brier_score"])
    assert got.low <= got.mean <= got.high


def test_an_undefined_fold_leaves_no_interval():
    got = fold_interval(np.array([0.5, np.nan, 0.6]), 0.5, METRICS["accuracy"])
    assert np.isnan([got.mean, got.low, got.high]).all()


def scored(mean, error, n=100):
    """A figure with this standard error by rows."""
    return RowScores(mean, np.arange(n), np.full(n, error / math.sqrt(n)))


def test_between_bounds_it_is_wilsons_interval():
    """Of a plain share it is his own formula with as many rows."""
    share, n, z = 0.9, 50, t.ppf(0.975, 49)
    error = math.sqrt(share * (1 - share) / n)
    got = row_interval(scored(share, error, n), METRICS["accuracy"], factor=FIXED_MODEL)
    for end in (got.low, got.high):
        assert abs(end - share) == pytest.approx(z * math.sqrt(end * (1 - end) / n))
    assert got.low < 0.8 < 0.95 < got.high < 1


def test_few_rows_without_an_error_are_not_certain():
    got = row_interval(scored(1.0, 0.0, 20), METRICS["accuracy"], factor=FIXED_MODEL)
    z = t.ppf(0.975, 19)
    assert (got.low, got.high) == (pytest.approx(1 / (1 + z**2 / 20)), 1.0)
    constant = row_interval(scored(0.4, 0.0), METRICS["brier_score"])
    assert (constant.low, constant.high) == (0.4, 0.4)


def test_above_zero_the_skewness_counts_and_without_bounds_it_is_the_figure_itself():
    reach = TRAINING * t.ppf(0.975, 99)
    scores = scored(2.0, 0.1)
    for name, power in (("mean_absolute_error", 1), ("root_mean_squared_error", 2)):
        got = row_interval(scores, METRICS[name])
        error, skewness = power * 2.0 ** (power - 1) * 0.1, 1 / math.sqrt(100)
        for end, side in ((got.low, 1), (got.high, -1)):
            by_t = (2.0**power - end**power) / (TRAINING * error)
            halls = by_t + skewness * (by_t**2 / 3 + 1 / 6) + skewness**2 * by_t**3 / 27
            assert halls == pytest.approx(side * t.ppf(0.975, 99))
    got = row_interval(scored(0.3, 0.1), METRICS["r2"])
    assert (got.low, got.high) == pytest.approx((0.3 - reach * 0.1, 0.3 + reach * 0.1))
    assert row_interval(scored(1e-9, 1.0), METRICS["log_loss"]).high < math.inf


def test_what_is_not_defined_has_no_interval():
    for broken in (scored(math.nan, 0.1), scored(0.5, math.nan), scored(0.5, 0.1, 1)):
        assert math.isnan(row_interval(broken, METRICS["accuracy"]).low)


def test_a_figure_beyond_the_bounds_of_its_metric_keeps_an_interval_around_it():
    got = row_interval(scored(2.0, 0.1), METRICS["accuracy"])
    assert got.low <= got.mean == 2.0 <= got.high


def test_the_interval_of_errors_with_a_long_tail_holds():
    """Errors whose squares have a standard deviation of seven times their mean."""
    rng, true, metric = np.random.default_rng(0), math.e, METRICS["root_mean_squared_error"]
    held, marked = 0, 0
    for _ in range(200):
        answers = Answers(np.zeros(200), np.exp(rng.normal(size=200)))
        scores = row_scores(metric, answers, np.arange(200), np.arange(200) // 40, mean=None)
        got = row_interval(scores, metric)
        held += got.low <= true <= got.high
        marked += metric.rests_on_few(got.mean, got.low, got.high)
    assert held / 200 > 0.95
    assert marked / 200 > 0.95


@pytest.mark.parametrize("name", ["root_mean_squared_error", "mean_squared_error"])
@pytest.mark.parametrize("n", [100, 700])
def test_errors_without_a_variance_of_their_squares_are_covered_or_marked(name, n):
    rng, metric, marked, held = np.random.default_rng(0), METRICS[name], 0, 0
    true = 5 ** (0.5 if metric.root else 1)
    for _ in range(200):
        answers = Answers(np.zeros(n), rng.standard_t(2.5, n))
        got = row_interval(row_scores(metric, answers, np.arange(n), np.zeros(n, int)), metric)
        held += got.low <= true <= got.high
        marked += metric.rests_on_few(got.mean, got.low, got.high)
    assert held / 200 > 0.88
    assert marked / 200 > 0.9


@pytest.mark.parametrize("draw", ["normal", "uniform"])
@pytest.mark.parametrize("name", ["root_mean_squared_error", "mean_absolute_error"])
def test_few_rows_of_harmless_errors_neither_bear_a_mark_nor_reach_far(draw, name):
    rng, metric = np.random.default_rng(0), METRICS[name]
    marked = 0
    for _ in range(100):
        answers = Answers(np.zeros(60), getattr(rng, draw)(-1, 1, 60))
        got = row_interval(row_scores(metric, answers, np.arange(60), np.zeros(60, int)), metric)
        is_marked = metric.rests_on_few(got.mean, got.low, got.high)
        marked += is_marked
        assert is_marked or got.high < 2 * got.mean
    assert marked <= 8


def test_few_rows_seldom_carry_a_figure_of_normal_errors():
    rng, metric = np.random.default_rng(0), METRICS["root_mean_squared_error"]
    marked = 0
    for _ in range(200):
        answers, fold = Answers(np.zeros(200), rng.normal(size=200)), np.arange(200) // 40
        scores = row_scores(metric, answers, np.arange(200), fold, mean=None)
        got = row_interval(scores, metric)
        marked += metric.rests_on_few(got.mean, got.low, got.high)
    assert marked <= 10


def test_r2_shares_the_mark_of_rmse():
    """As the squared errors have a heavy tail or not; then its interval reaches far down."""
    rng, n, r2 = np.random.default_rng(0), 400, METRICS["r2"]
    for noise, is_heavy in ((rng.standard_t(2.1, n), True), (rng.normal(size=n), False)):
        truth = rng.normal(size=n)
        answers, row, fold = Answers(truth, truth + noise), np.arange(n), np.zeros(n, int)
        for name in ("root_mean_squared_error", "r2"):
            got = row_interval(row_scores(METRICS[name], answers, row, fold), METRICS[name])
            assert METRICS[name].rests_on_few(got.mean, got.low, got.high) is is_heavy
        assert (got.mean - got.low > 4 * (got.high - got.mean)) is is_heavy
        assert r2.interval(got.mean, got.low, got.high).endswith("*") is is_heavy
    assert not r2.rests_on_few(0.5, -math.inf, 0.6)


def test_what_moves_with_the_threshold_gets_a_wider_interval_and_repeats_widen_it():
    """The factors of docs/statistics.md: the same errors by rows, other factors on them."""
    rng, n = np.random.default_rng(1), 300
    truth, right = np.arange(n) % 2, rng.random(n) < 0.7
    answers, row = Answers(truth, np.eye(2)[np.where(right, truth, 1 - truth)]), np.arange(n)
    twice = answers.take(np.tile(row, 2))
    for name, factor in (("accuracy", TRAINING), ("recall", 1.7), ("roc_auc_ovr", 1.35)):
        metric = METRICS[name]
        once = row_scores(metric, answers, row, np.zeros(n, int))
        again = row_scores(metric, twice, np.tile(row, 2), np.repeat([0, 1], n))
        assert (once.training, again.training) == (factor, pytest.approx(1.1 * factor))
        assert again.error == pytest.approx(once.error)
        kept = row_interval(once, metric, factor=FIXED_MODEL)
        widths = [
            e.high - e.low for e in (kept, row_interval(once, metric), row_interval(again, metric))
        ]
        assert widths == sorted(widths)
        gain = row_difference(once, RowScores(0.5, row, np.zeros(n)))
        assert gain.high - gain.mean == pytest.approx(
            metric.training * once.error * t.ppf(0.975, n - 1)
        )


def test_r2_is_marked_by_the_same_figure_of_rmse_as_rmse_itself():
    """The mean over folds, which is a little smaller than the figure of all rows."""
    rmse, r2 = METRICS["root_mean_squared_error"], METRICS["r2"]
    row, fold = np.arange(60), np.repeat(np.arange(5), 12)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=60)
        answers = Answers(truth, truth + rng.standard_t(5, 60))
        known = {}
        for metric in (rmse, r2):
            mean = np.mean([metric.of(answers.take(fold == k)) for k in range(5)])
            known[metric.name] = row_scores(metric, answers, row, fold, float(mean))
        is_heavy = known[rmse.name].has_heavy_tail(rmse)
        assert known["r2"].shares_tail is is_heavy, seed
