from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import false_discovery_control, t, ttest_rel
from sklearn.datasets import make_moons
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_score
from sklearn.svm import SVC

from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import row_scores
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import (
    ALPHA,
    against_best,
    by_folds,
    by_rows,
    for_tries,
    holm,
    paired_difference,
    row_difference,
)


def test_without_correction_it_is_the_paired_t_test():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.05, 10), rng.normal(0.68, 0.05, 10)
    got = paired_difference(a, b, test_over_train=0.0)
    expected = ttest_rel(a, b)
    assert got.p_value == pytest.approx(expected.pvalue, rel=1e-12)
    interval = expected.confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high))


def test_the_correction_widens_by_its_factor():
    a, b = np.array([0.8, 0.7, 0.75, 0.9]), np.array([0.7, 0.72, 0.7, 0.8])
    plain, corrected = (paired_difference(a, b, ratio) for ratio in (0.0, 1 / 3))
    widths = corrected.high - corrected.mean, plain.high - plain.mean
    assert widths[0] / widths[1] == pytest.approx(np.sqrt((1 / 4 + 1 / 3) / (1 / 4)))
    statistic = corrected.mean / ((a - b).std(ddof=1) * np.sqrt(1 / 4 + 1 / 3))
    assert corrected.p_value == pytest.approx(2 * t.sf(abs(statistic), 3))


def test_many_pairs_at_once_are_the_single_ones():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.7, 0.05, (20, 5)), rng.normal(0.7, 0.05, 5)
    together = by_folds(a, b, 0.25).tested()
    for i, row in enumerate(a):
        alone = paired_difference(row, b, 0.25)
        assert [v[i] for v in vars(together).values()] == pytest.approx(list(vars(alone).values()))


def test_no_spread_is_either_equal_or_certain():
    same = np.full(5, 0.5)
    assert paired_difference(same, same, 0.25).p_value == 1.0
    assert paired_difference(same + 0.1, same, 0.25).p_value == 0.0
    certain = by_folds(np.stack([same - 0.1, same, same + 0.1]), same, 0.25).posterior(0.01)
    for i, shares in enumerate(zip(certain.below, certain.inside, certain.above, strict=True)):
        assert shares == tuple(float(i == j) for j in range(3))


def measured(losses):
    """The mean absolute error of two models on the same rows, by row."""
    row, fold = np.arange(losses.shape[1]), np.zeros(losses.shape[1], dtype=np.int64)
    metric = METRICS["mean_absolute_error"]
    return [row_scores(metric, Answers(one, np.zeros_like(one)), row, fold) for one in losses]


def test_by_rows_it_is_the_paired_t_test_of_the_rows_losses():
    rng = np.random.default_rng(0)
    losses = rng.exponential(1.0, (2, 80)) + rng.exponential(2.0, 80)
    got = row_difference(*measured(losses), factor=1.0)
    expected = ttest_rel(*losses)
    assert got.p_value == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval(0.95)
    assert (got.low, got.high) == pytest.approx((interval.low, interval.high))
    wider = row_difference(*measured(losses), factor=2.0)
    assert wider.high - wider.mean == pytest.approx(2 * (got.high - got.mean))


def test_other_rows_are_not_paired():
    one, two = measured(np.ones((2, 5)))
    with pytest.raises(ValueError, match="the same rows"):
        by_rows([one], replace(two, unit=two.unit + 1))


def test_differences_by_rows_stand_in_for_those_by_folds():
    folds = by_folds(np.array([[0.5, 0.6], [0.5, 0.9]]), np.array([0.5, 0.6]), 0.25)
    one, two = measured(np.array([np.arange(5.0), np.arange(5.0) ** 2]))
    mixed = folds.replaced([1], by_rows([two], one))
    assert mixed.freedom.tolist() == [1, 4]
    assert mixed.mean.tolist() == [0, pytest.approx(4)]
    assert mixed.error[0] == folds.error[0]


def test_one_fold_cannot_be_tested():
    with pytest.raises(ValueError, match="two or more"):
        paired_difference(np.array([1.0]), np.array([0.0]), 0.25)


@pytest.mark.slow
def test_the_worked_example_of_scikit_learns_documentation():
    """`plot_grid_search_stats` of scikit-learn 1.9 prints these figures, with a one-sided p."""
    x, y = make_moons(noise=0.352, random_state=1, n_samples=100)
    folds = RepeatedStratifiedKFold(n_splits=10, n_repeats=10, random_state=0)
    rbf, linear = (
        cross_val_score(SVC(random_state=0, kernel=kernel), x, y, scoring="roc_auc", cv=folds)
        for kernel in ("rbf", "linear")
    )
    found = paired_difference(rbf, linear, test_over_train=10 / 90)
    assert round(found.p_value / 2, 3) == 0.227
    posterior = by_folds(rbf[None], linear, 10 / 90).posterior(0.01)
    assert [round(float(v[0]), 3) for v in vars(posterior).values()] == [0.068, 0.432, 0.5]


def test_the_posterior_is_that_of_the_correlated_model_integrated_numerically():
    """The model as written by Corani and Benavoli, without the closed form: differences are jointly
    normal with common variance v and correlation rho; a flat prior on the mean, 1/v on v.
    """
    rng = np.random.default_rng(2)
    a, b, rho = rng.normal(0.72, 0.03, 5), rng.normal(0.70, 0.03, 5), 0.2
    d = a - b
    shape = np.full((5, 5), rho) + np.diag(np.full(5, 1 - rho))
    inverse = np.linalg.inv(shape)

    def density(mean):  # the integral over v of N(d; mean, v * shape) / v, up to a constant
        squares = (d - mean) @ inverse @ (d - mean)
        logs = np.linspace(-16, 2, 1500)
        v = np.exp(logs)
        return np.trapezoid(v**-2.5 * np.exp(-squares / (2 * v)), logs)

    bounds = [(-0.6, -0.01), (-0.01, 0.01), (0.01, 0.6)]
    parts = np.array([quad(density, *bound, points=[d.mean()], limit=60)[0] for bound in bounds])
    found = by_folds(a[None], b, rho / (1 - rho)).posterior(0.01)
    got = [float(v[0]) for v in vars(found).values()]
    assert got == pytest.approx(parts / parts.sum(), abs=2e-3)
    assert sum(got) == pytest.approx(1)


def test_holm_follows_his_rule():
    # By hand: 0.01*4, 0.02*3, then 0.03*2 and 0.04*1, which may not be below the one before.
    assert holm(np.array([0.04, 0.01, 0.03, 0.02])) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).tolist() == [1.0, 1.0]
    rng = np.random.default_rng(3)
    p = rng.random(30) ** 3
    adjusted = holm(p)
    # Rejected at every level are those of the step-down procedure itself.
    for level in (0.01, 0.05, 0.3):
        rejected = set()
        for step, i in enumerate(np.argsort(p)):
            if p[i] > level / (len(p) - step):
                break
            rejected.add(int(i))
        assert set(np.flatnonzero(adjusted <= level)) == rejected
    assert (adjusted >= false_discovery_control(p, method="bh")).all()


def test_tied_are_those_whose_corrected_difference_may_be_noise():
    rng = np.random.default_rng(4)
    folds = rng.normal(0, 0.05, 10)
    scores = 0.7 + folds + rng.normal(0, 0.01, (4, 10)) + np.array([[0.05], [0.0], [0.05], [-0.2]])
    best = int(scores.mean(axis=1).argmax())
    p_values = against_best(by_folds(scores, scores[best], 1 / 9), best)
    assert (p_values > ALPHA).tolist() == [True, False, True, False]
    assert p_values[best] == 1.0
    assert against_best(by_folds(scores[:1], scores[0], 1 / 9), 0).tolist() == [1.0]


def simulated_folds(n_times, signals, n_rows, n_repeats, rng, n_splits=5, n_columns=5):
    """Fold accuracies, shape (n_times, M, J), from repeated k-fold on fresh rows of two classes.

    Each of the M models is a nearest-centroid classifier, really fitted on the training rows of
    each fold, that sees columns of its own; `signals` (M,) says how far the classes lie apart in
    them. Models of equal signal have the same expected accuracy. Rows are drawn anew each time.
    """
    n_models = len(signals)
    y = np.arange(n_rows) % 2
    shift = np.asarray(signals)[:, None, None] * (y - 0.5)[:, None] / np.sqrt(n_columns)
    x = rng.normal(size=(n_times, n_models, n_rows, n_columns)) + shift
    scores = []
    for _ in range(n_repeats):
        for held_out in np.array_split(rng.permutation(n_rows), n_splits):
            train = np.setdiff1d(np.arange(n_rows), held_out)
            low, high = (x[:, :, train[y[train] == c]].mean(axis=2) for c in (0, 1))
            margin = x[:, :, held_out] - ((low + high) / 2)[:, :, None]
            predicted = np.einsum("tmrc,tmc->tmr", margin, high - low) > 0
            scores.append((predicted == y[held_out]).mean(axis=2))
    return np.stack(scores, axis=2)


def declared_different(scores):
    """Share of simulated comparisons of two models whose difference is called real."""
    found = by_folds(scores[:, 0], scores[:, 1], test_over_train=0.25).tested()
    return float((found.p_value <= ALPHA).mean())


@pytest.mark.parametrize("n_repeats", [1, 10])
@pytest.mark.slow
def test_equal_models_are_rarely_told_apart_and_unequal_ones_often(n_repeats):
    rng = np.random.default_rng(5)
    assert declared_different(simulated_folds(500, [1, 1], 200, n_repeats, rng)) <= 0.05
    powers = [
        declared_different(simulated_folds(100, [1, other], 200, n_repeats, rng))
        for other in (1.5, 3)
    ]
    assert powers[0] < powers[1]
    assert powers[1] > 0.9


def test_the_best_models_stay_among_the_tied():
    """Of eight equal models and two worse ones, each equal one is called tied 95 times in 100."""
    rng = np.random.default_rng(6)
    signals = [1.0] * 8 + [0.0] * 2
    tied = np.array(
        [
            against_best(by_folds(scores, scores[best], 0.25), best) > ALPHA
            for scores in simulated_folds(200, signals, 200, 4, rng)
            for best in [int(scores.mean(axis=1).argmax())]
        ]
    )
    assert tied[:, :8].mean(axis=0).min() >= 0.95
    assert tied[:, 8:].mean() < 0.5


@pytest.mark.parametrize("scale", [1e-18, 1.0, 1e12])
def test_the_unit_of_a_metric_decides_nothing(scale):
    rng = np.random.default_rng(8)
    a, b = 1 + 0.1 * rng.normal(size=(2, 5))
    one, other = paired_difference(a, b, 0.25), paired_difference(scale * a, scale * b, 0.25)
    assert other.p_value == pytest.approx(one.p_value)
    assert paired_difference(scale * a, scale * a * (1 + 1e-15), 0.25).p_value == 1


def test_the_correction_for_tries_is_the_harmonic_one():
    assert for_tries(0.01, 1) == 0.01
    assert for_tries(0.01, 3) == pytest.approx(0.01 * 3 * (1 + 1 / 2 + 1 / 3))
    assert for_tries(0.3, 20) == 1.0
