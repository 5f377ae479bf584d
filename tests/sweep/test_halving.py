"""Successive halving: samples decide which trials run on all rows, and nothing else."""

import json
import sqlite3
from contextlib import closing, suppress

import numpy as np
import pytest
from optuna.samplers._tpe.sampler import _split_trials
from optuna.trial import TrialState

from student_perf.compare.halved import RUNGS
from student_perf.compare.outcome import sentences
from student_perf.compare.tuning import tuning_of
from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep import rungs
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.rebuild import open_whole_study
from student_perf.sweep.study import counts, open_study, recover
from student_perf.sweep.worker import StopSweep, Worker
from tests.sweep.conftest import opened, outcome_of, run_trials

C = "model.C=tag(log,interval(0.0001,10))"
GRID = "model.C=0.001,0.003,0.01,0.03,0.1,0.3,1,3,10"  # the default is 1
HALVING = {"pruner": "halving"}


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    """Samples of the smallest dataset are taken for large ones."""
    monkeypatch.setattr(rungs, "_FEWEST_ROWS", 10)
    monkeypatch.setattr(rungs, "_FEWEST_OF_A_CLASS", 1)


def scored(monkeypatch, evaluator, score):
    """Let a function of (C, number of rows) stand for what a sample gives."""
    fits = []

    def score_on(config, rung):
        c, n_rows = config.model["C"], len(rung.split.folds[0].train)
        fits.append((c, n_rows))
        return score(c, n_rows)

    monkeypatch.setattr(evaluator, "score_on", score_on)
    return fits


def grid_of(plan_of, monkeypatch, score, **options):
    plan, evaluator = plan_of(GRID, **HALVING, **options)
    return plan, evaluator, scored(monkeypatch, evaluator, score)


def states(study):
    return {t.params["model.C"]: t.state.name for t in study.trials}


def test_the_best_third_so_far_goes_on_and_the_defaults_always_do(plan_of, monkeypatch):
    plan, evaluator, fits = grid_of(plan_of, monkeypatch, lambda c, n: -c)
    study = run_trials(plan, evaluator)
    small, large, _ = plan.rungs
    # Best first: the first three go on, and of four two. C=1 are the defaults.
    whole = [0.001, 0.003, 0.01, 1]
    assert [c for c, state in states(study).items() if state == "COMPLETE"] == whole
    assert [c for c, n in fits if n == large] == whole
    assert [c for c, n in fits if n == small] == [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10]


@pytest.mark.slow
def test_one_that_is_better_than_all_before_always_goes_on(plan_of, monkeypatch):
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: c)
    assert set(states(run_trials(plan, evaluator)).values()) == {"COMPLETE"}


@pytest.mark.slow
def test_equal_ones_go_on(plan_of, monkeypatch):
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: 0.5)
    assert set(states(run_trials(plan, evaluator)).values()) == {"COMPLETE"}


@pytest.mark.slow
def test_a_loss_is_better_if_it_is_lower(plan_of, monkeypatch):
    plan, evaluator = plan_of(GRID, "objective=log_loss", **HALVING)
    scored(monkeypatch, evaluator, lambda c, n: c)
    found = states(run_trials(plan, evaluator))
    assert [c for c, state in found.items() if state == "COMPLETE"] == [0.001, 0.003, 0.01, 1]


def test_what_a_sample_gave_is_nobodys_score(plan_of, monkeypatch):
    # On samples all are better than any accuracy, and best on the smallest.
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: 100 - c + 1000 * (n < 100))
    study = run_trials(plan, evaluator)
    outcome = outcome_of(plan, evaluator)
    stopped = [t for t in study.trials if t.state == TrialState.PRUNED]
    assert len(stopped) == 5
    for trial in stopped:
        assert trial.values is None
        assert trial.intermediate_values == {}
        record = load_record(plan.folder / str(trial.number))
        assert (record.status, record.metrics, record.shown_metrics) == ("PRUNED", {}, {})
        assert np.isnan(record.mean("accuracy"))
        assert "it has no score" in record.why_ended
        assert "predictions.parquet" not in record.files
        assert set(record.optuna["user_attrs"][RUNGS]["scores"]) & {1100 - trial.params["model.C"]}
    of_all = {n for n in range(9) if study.trials[n].state == TrialState.COMPLETE}
    assert {line.record.trial_number for line in outcome.lines} == of_all
    assert {record.trial_number for record in outcome.ranked} == of_all
    assert study.best_trial.number == outcome.ranked[0].trial_number in of_all
    assert study.best_value <= 1
    assert tuning_of(plan.study_name, outcome.trials, "accuracy").n_trials == len(of_all)
    assert outcome.n_tried == 9  # for whoever corrects the luck of choosing


def test_tpe_takes_none_that_was_stopped_for_a_good_one(plan_of, monkeypatch):
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: -c)
    study = run_trials(plan, evaluator)
    good, others = _split_trials(study, study.trials, 2)
    assert {t.state for t in good} == {TrialState.COMPLETE}
    assert sum(t.state == TrialState.PRUNED for t in others) == 5


def test_what_ran_to_the_end_has_the_figures_of_a_run_by_itself(plan_of):
    plan, evaluator = plan_of(GRID, **HALVING)
    study = run_trials(plan, evaluator)
    assert 0 < counts(study)["pruned"] < 9
    complete = [t for t in study.trials if t.state == TrialState.COMPLETE]
    for trial in complete[:2]:
        config = plan.configs({"model.C": trial.params["model.C"]}, trial.number)[0]
        alone = TrialEvaluator(caching=False).evaluate(config)
        assert trial.value == alone.fold_scores["accuracy"].mean()
        record = load_record(plan.folder / str(trial.number))
        assert record.metrics["fold_accuracy"] == alone.fold_scores["accuracy"].tolist()
        np.testing.assert_array_equal(record.predictions().output, alone.output)


def test_the_first_of_a_search_runs_the_defaults_to_the_end(plan_of, monkeypatch):
    plan, evaluator = plan_of(C, n_trials=8, enqueue=[{"model.C": 0.5}], **HALVING)
    scored(monkeypatch, evaluator, lambda c, n: 0.1 if c == 1 else 0.9 + c / 100)
    run_trials(plan, evaluator)
    outcome = outcome_of(plan, evaluator)
    assert outcome.defaults is not None
    assert outcome.defaults.record.status == "FINISHED"
    assert outcome.gain is not None or outcome.best is outcome.defaults
    text = " ".join(sentences(outcome))
    n = len(outcome.finished)
    assert f"Halving: {n} of 8 trials ran on all rows; {8 - n} were stopped on samples of" in text


def test_a_reference_climbs_no_rung_and_stops_nobody(plan_of, monkeypatch):
    plan, evaluator = plan_of("model.C=0.01,0.1", n_trials=3, sampler="random", **HALVING)
    fits = scored(monkeypatch, evaluator, lambda c, n: c)
    study = run_trials(plan, evaluator)
    assert study.trials[0].user_attrs["outside"] == {"model.C": 1.0}
    assert load_record(plan.folder / "0").status == "FINISHED"
    assert {c for c, _ in fits} == {0.01, 0.1}


def test_a_trial_that_fails_stops_no_other(plan_of, monkeypatch):
    plan, evaluator, _ = grid_of(
        plan_of, monkeypatch, lambda c, n: 99 if c < 0.1 else 1 - c / 100, max_failure_rate=1.0
    )
    whole = evaluator.evaluate

    def evaluate(config, on_fold):
        if config.model["C"] < 0.1:
            raise ValueError(f"C={config.model['C']} diverges")
        return whole(config, on_fold=on_fold)

    monkeypatch.setattr(evaluator, "evaluate", evaluate)
    found = states(run_trials(plan, evaluator))
    assert [c for c, state in found.items() if state == "FAIL"] == [0.001, 0.003, 0.01, 0.03]
    assert [c for c, state in found.items() if state == "PRUNED"] == [3, 10]  # by 0.1, 0.3 and 1


@pytest.mark.slow
def test_what_fails_on_a_sample_is_not_judged_there(plan_of, monkeypatch):
    def score(c, n):
        if c in (0.03, 0.1):
            raise ValueError("more neighbours than rows") if c < 0.1 else SystemError
        return float("nan") if c == 0.3 else -c

    plan, evaluator, _ = grid_of(plan_of, monkeypatch, score)
    found = states(run_trials(plan, evaluator))
    assert [c for c, s in found.items() if s == "PRUNED"] == [3, 10]
    assert load_record(plan.folder / "3").optuna["user_attrs"][RUNGS]["scores"] == [None, None]
    text = " ".join(sentences(outcome_of(plan, evaluator)))
    assert "3 trials could not be judged on a sample and went on" in text


def test_whoever_still_runs_is_no_rival(plan_of, monkeypatch):
    score = {0.003: 0.9, 0.01: 0.5, 0.03: 0.4, 0.1: 0.8}
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: score[c])
    study = opened(plan)
    first = study.ask()
    Worker(plan, evaluator=evaluator, most=3).run()
    first.set_user_attr(RUNGS, {**study.trials[1].user_attrs[RUNGS], "scores": [99.0, 99.0]})
    Worker(plan, evaluator=evaluator, most=1).run()
    assert study.trials[4].state == TrialState.COMPLETE  # the second of four, not third of five


@pytest.mark.slow
def test_samples_of_other_rows_are_not_compared(plan_of, monkeypatch):
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: -c)
    study = opened(plan)
    Worker(plan, evaluator=evaluator, most=3).run()
    forced, others = plan_of(
        GRID,
        "seed=7",
        "split.random_state=0",
        study_name=plan.study_name,
        resume="force",
        **HALVING,
    )
    scored(monkeypatch, others, lambda c, n: -c)
    Worker(forced, evaluator=others, most=1).run()
    one, two = (t.user_attrs[RUNGS]["of"] for t in study.trials[2:4])
    assert one != two
    assert study.trials[3].state == TrialState.COMPLETE  # the first on its rows


@pytest.mark.slow
@pytest.mark.parametrize("n_fits", [1, 2, 6])
def test_after_a_kill_the_same_trials_are_stopped(plan_of, monkeypatch, n_fits):
    def score(c, n):
        return float(np.sin(1000 * c))

    plan, evaluator, _ = grid_of(plan_of, monkeypatch, score)
    whole = states(run_trials(plan, evaluator))
    plan, evaluator, fits = grid_of(plan_of, monkeypatch, score, study_name="killed")
    with suppress(StopSweep):  # between trials a worker leaves without
        run_trials(plan, evaluator, should_stop=lambda: len(fits) == n_fits)
    study = open_study(plan)
    assert counts(study)["waiting"]
    study.ask()  # as a worker that is killed in it
    assert recover(study, plan) == 1
    Worker(plan, evaluator=evaluator).run()
    assert states(study) == whole


def test_a_lost_journal_is_rebuilt_with_what_the_rungs_gave(plan_of, monkeypatch):
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: -c)
    study = run_trials(plan, evaluator, most=5)
    outcome_of(plan, evaluator)
    known = [(t.state, t.values, t.user_attrs[RUNGS]) for t in study.trials[:5]]
    (plan.folder / "study.journal").unlink()
    rebuilt = open_whole_study(plan, print)
    now = [(t.state, t.values, t.user_attrs[RUNGS]) for t in rebuilt.trials[:5]]
    assert now == known


def test_with_repeats_the_first_seed_decides(plan_of, monkeypatch):
    plan, evaluator = plan_of(GRID, repeats=2, **HALVING)
    fits = scored(monkeypatch, evaluator, lambda c, n: -c)
    study = run_trials(plan, evaluator, most=4)
    assert len(fits) == 7
    shares = [t.user_attrs[RUNGS]["share"] for t in study.trials[2:4]]
    small, large, whole = plan.rungs
    expected = [(small + large) / (6 * whole), small / (6 * whole)]
    assert shares == pytest.approx(expected, rel=0.01)


def test_one_rung(plan_of, monkeypatch):
    plan, evaluator, fits = grid_of(
        plan_of, monkeypatch, lambda c, n: -c, pruner_options={"rungs": 1}
    )
    run_trials(plan, evaluator, most=2)
    assert len(plan.rungs) == 2
    assert {n for _, n in fits} == {plan.rungs[0]}
    assert plan.rungs[0] == pytest.approx(plan.rungs[1] / 3, abs=2)


@pytest.mark.parametrize("options", [{"rungs": 3}, {"rungs": True}, {"reduction_factor": 2}])
def test_other_options_are_refused(plan_of, options):
    with pytest.raises(ConfigError, match="halving has one option, rungs, 1 or 2; leave it out"):
        plan_of(GRID, pruner_options=options, **HALVING)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"constraints": {"log_loss": 1.2}}, "keeps the constraints is not known .* leave the pru"),
        ({"objectives": ["log_loss"]}, "no pruner can judge several objectives"),
    ],
)
def test_limits_and_several_aims_are_refused(plan_of, options, message):
    with pytest.raises(ConfigError, match=message):
        plan_of(GRID, **options, **HALVING)


def test_a_stop_in_a_rung_puts_the_trial_back(plan_of, monkeypatch):
    stops = []
    plan, evaluator, _ = grid_of(plan_of, monkeypatch, lambda c, n: stops.append(1) or -c)
    with pytest.raises(StopSweep):
        run_trials(plan, evaluator, should_stop=lambda: len(stops) == 1)
    study = open_study(plan)
    assert counts(study)["waiting"] == 9
    assert json.loads((plan.folder / "0" / "record.json").read_text())["status"] == "RUNNING"


def test_a_worker_that_starts_elsewhere_draws_the_same_samples(plan_of):
    plan, evaluator = plan_of(C, n_trials=1, **HALVING)
    n = len(plan.rungs) - 1
    for one, other in zip(
        evaluator.rungs(plan.base, n), TrialEvaluator().rungs(plan.base, n), strict=True
    ):
        assert one.split.sha256 == other.split.sha256
    study = opened(plan)
    Worker(plan, evaluator=TrialEvaluator()).run()
    assert counts(study)["complete"] == 1


@pytest.mark.slow
def test_in_mlflow_a_stopped_trial_has_no_metric_and_says_why(train, workspace):
    outcome = train("-m", "split.n_splits=2", "report.importance=false", GRID,
                    "hydra.sweeper.pruner=halving")  # fmt: skip
    assert outcome.code == 0, outcome.err
    with closing(sqlite3.connect(workspace / "mlflow.db")) as store:
        stopped = store.execute(
            "SELECT run_uuid, value FROM runs JOIN tags USING (run_uuid) "
            "WHERE status = 'KILLED' AND key = 'student_perf.ended'"
        ).fetchall()
        measured = {run for (run,) in store.execute("SELECT DISTINCT run_uuid FROM metrics")}
    assert stopped
    assert all("it has no score" in why for _, why in stopped)
    assert not measured & {run for run, _ in stopped}
    assert "Halving: " in " ".join(outcome.out.split())
