import numpy as np
import optuna
import pytest
from optuna.samplers import TPESampler

from student_perf.sweep.bounded_tpe import N_BEST, BoundedTPESampler, _BoundedStudy


@pytest.fixture(autouse=True)
def quiet():
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def objective(trial):
    x = trial.suggest_float("x", -3, 3)
    kind = trial.suggest_categorical("kind", ["a", "b"])
    return (x - 1) ** 2 + (kind == "b")


def drawn(sampler, n_trials, direction="minimize"):
    study = optuna.create_study(sampler=sampler, direction=direction)
    study.optimize(objective, n_trials)
    return study


def test_shorter_studies_are_drawn_as_by_optuna():
    ours = drawn(BoundedTPESampler(250, seed=3), 40)
    theirs = drawn(TPESampler(seed=3), 40)
    assert [t.params for t in ours.trials] == [t.params for t in theirs.trials]


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_the_best_and_the_newest_are_kept_in_their_order(direction):
    study = optuna.create_study(direction=direction)
    values = np.random.default_rng(0).permutation(400).astype(float)
    space = {"x": optuna.distributions.FloatDistribution(0, 1)}
    for value in values:
        study.add_trial(
            optuna.trial.create_trial(params={"x": 0.5}, distributions=space, value=value)
        )
    kept = _BoundedStudy(study, 300)._get_trials(deepcopy=False)
    numbers = [trial.number for trial in kept]
    assert len(numbers) == 300
    assert numbers == sorted(numbers)
    best = np.argsort(values if direction == "minimize" else -values)[:N_BEST]
    assert set(best) <= set(numbers)
    others = [n for n in range(400) if n not in set(best)]
    assert set(numbers) - set(best) == set(others[-(300 - N_BEST) :])


@pytest.mark.slow
def test_beyond_its_history_it_still_finds_the_optimum():
    study = drawn(BoundedTPESampler(100, seed=0), 300)
    assert study.best_value < 0.01
    late = [trial.params["x"] for trial in study.trials[200:]]
    assert abs(np.median(late) - 1) < 0.5
