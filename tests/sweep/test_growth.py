from dataclasses import replace

import pytest

from student_perf.errors import ConfigError
from student_perf.runs.record import load_record
from student_perf.sweep.account import take_account
from student_perf.sweep.growth import has_grown
from student_perf.sweep.plan import FILES, with_total
from student_perf.sweep.rebuild import open_whole_study
from student_perf.sweep.record import start_record
from student_perf.sweep.study import GROWN, fill_queue, n_outside, read_outcome
from student_perf.sweep.worker import Worker
from tests.sweep.conftest import run_trials
from tests.tiers import few_fast

TREE, TWO, THREE = "model=tree", "model.max_depth=2,3", "model.max_depth=2,3,4"


def begin(plan_of, *overrides, **options):
    """Run a sweep's trials and leave its record."""
    plan, evaluator = plan_of(*overrides, study_name="s", **options)
    study = run_trials(plan, evaluator)
    start_record(plan, evaluator.data(plan.base), "", study.user_attrs)
    return plan


def go_on(plan_of, *overrides, **options):
    """The plan, the study and what was said, after the missing trials have run."""
    plan, evaluator = plan_of(*overrides, study_name="s", **options)
    said = []
    study = open_whole_study(plan, said.append)
    fill_queue(study, plan)
    Worker(plan, evaluator=evaluator).run()
    start_record(plan, evaluator.data(plan.base), "", study.user_attrs)
    assert take_account(read_outcome(plan.folder, study), study).wrong == []
    return study, said


def values_of(study, key="model.max_depth"):
    return [t.params[key] for t in study.trials]


@pytest.mark.slow
def test_a_grid_that_grows_runs_what_is_new(plan_of):
    plan = begin(plan_of, TREE, TWO)
    kept = {path: path.read_bytes() for path in plan.folder.glob("[0-9]/*")}
    study, said = go_on(plan_of, TREE, THREE)
    assert values_of(study) == [2, 3, 4]
    assert said == [
        "The space has grown (model.max_depth was 2, 3, is 2, 3, 4); what is known is not run "
        "again."
    ]
    assert all(path.read_bytes() == content for path, content in kept.items())
    assert load_record(plan.folder).optuna[GROWN] == study.user_attrs[GROWN]
    assert go_on(plan_of, TREE, THREE)[1] == []
    assert values_of(go_on(plan_of, TREE, "model.max_depth=range(1,6)")[0]) == [2, 3, 4, 1, 5]


@pytest.mark.slow
def test_a_search_that_grows_learns_from_what_it_knows(plan_of):
    leaf = "model.min_samples_leaf=int(interval({},{}))"
    begin(plan_of, TREE, leaf.format(5, 9), n_trials=3)
    study, _ = go_on(plan_of, TREE, leaf.format(2, 20), n_trials=5)
    assert len(study.trials) == 5
    assert {t.distributions["model.min_samples_leaf"].high for t in study.trials if t.params} == {
        20
    }
    with pytest.raises(ConfigError, match=r"min_samples_leaf was 2 to 20 .*, is 5 to 9"):
        go_on(plan_of, TREE, leaf.format(5, 9), n_trials=5)


@pytest.mark.slow
def test_a_key_that_was_fixed_may_be_swept_beside_its_old_value(plan_of):
    begin(plan_of, TREE, TWO, "model.min_samples_leaf=5")
    study, _ = go_on(plan_of, TREE, TWO, "model.min_samples_leaf=5,10")
    assert [tuple(t.params.values()) for t in study.trials] == [(2, 5), (3, 5), (2, 10), (3, 10)]


@pytest.mark.slow
def test_a_fixed_number_of_another_type_is_the_value_that_the_model_takes_it_for(plan_of):
    begin(plan_of, TREE, TWO, "model.ccp_alpha=0")
    study, _ = go_on(plan_of, TREE, TWO, "model.ccp_alpha=0.0,0.1")
    assert values_of(study, "model.ccp_alpha") == [0, 0, 0.1, 0.1]
    assert values_of(study) == [2, 3, 2, 3]


@pytest.mark.slow
def test_a_fixed_number_that_the_model_tells_apart_is_another_value(plan_of):
    features = "model.classifier.max_features"
    forest = ["model=rf", "model.n_estimators=2", TWO]
    begin(plan_of, *forest, f"{features}=1.0")
    plan, _ = plan_of(*forest, f"{features}=1,2", study_name="s")
    with pytest.raises(ConfigError, match="max_features"):
        open_whole_study(plan, print)


@pytest.mark.slow
def test_the_same_number_written_otherwise_changes_nothing(plan_of):
    begin(plan_of, TREE, TWO, "model.ccp_alpha=0")
    assert values_of(go_on(plan_of, TREE, THREE, "model.ccp_alpha=0.0")[0]) == [2, 3, 4]


@pytest.mark.parametrize(
    ("changed", "message"),
    few_fast(
        [
            (["model.max_depth=3,4"], r"model.max_depth was 2, 3 .*, is 3, 4 "),
            (["model.min_samples_leaf=5,10"], "model.max_depth was 2, 3 .*, is not there"),
            ([TWO, "model.min_samples_leaf=20,30"], "model.min_samples_leaf was"),
            ([THREE, "split.n_splits=2"], "split.n_splits was 3, is 2"),
            ([THREE, "seed=1"], "seed was 0, is 1"),
        ],
        2,
    ),
)
def test_a_space_that_does_not_contain_the_old_one_is_refused(plan_of, changed, message):
    begin(plan_of, TREE, TWO)
    with pytest.raises(ConfigError, match=f"cannot be continued, .*{message}") as caught:
        go_on(plan_of, TREE, *changed)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_force_mixes_spaces_without_failing_a_trial(plan_of):
    begin(plan_of, TREE, TWO)
    plan, evaluator = plan_of(TREE, "model.max_depth=3,4", study_name="s", resume="force")
    said = []
    study = open_whole_study(plan, said.append)
    fill_queue(study, plan)
    plan = with_total(plan, n_outside(study))
    Worker(plan, evaluator=evaluator).run()
    start_record(plan, evaluator.data(plan.base), "", study.user_attrs)
    outcome = read_outcome(plan.folder, study)
    assert [t.status for t in outcome.trials] == ["FINISHED"] * 3
    assert [t.swept["model.max_depth"] for t in outcome.trials] == ["2", "3", "4"]
    assert "The space is another one" in said[0]
    assert take_account(outcome, study).wrong == []


@pytest.mark.slow
def test_a_growth_that_was_killed_is_made_up_for(plan_of, monkeypatch):
    plan = begin(plan_of, TREE, TWO)
    wider, _ = plan_of(TREE, THREE, study_name="s")
    monkeypatch.setattr("student_perf.sweep.rebuild._add_trials", None)
    with pytest.raises(TypeError):  # as a kill before the trials are there
        open_whole_study(wider, print)
    monkeypatch.undo()
    assert values_of(go_on(plan_of, TREE, THREE)[0]) == [2, 3, 4]
    assert len(list(plan.folder.glob("study.journal.replaced-*"))) == 1


@pytest.mark.slow
def test_a_study_in_a_database_grows_too(plan_of, workspace):
    storage = {"storage": f"sqlite:///{workspace}/studies.db"}
    begin(plan_of, TREE, TWO, **storage)
    study, said = go_on(plan_of, TREE, THREE, **storage)
    assert values_of(study) == [2, 3, 4]
    assert len(said) == 1
    assert len(study.user_attrs[GROWN]) == 1


@pytest.mark.parametrize(
    ("former", "files", "grows"),
    [
        ({}, {"a.ckpt": "1"}, True),  # of a model that is new
        pytest.param({"a.ckpt": "1"}, {"a.ckpt": "1", "b.ckpt": "2"}, True, marks=pytest.mark.slow),
        ({"a.ckpt": "1"}, {"a.ckpt": "2"}, False),
    ],
)
def test_a_space_grows_beside_the_files_that_its_models_had(plan_of, former, files, grows):
    begun, evaluator = plan_of(TREE, TWO, study_name="s")
    begun.folder.mkdir(parents=True)
    start_record(begun, evaluator.data(begun.base), "", {})
    plan, _ = plan_of(TREE, THREE, study_name="s")
    plan = replace(plan, fingerprints=plan.fingerprints | {FILES: files})
    assert has_grown(begun.fingerprints | {FILES: former}, plan) is grows
