import math
from dataclasses import replace

import numpy as np
import pytest

from student_perf.scoring import bootstrap as module
from student_perf.scoring.answers import Answers
from student_perf.scoring.bootstrap import of_samples, percentile_interval, resample
from student_perf.scoring.metrics import METRICS, metrics_of

CLASSES, NUMBERS = "classification", "regression"
ALL = [*metrics_of(CLASSES, ordered=True), *metrics_of(NUMBERS)]


def answers_of(task, n=60, seed=0, n_classes=3):
    rng = np.random.default_rng(seed)
    if task == CLASSES:
        truth = rng.permutation(np.arange(n) % n_classes)
        return Answers(truth, rng.dirichlet(np.ones(n_classes), n))
    y_true = rng.normal(size=n)
    return Answers(y_true, y_true + rng.normal(size=n))


def answers_for(metric):
    return answers_of(metric.task, n_classes=2 if metric.binary else 3)


@pytest.mark.parametrize("name", ALL)
def test_a_metric_of_a_sample_is_that_of_its_rows(name):
    answers = answers_for(METRICS[name])
    times = np.random.default_rng(1).multinomial(60, [1 / 60] * 60, 4)
    for value, one in zip(of_samples(METRICS[name], answers, times), times, strict=True):
        expected = METRICS[name].of(answers.take(np.repeat(np.arange(60), one)))
        assert value == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_draws_are_those_of_a_plain_loop(name, monkeypatch):
    monkeypatch.setattr(module, "_MOST_CELLS", 7 * 60)  # several tables of counts
    answers = answers_for(METRICS[name])
    got = resample(answers, [METRICS[name]], 5, 30)[name]
    rng = np.random.default_rng(5)
    expected = [METRICS[name].of(answers.take(rng.integers(0, 60, 60))) for _ in range(30)]
    assert got == pytest.approx(np.array(expected), abs=1e-12)


def test_equal_seeds_draw_pairs_and_a_generator_goes_on():
    answers, metric = answers_of(CLASSES), METRICS["accuracy"]
    one, two = (resample(answers, [metric], 3, 50)["accuracy"] for _ in range(2))
    assert one.tolist() == two.tolist()
    rng = np.random.default_rng(3)
    one, two = (resample(answers, [metric], rng, 50)["accuracy"] for _ in range(2))
    assert one.tolist() != two.tolist()


def test_undefined_draws_are_left_out():
    assert percentile_interval(np.array([1.0, np.nan, 1.0]), 1.0) == (1, 1)
    assert np.isnan(percentile_interval(np.array([np.nan]), 1.0)).all()


@pytest.mark.parametrize(("figure", "ends"), [(0.2, (0.2, 0.6)), (0.5, (0.4, 0.6)), (2, (0.4, 2))])
def test_an_interval_of_draws_holds_its_figure(figure, ends):
    draws = np.repeat([0.4, 0.6], 50)
    assert percentile_interval(draws, figure) == pytest.approx(ends)
    assert np.isnan(percentile_interval(draws, math.nan)).all()


def interval(answers, metric, seed=0, n_resamples=1000):
    """The percentile interval of a metric."""
    draws = resample(answers, [metric], seed, n_resamples)[metric.name]
    return percentile_interval(draws, metric.of(answers))


def test_bootstrap_interval_covers_the_truth_about_as_often_as_it_says():
    covered = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        y = rng.integers(0, 2, 200)
        right = rng.random(200) < 0.7
        p = np.where(right[:, None], np.eye(2)[y], 1 - np.eye(2)[y]) * 0.8 + 0.1
        low, high = interval(Answers(y, p), METRICS["accuracy"], seed, 200)
        covered += low <= 0.7 <= high
    assert 88 <= covered <= 99


def test_rows_of_a_group_are_drawn_together():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(25), 8)
    right = np.repeat(rng.random(25) < 0.6, 8)
    truth = np.tile([0, 1], 100)
    output = np.eye(2)[np.where(right, truth, 1 - truth)]
    metric = METRICS["accuracy"]
    alone = interval(Answers(truth, output), metric)
    together = interval(Answers(truth, output, groups=groups), metric)
    # Rows of a group are all right or all wrong: 200 of them are worth 25.
    ratio = (together[1] - together[0]) / (alone[1] - alone[0])
    assert ratio == pytest.approx(np.sqrt(8), rel=0.2)


@pytest.mark.parametrize("name", ["accuracy", "f1_macro", "log_loss", "roc_auc_ovr"])
def test_resampled_rows_keep_their_weights(name):
    rng = np.random.default_rng(1)
    truth, score = rng.integers(0, 2, 80), rng.random(80)
    output = np.column_stack([1 - score, score])
    weights = rng.integers(1, 4, 80).astype(float)
    metric, answers = METRICS[name], Answers(truth, output, weights)
    times = np.random.default_rng(2).multinomial(80, np.full(80, 1 / 80), 3)
    samples = of_samples(metric, answers, times)
    for value, one in zip(samples, times, strict=True):
        assert value == pytest.approx(metric.of(answers.take(np.repeat(np.arange(80), one))))


def test_a_metric_without_weights_has_no_figure_for_weighted_rows():
    metric = replace(METRICS["roc_auc_ovr"], weighted=False)
    answers = Answers(np.array([0, 1]), np.eye(2), np.array([1.0, 2.0]))
    assert not metric.takes_weights
    assert np.isnan(metric.of(answers))
    assert np.isnan(interval(answers, metric)).all()
