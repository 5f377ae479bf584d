import pytest

from student_perf.compare.outcome import sentences
from student_perf.runs.record import load_record
from student_perf.sweep.study import recover
from tests.sweep.conftest import outcome_of, run_trials


@pytest.mark.slow
def test_several_objectives_give_the_front_that_counting_finds(plan_of):
    plan, evaluator = plan_of(
        "model.C=1e-5,1e-3,0.1,10", "preprocess=default,ordinal", objectives=["log_loss"]
    )
    study = run_trials(plan, evaluator)
    points = {t.number: t.values for t in study.trials}
    front = {
        n
        for n, (score, loss) in points.items()
        if not any(a >= score and b <= loss and (a, b) != (score, loss) for a, b in points.values())
    }
    assert {t.number for t in study.best_trials} == front
    outcome = outcome_of(plan, evaluator)
    assert {trial.trial_number for trial in outcome.front} == front
    text = "\n".join(sentences(outcome))
    assert f"Pareto front: {len(front)} trials" in text
    assert all(f"trial {n}: accuracy {points[n][0]:.3f}, log loss" in text for n in front)
    best = outcome.ranked[0].trial_number
    assert points[best][0] == max(score for score, _ in points.values())


def test_the_best_keeps_the_constraints(plan_of):
    words = "model.C=1e-5,1e-3,0.1,10"
    plan, evaluator = plan_of(words)
    free = run_trials(plan, evaluator)
    losses = {
        t.number: load_record(plan.folder / str(t.number)).metrics["cv_log_loss_mean"]
        for t in free.trials
    }
    limit = losses[free.best_trial.number] - 1e-6  # the best of all breaks it
    plan, evaluator = plan_of(words, constraints={"log_loss": limit}, study_name="limited")
    study = run_trials(plan, evaluator)
    outcome = outcome_of(plan, evaluator)
    chosen = outcome.ranked[0]
    kept = [t for t in study.trials if losses[t.number] <= limit]
    if kept:
        assert chosen.mean("accuracy") == max(t.value for t in kept)
        assert losses[chosen.trial_number] <= limit
        assert study.best_trial.number == chosen.trial_number
    else:
        assert "no trial keeps them" in " ".join(sentences(outcome))
    for trial in study.trials:
        assert trial.constraints == pytest.approx({"log_loss": losses[trial.number] - limit})


def test_a_recovered_trial_knows_what_it_broke(plan_of):
    from optuna.trial import TrialState

    plan, evaluator = plan_of("model.C=0.1,1", constraints={"log_loss": 0.5})
    study = run_trials(plan, evaluator)
    finished = study.trials[0]
    again = study.ask()  # stands for a trial whose worker died before it told the study
    record = load_record(plan.folder / "0")
    record.folder = plan.folder / str(again.number)
    record.folder.mkdir()
    record.save()
    assert recover(study, plan) == 0
    message = study.trials[again.number]
    assert message.state == TrialState.COMPLETE
    assert (message.values, message.constraints) == (finished.values, finished.constraints)


def draw_more(config, trial):
    if config.model.C < 1:
        trial.suggest_float("model.tol", 1e-4, 1e-2, log=True)


@pytest.mark.slow
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
