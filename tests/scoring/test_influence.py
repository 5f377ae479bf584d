import math

import numpy as np
import pytest

from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import (
    REPEATED,
    RowScores,
    influences,
    mean_of,
    repeats,
    row_scores,
)
from student_perf.scoring.metrics import METRICS, Metric, metrics_of

EVERY = [*metrics_of("classification", ordered=True), *metrics_of("regression")]


def made(name, n=60):
    """Answers with ties, of two or three classes or of numbers above 0."""
    rng = np.random.default_rng(1)
    if METRICS[name].task == "regression":
        truth = np.round(5 + rng.normal(size=n), 1)
        return Answers(truth, np.round(truth + rng.normal(size=n), 1))
    k = 2 if METRICS[name].binary else 3
    truth = rng.integers(0, k, n)
    output = rng.dirichlet(np.ones(k), n).round(2) + 0.3 * np.eye(k)[truth]
    return Answers(truth, output / output.sum(axis=1, keepdims=True))


def left_out(metric, answers):
    """The plain jackknife: the metric without each row."""
    n = len(answers)
    values = np.array([metric.of(answers.take(np.arange(n) != row)) for row in range(n)])
    return (values.mean() - values) * math.sqrt((n - 1) / n)


@pytest.mark.parametrize("name", sorted(set(EVERY) - {"median_absolute_error"}))
def test_influences_are_those_of_leaving_out_each_row(name):
    answers = made(name)
    moved, plain = influences(METRICS[name], answers), left_out(METRICS[name], answers)
    assert moved.sum() == pytest.approx(0, abs=1e-9)
    # Closed forms are the limit of the jackknife for many rows.
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(plain), rel=0.03)
    assert np.corrcoef(moved, plain)[0, 1] > 0.999


@pytest.mark.parametrize(
    "name",
    ["accuracy", "f1_macro", "quadratic_weighted_kappa", "log_loss", "f1", "average_precision"],
)
def test_metrics_of_counts_and_means_are_exact(name):
    answers = made(name)
    plain = left_out(METRICS[name], answers)
    assert influences(METRICS[name], answers) == pytest.approx(plain, abs=1e-12)


def test_the_numbers_of_groups_are_names_whether_near_or_far_apart():
    plain, group = made("log_loss"), np.arange(60)[::-1] // 2 * 2
    each, fold = np.arange(60), np.repeat([0, 1], 30)
    near, far = (
        row_scores(
            METRICS["log_loss"], Answers(plain.y_true, plain.output, groups=numbers), each, fold
        )
        for numbers in (group, group * 10**9 - 7)
    )
    assert near.unit.tolist() == list(range(0, 60, 2))
    assert far.unit.tolist() == (near.unit * 10**9 - 7).tolist()
    assert far.moved.tolist() == near.moved.tolist()


def test_the_error_of_a_median_is_that_of_repeated_samples():
    """The jackknife of a median has no limit, so its influence is that of the theory."""
    rng, metric = np.random.default_rng(8), METRICS["median_absolute_error"]
    made = [Answers(rng.normal(size=400), np.zeros(400)) for _ in range(300)]
    each = np.arange(400)
    errors = [row_scores(metric, one, each, np.zeros(400, int)).error for one in made]
    assert np.mean(errors) == pytest.approx(np.std([metric.of(one) for one in made]), rel=0.15)
    assert influences(metric, made[0]).sum() == pytest.approx(0, abs=1e-9)


def test_the_average_precision_of_a_single_positive_row_is_not_moved_by_it():
    lone = Answers(np.array([0, 0, 1, 0]), np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [1, 0]]))
    moved = influences(METRICS["average_precision"], lone)
    assert np.isfinite(moved).all()
    assert moved[2] == pytest.approx(-moved[1] / 3)  # all but row 1 leave it at a half
    none = Answers(np.zeros(4, dtype=int), lone.output)
    assert np.isnan(influences(METRICS["average_precision"], none)).all()


def test_the_variance_of_an_auc_is_delongs():
    """DeLong's formula as written: variances of the structural components of both classes."""
    rng = np.random.default_rng(2)
    truth = np.repeat([0, 1], [70, 30])
    score = (rng.random(100) + 0.3 * truth).round(1)
    wins = (score[truth == 1][:, None] > score[truth == 0]) + 0.5 * (
        score[truth == 1][:, None] == score[truth == 0]
    )
    expected = wins.mean(axis=1).var(ddof=1) / 30 + wins.mean(axis=0).var(ddof=1) / 70
    answers = Answers(truth, np.column_stack([1 - score, score]))
    moved = influences(METRICS["roc_auc_ovr"], answers)
    assert (moved**2).sum() == pytest.approx(expected, rel=0.03)


def test_a_formula_of_ones_own_gets_a_jackknife_over_groups():
    rng = np.random.default_rng(3)
    answers = Answers(rng.normal(size=5_000), np.zeros(5_000))
    worst = Metric(
        "own",
        "own",
        "minimize",
        task="regression",
        of_answers=lambda a: (a.errors**4).mean() ** 0.5,
    )
    fourth = answers.errors**4
    expected = fourth.std() / math.sqrt(5_000) / (2 * math.sqrt(fourth.mean()))
    rows, one_fold = np.arange(5_000), np.zeros(5_000, dtype=np.int64)
    measured = row_scores(worst, answers, rows, one_fold)
    assert len(measured.unit) == 100
    assert measured.error == pytest.approx(expected, rel=0.25)


def own(a):
    return (a.output.argmax(axis=1) == a.y_true).mean()


OWN = Metric("own", "own", "maximize", task="classification", of_answers=own)


@pytest.mark.parametrize("grouped", [False, True])
def test_a_formula_of_ones_own_knows_repeats_and_groups(grouped):
    """Accuracy, written so that nothing shows its rows, beside the one whose rows are known."""
    rng = np.random.default_rng(6)
    n, times = 1_000, 5
    row = np.concatenate([rng.permutation(n) for _ in range(times)])
    fold = np.repeat(np.arange(5 * times), n // 5)
    group = row % 40 if grouped else None
    right = rng.random(40)[row % 40] if grouped else rng.random(n)[row]
    output = np.eye(2)[(right + rng.random(n * times) / 5 < 0.6).astype(int)]
    answers = Answers(np.zeros(n * times, dtype=int), output, groups=group)
    found = [row_scores(one, answers, row, fold, 0.6) for one in (OWN, METRICS["accuracy"])]
    assert len(found[0].unit) == (40 if grouped else 100)
    assert found[0].error == pytest.approx(found[1].error, rel=0.05 if grouped else 0.3)


def test_the_mean_over_unlike_folds_is_moved_within_each():
    """Folds at different levels: pooled, the level would explain what no fold's model does."""
    rng = np.random.default_rng(7)
    n, fold = 200, np.repeat(np.arange(4), 50)
    truth = rng.normal(size=n) + 10 * fold
    output = truth + rng.normal(size=n)
    metric, answers = METRICS["r2"], Answers(truth, output)
    by_fold = [metric.of(answers.take(fold == one)) for one in range(4)]
    measured = row_scores(metric, answers, np.arange(n), fold, float(np.mean(by_fold)))
    draws = []
    for _ in range(300):
        drawn = [rng.choice(np.flatnonzero(fold == one), 50) for one in range(4)]
        draws.append(np.mean([metric.of(answers.take(rows)) for rows in drawn]))
    assert measured.error == pytest.approx(np.std(draws), rel=0.25)
    assert row_scores(metric, answers, np.arange(n), fold).error < measured.error / 20


def test_what_is_not_defined_has_no_influence():
    one_class = Answers(np.zeros(4, dtype=int), np.full((4, 2), 0.5))
    assert np.isnan(influences(METRICS["roc_auc_ovr"], one_class)).all()
    assert np.isnan(influences(METRICS["r2"], Answers(np.ones(4), np.arange(4.0)))).all()
    assert np.isnan(influences(METRICS["accuracy"], one_class.take(slice(0, 1)))).all()
    # Without the only row of its class kappa is not defined: that row moves nothing.
    lone = Answers(np.array([0, 0, 0, 1]), np.eye(2)[[0, 0, 1, 1]])
    assert np.isfinite(influences(METRICS["quadratic_weighted_kappa"], lone)).all()


def test_repeats_begin_with_the_first_row_that_comes_again():
    row = np.array([0, 1, 2, 3, 1, 0, 3, 2])
    fold = np.array([0, 0, 1, 1, 2, 2, 3, 3])
    assert repeats(row, fold) == [(slice(0, 4), 0.5), (slice(4, 8), 0.5)]
    assert repeats(row[:4], fold[:4]) == [(slice(0, 4), 1.0)]
    # Single validation parts that overlap are repeats of their own.
    assert len(repeats(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 1]))) == 2


def test_a_row_that_is_predicted_again_counts_once():
    rng = np.random.default_rng(4)
    truth, output = rng.normal(size=40), rng.normal(size=40)
    metric, row, fold = METRICS["mean_absolute_error"], np.arange(40), np.arange(40) // 20
    once = row_scores(metric, Answers(truth, output), row, fold)
    twice = row_scores(
        metric,
        Answers(np.tile(truth, 2), np.tile(output, 2)),
        np.tile(row, 2),
        np.concatenate([fold, fold + 2]),
    )
    assert (twice.mean, twice.error) == (pytest.approx(once.mean), pytest.approx(once.error))
    assert twice.unit.tolist() == row.tolist()


def test_a_class_whose_rows_are_all_right_is_not_certain():
    """Of nine in ten rows with a rare class of ten, all right: one of these ten might be wrong."""
    truth, said = np.repeat([0, 1], [90, 10]), np.repeat([0, 1, 1], [80, 10, 10])
    answers, row = Answers(truth, np.eye(2)[said]), np.arange(100)

    def unseen(name, answers=answers):
        return row_scores(METRICS[name], answers, row, row % 1).unseen

    assert unseen("balanced_accuracy") == pytest.approx((0.1 / 2) ** 2)
    assert unseen("accuracy") == unseen("log_loss") == 0.0
    wrong = Answers(truth, np.eye(2)[np.zeros(100, dtype=int)])
    assert unseen("balanced_accuracy", wrong) == pytest.approx((0.1 / 2) ** 2 + (1 / 90 / 2) ** 2)
    said[95] = 0
    assert unseen("balanced_accuracy", Answers(truth, np.eye(2)[said])) == 0.0


def test_a_row_of_several_figures_counts_once_in_their_mean():
    first = RowScores(0.4, np.array([1, 2, 5]), np.array([0.1, -0.1, 0.0]))
    second = RowScores(0.6, np.array([2, 3, 5]), np.array([0.3, -0.2, -0.1]))
    got = mean_of([first, second])
    assert got.mean == pytest.approx(0.5)
    np.testing.assert_array_equal(got.unit, [1, 2, 3, 5])
    np.testing.assert_allclose(got.moved, [0.05, 0.1, -0.1, -0.05])
    assert got.training == pytest.approx(REPEATED * first.training)  # as repeats of folds
    apart = mean_of([first, RowScores(0.6, np.array([7, 8]), np.array([0.3, -0.3]))])
    assert apart.training == first.training


def test_rows_of_a_group_count_as_one():
    """Each row four times over: as if there were a quarter as many."""
    rng = np.random.default_rng(5)
    truth, output = rng.normal(size=50), rng.normal(size=50)
    metric, n = METRICS["mean_absolute_error"], 200
    pair, fold = (np.repeat(truth, 4), np.repeat(output, 4)), np.zeros(n, dtype=np.int64)
    apart = row_scores(metric, Answers(*pair), np.arange(n), fold)
    joined = row_scores(metric, Answers(*pair, groups=np.arange(n) // 4), np.arange(n), fold)
    assert len(joined.unit) == 50
    assert joined.error == pytest.approx(2 * apart.error)


@pytest.mark.parametrize("name", EVERY)
def test_a_row_of_weight_two_moves_a_metric_like_two_rows(name):
    answers, twice = made(name, 200), np.arange(200) < 100
    both = np.concatenate([np.arange(200), np.flatnonzero(twice)])
    weighted = Answers(answers.y_true, answers.output, 1.0 + twice)
    if not METRICS[name].takes_weights:
        assert np.isnan(influences(METRICS[name], weighted)).all()
        return
    moved = influences(METRICS[name], weighted)
    single = influences(METRICS[name], answers.take(both))
    expected = single[:200] + np.concatenate([single[200:], np.zeros(100)])
    by_groups = ("roc_auc_ovr", "spearman", "average_precision")
    is_by_groups = name in by_groups
    if is_by_groups:  # in bundles of two rows
        moved = np.bincount(np.arange(200) % 100, moved)
    rel = 0.25 if is_by_groups or name == "median_absolute_error" else 0.05
    assert np.linalg.norm(moved) == pytest.approx(np.linalg.norm(expected), rel=rel)


def test_folds_of_one_row_are_taken_together():
    rng = np.random.default_rng(10)
    answers, each = Answers(rng.normal(size=30), rng.normal(size=30)), np.arange(30)
    metric = METRICS["mean_absolute_error"]
    alone = row_scores(metric, answers, each, each, metric.of(answers))
    together = row_scores(metric, answers, each, np.zeros(30, dtype=np.int64))
    assert alone.error == pytest.approx(together.error)
