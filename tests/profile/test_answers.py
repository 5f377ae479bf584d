from dataclasses import replace

import numpy as np
import pytest

from student_perf.experiment.prepare import prepare_data
from student_perf.profile.answers import expected_answers, pair_error
from student_perf.scoring.influence import RowScores
from student_perf.scoring.metrics import TRAINING
from student_perf.scoring.power import rows_needed


@pytest.fixture(scope="module")
def accuracy():
    return answers_for("dataset=gpa2", "model=ridge")


def answers_for(*words):
    from tests.conftest import compose_config

    config = compose_config(*words, "tracking=off", "guards.SP203=off")
    return expected_answers(config, prepare_data(config))


def test_rows_needed_follow_from_the_smallest_difference(accuracy):
    assert accuracy.metric == "root_mean_squared_error"
    assert 0.4 < accuracy.score < 0.7
    assert 0 < accuracy.half_width < 0.1
    assert 0 < accuracy.smallest < 0.1
    assert accuracy.rival == "a small tree"
    for words, n in accuracy.rows.items():
        assert n == rows_needed(float(words) * accuracy.score, accuracy.smallest, 4137)


def test_the_error_of_a_pair_shrinks_with_the_root_of_the_rows():
    unit, rng = np.arange(100), np.random.default_rng(0)
    one, other = (RowScores(0.5, unit, rng.normal(size=100) / 100) for _ in range(2))
    whole = np.sqrt(((one.moved - other.moved) ** 2).sum()) * TRAINING
    assert pair_error(one, other, 100) == pytest.approx(whole)
    assert pair_error(one, other, 400) == pytest.approx(whole / 2)
    assert pair_error(one, one, 100) == 0


@pytest.mark.slow
def test_a_single_part_shows_what_its_fewer_rows_show():
    folds, single = (answers_for("model=logreg", word) for word in ("split=kfold", "split=holdout"))
    assert folds.metric == "accuracy"
    assert (folds.n_folds, single.n_folds) == (5, 1)
    assert single.smallest > 1.5 * folds.smallest
    assert single.half_width > folds.half_width > 0


@pytest.mark.slow
def test_classes_that_are_easy_to_tell_leave_a_narrow_interval(compose_config):
    config = compose_config("tracking=off", "model=logreg")
    data = prepare_data(config)
    told = data.dataset.features.assign(score=data.dataset.target * 9.0 + 1)
    easy = expected_answers(config, replace(data, dataset=replace(data.dataset, features=told)))
    assert easy.half_width < expected_answers(config, data).half_width / 2
