import itertools

import numpy as np
import pytest

from student_perf.scoring.answers import Answers
from student_perf.scoring.chance import _auc_variance, _average_precision_by_chance, chance_p
from student_perf.scoring.metrics import METRICS

ROW = np.arange(300)
FOLD = ROW // 60
OF_COUNTS = [name for name, metric in METRICS.items() if metric.of_counts is not None]


def p_value(metric, truth, said, n_classes=3, groups=None):
    answers = Answers(truth, np.eye(n_classes)[said], groups=groups)
    return chance_p(METRICS[metric], answers, ROW[: len(truth)], FOLD[: len(truth)])


@pytest.mark.parametrize("metric", OF_COUNTS)
def test_guesses_among_all_classes_are_chance_and_knowledge_is_not(metric):
    rng = np.random.default_rng(0)
    truth = rng.choice(3, 300, p=[0.6, 0.3, 0.1])
    found = [p_value(metric, truth, rng.integers(0, 3, 300)) < 0.05 for _ in range(40)]
    assert sum(found) <= 4
    knows = np.where(rng.random(300) < 0.4, truth, rng.integers(0, 3, 300))
    assert p_value(metric, truth, knows) < 0.01


def test_answers_worse_than_chance_are_no_gain():
    truth = np.repeat([0, 1, 2], 100)
    assert p_value("f1_macro", truth, (truth + 1) % 3) == 1.0


def test_rows_of_a_group_are_one():
    """Six groups that are right as a whole prove less than 300 rows would."""
    truth = np.tile([0, 1, 2], 100)
    said = np.where(ROW < 250, truth, (truth + 1) % 3)
    alone = p_value("accuracy", truth, said)
    assert alone < 1e-6 < p_value("accuracy", truth, said, groups=ROW // 50)


def test_what_is_not_made_of_counts_is_left_to_the_dummy():
    answers = Answers(np.array([0, 1, 1, 0]), np.full((4, 2), 0.5))
    assert chance_p(METRICS["log_loss"], answers, np.arange(4), np.zeros(4, dtype=int)) == 0.0


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_area_under_curves_varies_by_chance_as_when_classes_are_dealt_anew(n_classes):
    rng, metric = np.random.default_rng(0), METRICS["roc_auc_ovr"]
    output = np.round(rng.dirichlet(np.ones(n_classes), 30), 1)  # with ties
    truth = rng.integers(0, n_classes, 30)
    dealt = [metric.of(Answers(rng.permutation(truth), output)) for _ in range(2000)]
    assert _auc_variance(Answers(truth, output)) == pytest.approx(np.var(dealt), rel=0.1)


@pytest.mark.parametrize("shares", [(0.94, 0.06), (0.5, 0.3, 0.2)])
def test_an_area_under_curves_is_chance_even_with_a_rare_class(shares):
    """Few rows of a class in a fold, all alike, show hardly any spread of their own."""
    rng, n_classes = np.random.default_rng(0), len(shares)

    def p_of(knowledge, **extra):
        truth = rng.choice(n_classes, 300, p=shares)
        truth[::30] = np.arange(10) % n_classes
        output = rng.dirichlet(np.ones(n_classes), 300) + knowledge * np.eye(n_classes)[truth]
        output /= output.sum(axis=1, keepdims=True)
        answers = Answers(truth, output, **extra)
        return chance_p(METRICS["roc_auc_ovr"], answers, ROW, FOLD)

    assert sum(p_of(0) < 0.05 for _ in range(40)) <= 4
    assert all(p_of(1.0) < 0.01 for _ in range(5))
    assert p_of(0, weights=np.ones(300)) == p_of(0, groups=ROW) == 0.0


def test_equal_answers_and_a_fold_without_a_class_show_no_area():
    equal = Answers(np.array([0, 1, 1, 0]), np.full((4, 2), 0.5))
    metric, row = METRICS["roc_auc_ovr"], np.arange(4)
    assert chance_p(metric, equal, row, np.zeros(4, dtype=int)) == 1.0
    assert chance_p(metric, equal, row, np.array([0, 0, 1, 1])) == 1.0
    ranked = Answers(np.array([0, 0, 1, 0]), np.linspace([1.0, 0.0], [0.0, 1.0], 4))
    assert chance_p(metric, ranked, row, np.array([0, 0, 1, 1])) == 1.0


def test_an_order_by_chance_has_more_average_precision_than_the_share_of_positive_rows():
    rng, metric = np.random.default_rng(0), METRICS["average_precision"]

    def p_of(knowledge):
        truth = (rng.random(300) < 0.3).astype(int)
        ranks = rng.random(300) + knowledge * truth
        answers = Answers(truth, np.column_stack([2 - ranks, ranks]) / 2)
        return chance_p(metric, answers, ROW, ROW // 20)

    assert sum(p_of(0) < 0.05 for _ in range(40)) <= 4
    assert sum(p_of(0.5) < 0.05 for _ in range(10)) == 10
    truth = np.array([1, 1, 0, 0, 0, 0])
    level = _average_precision_by_chance(Answers(truth, np.zeros((6, 2))))
    places = list(itertools.combinations(range(1, 7), 2))  # of the two, in every order
    assert level == pytest.approx(np.mean([(1 / a + 2 / b) / 2 for a, b in places]))
