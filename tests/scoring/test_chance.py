import numpy as np
import pytest

from student_perf.scoring.answers import Answers
from student_perf.scoring.chance import chance_p
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
    for metric in ("log_loss", "roc_auc_ovr"):
        assert chance_p(METRICS[metric], answers, np.arange(4), np.zeros(4, dtype=int)) == 0.0
