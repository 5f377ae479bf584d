from dataclasses import replace

import pytest
from optuna.trial import TrialState

from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep.rebuild import open_whole_study
from student_perf.sweep.study import counts, fill_queue, next_trial, recover, trial_values
from student_perf.sweep.worker import Slot, Worker
from tests.sweep.conftest import opened, outcome_of, run_trials
from tests.tiers import few_fast

C = "model.C=tag(log,interval(0.01,10))"
TOL = "model.class_weight=null,balanced"


def spoiled(journal, how):
    """Damage a journal as a disk or a person would."""
    content = journal.read_bytes()
    half = content.index(b"\n", len(content) // 2) + 1
    if how == "lost":
        journal.unlink()
        return
    journal.write_bytes(
        {
            "empty": b"",
            "no JSON inside": content[:half] + b"{oops\n" + content[half:],
            "no JSON at the end": content + b"{oops\n",
            "older": content[:half],
        }[how]
    )


def facts(study):
    """All that a study says of its trials."""
    return [
        (t.number, t.state, t.values, t.params, t.distributions, t.user_attrs, t.system_attrs,
         t.intermediate_values)
        for t in study.trials
    ]  # fmt: skip


def settled(plan):
    """The study as a command that goes on finds it, with what was said."""
    said = []
    study = open_whole_study(plan, said.append)
    recover(study, plan)
    fill_queue(study, plan)
    return study, said


DAMAGES = ["lost", "empty", "no JSON inside", "no JSON at the end", "older"]


@pytest.mark.parametrize("how", few_fast(DAMAGES, 2))
def test_a_study_is_rebuilt_from_the_records_of_its_trials(plan_of, how):
    plan, evaluator = plan_of(C, TOL, n_trials=3, pruner="median", enqueue=[{"model.C": 0.02}],
                              constraints={"log_loss": 1.3})  # fmt: skip
    study = run_trials(plan, evaluator)
    outcome_of(plan, evaluator)
    before, times = facts(study), [t.datetime_complete for t in study.trials]
    kept = {path: path.read_bytes() for path in plan.folder.glob("[0-9]/*")}
    spoiled(plan.folder / "study.journal", how)
    again, said = settled(plan)
    assert facts(again) == before
    for now, then in zip(again.trials, times, strict=True):
        assert abs((now.datetime_complete - then).total_seconds()) < 60
    assert {path: path.read_bytes() for path in plan.folder.glob("[0-9]/*")} == kept
    (line,) = said
    assert line.endswith("rebuilt from the records of 3 trials.")
    damaged = list(plan.folder.glob("study.journal.damaged-*"))
    assert len(damaged) == (how != "lost")
    assert settled(plan)[1] == []


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc", "nsgaii"])
def test_a_rebuilt_study_goes_on_as_the_lost_one_would_have(plan_of, sampler):
    options = {"sampler": sampler, "sampler_options": {"n_startup_trials": 3}}
    options = options if sampler == "tpe" else {"sampler": sampler}
    found = []
    for name in ("whole", "rebuilt"):
        plan, evaluator = plan_of(C, TOL, n_trials=5, study_name=name, **options)
        run_trials(plan, evaluator)
        if name == "rebuilt":
            spoiled(plan.folder / "study.journal", "lost")
        more = replace(plan, n_trials=9)
        study, _ = settled(more)
        Worker(more, evaluator=evaluator).run()
        found.append([(t.number, t.values, t.params) for t in study.trials])
    assert found[0] == found[1]
    assert len(found[0]) == 9


def test_a_reference_a_failure_and_a_trial_in_flight_keep_their_states(plan_of, monkeypatch):
    plan, evaluator = plan_of("model=tree", "model.max_depth=range(2,4)", sampler="random",
                              n_trials=4, max_failure_rate=1.0)  # fmt: skip
    study = opened(plan)
    evaluate = evaluator.evaluate
    monkeypatch.setattr(evaluator, "evaluate", lambda config, on_fold=None: fail(config))

    def fail(config):
        if config.model["max_depth"] != 5:
            raise ValueError("no luck")
        return evaluate(config)

    slot = Slot()
    Worker(plan, evaluator=evaluator, slot=slot, should_stop=lambda: slot.n_ended == 2).run()
    flying = next_trial(study, plan)
    drawn = trial_values(flying, plan)
    record = load_record(plan.folder / "1")
    record.folder = plan.folder / "2"
    record.folder.mkdir()
    from student_perf.sweep.rebuild import trial_facts

    record.optuna, record.status = trial_facts(study, flying._trial_id), "RUNNING"
    record.save()
    spoiled(plan.folder / "study.journal", "lost")
    again, _ = settled(plan)
    assert [t.state for t in again.trials] == [TrialState.FAIL, TrialState.FAIL, TrialState.WAITING]
    assert counts(again)["complete"] == 1  # the reference
    trial = next_trial(again, plan)
    assert (trial.number, trial_values(trial, plan)) == (2, drawn)


@pytest.mark.slow
def test_a_number_whose_folder_is_lost_too_is_queued_again(plan_of):
    import shutil

    plan, evaluator = plan_of("model.C=1,2,3,4", sampler="grid")
    run_trials(plan, evaluator)
    shutil.rmtree(plan.folder / "1")
    spoiled(plan.folder / "study.journal", "lost")
    study, _ = settled(plan)
    assert [t.state.name for t in study.trials] == ["COMPLETE", "WAITING", "COMPLETE", "COMPLETE"]
    Worker(plan, evaluator=evaluator).run()
    assert [t.params["model.C"] for t in study.trials] == [1, 2, 3, 4]


@pytest.mark.slow
def test_another_plan_is_refused_though_the_journal_is_lost(plan_of):
    plan, evaluator = plan_of(C, n_trials=2)
    run_trials(plan, evaluator)
    outcome_of(plan, evaluator)
    spoiled(plan.folder / "study.journal", "lost")
    other = replace(plan, fingerprints=plan.fingerprints | {"data": "other"})
    with pytest.raises(ConfigError, match=r"cannot be continued.*data was \w+, is other"):
        settled(other)
    never = replace(plan, options=replace(plan.options, resume="never"))
    with pytest.raises(ConfigError, match="exists already"):
        settled(never)
    assert len(settled(plan)[0].trials) == 2


@pytest.mark.slow
def test_a_database_that_lost_the_study_is_filled_only_if_that_is_asked_for(plan_of, tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    plan, evaluator = plan_of(C, n_trials=2, storage=storage)
    before = facts(run_trials(plan, evaluator))
    (tmp_path / "study.db").unlink()
    with pytest.raises(ConfigError, match=r"lacks trials of .*hydra\.sweeper\.resume=records"):
        settled(plan)
    asked = replace(plan, options=replace(plan.options, resume="records"))
    study, said = settled(asked)
    assert facts(study) == before
    assert len(said) == 1


def test_records_that_cannot_replace_the_study_are_named(plan_of):
    plan, evaluator = plan_of(C, n_trials=2)
    run_trials(plan, evaluator)
    spoiled(plan.folder / "study.journal", "lost")
    record = load_record(plan.folder / "1")
    record.optuna = {}
    record.save()
    with pytest.raises(ConfigError, match=r"1: an earlier version wrote this record"):
        settled(plan)
    (plan.folder / "1" / "record.json").write_text("{")
    with pytest.raises(ConfigError, match=r"record\.json is not a record"):
        settled(plan)
