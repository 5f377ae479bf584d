import pytest

from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep.report import best_trial, outcome_lines
from student_perf.sweep.study import keeps_constraints, recover
from tests.sweep.conftest import run_trials


def test_several_objectives_give_the_front_that_counting_finds(plan_of):
    plan, evaluator = plan_of(
        "model.C=1e-5,1e-3,0.1,10", "split.random_state=0,1", objectives=["log_loss"]
    )
    study = run_trials(plan, evaluator)
    points = {t.number: t.values for t in study.trials}
    front = {
        n
        for n, (score, loss) in points.items()
        if not any(a >= score and b <= loss and (a, b) != (score, loss) for a, b in points.values())
    }
    assert {t.number for t in study.best_trials} == front
    text = "\n".join(outcome_lines(plan, study))
    assert f"Pareto front of {len(front)} trials" in text
    assert all(f"trial {n}: accuracy {points[n][0]:.3f}, log loss" in text for n in front)
    assert best_trial(study).values[0] == max(score for score, _ in points.values())


def test_the_best_keeps_the_constraints(plan_of):
    words = "model.C=1e-5,1e-3,0.1,10"
    plan, evaluator = plan_of(words)
    free = run_trials(plan, evaluator)
    best = best_trial(free)
    losses = {
        t.number: load_record(plan.folder / str(t.number)).metrics["cv_log_loss_mean"]
        for t in free.trials
    }
    limit = losses[best.number] - 1e-6  # the best of all breaks it
    plan, evaluator = plan_of(words, constraints={"log_loss": limit}, study_name="limited")
    study = run_trials(plan, evaluator)
    chosen = best_trial(study)
    kept = [t for t in study.trials if losses[t.number] <= limit]
    if kept:
        assert chosen.value == max(t.value for t in kept)
        assert keeps_constraints(chosen)
    else:
        assert "No trial keeps the constraints" in " ".join(outcome_lines(plan, study))
    for trial in study.trials:
        assert trial.constraints == pytest.approx({"log_loss": losses[trial.number] - limit})


def test_a_recovered_trial_knows_what_it_broke(plan_of):
    from optuna.trial import TrialState

    plan, evaluator = plan_of("model.C=0.1,1", constraints={"log_loss": 0.5})
    study = run_trials(plan, evaluator)
    finished = study.trials[0]
    again = study.ask()  # stands for a trial whose worker died before it told
    record = load_record(plan.folder / "0")
    record.folder = plan.folder / str(again.number)
    record.folder.mkdir()
    record.save()
    assert recover(study, plan) == 0
    told = study.trials[again.number]
    assert told.state == TrialState.COMPLETE
    assert (told.values, told.constraints) == (finished.values, finished.constraints)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "cmaes", "constraints": {"log_loss": 1}}, "neither several objectives"),
        ({"pruner": "median", "objectives": ["log_loss"]}, "no pruner can judge"),
        ({"keep_models": 0}, "keep_models=0: must be 1 or more"),
        ({"sampler_options": {"history": 10}}, "history=10: must be a whole number from 250 on"),
        ({"sampler": "random", "sampler_options": {"history": 500}}, "is for the tpe sampler"),
        ({"custom_search_space": "no.such"}, "custom_search_space=no.such: cannot be imported"),
    ],
)
def test_options_that_cannot_hold_are_refused(plan_of, options, message):
    with pytest.raises(ConfigError, match=message):
        plan_of("model.C=0.1,1", **options)


def draw_more(config, trial):
    if config.model.C < 1:
        trial.suggest_float("model.tol", 1e-4, 1e-2, log=True)


def test_a_function_of_the_user_can_draw_more(plan_of):
    plan, evaluator = plan_of(
        "model.C=0.1,1", "model.tol=0.001", n_trials=6, sampler="random",
        custom_search_space=f"{__name__}.draw_more",
    )  # fmt: skip
    study = run_trials(plan, evaluator)
    for trial in study.trials:
        record = load_record(plan.folder / str(trial.number))
        drawn = "model.tol" in trial.params
        assert drawn == (float(record.params["model.C"]) < 1)
        expected = trial.params["model.tol"] if drawn else 0.001
        assert float(record.params["model.tol"]) == expected
