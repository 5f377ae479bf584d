import pickle

import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.plan import default_values, iter_rows

C = "model.C=tag(log,interval(0.01,10))"


def test_plain_choices_give_the_grid(plan_of):
    plan, _ = plan_of("model=dummy,logreg", "seed=range(0,3)")
    assert (plan.sampler, plan.n_trials) == ("grid", 6)


@pytest.mark.parametrize(
    ("overrides", "options", "expected"),
    [
        ([C], {}, ("tpe", 50)),
        ([C], {"n_trials": 7, "sampler": "random"}, ("random", 7)),
        (["model.C=1,2,3"], {"n_trials": 2}, ("tpe", 2)),
        ([], {"params": {"model.C": "1,2,3"}}, ("tpe", 3)),
        ([], {"params": {"model.C": "1,2,3"}, "sampler": "grid"}, ("grid", 3)),
        ([], {}, ("grid", 1)),
    ],
)
def test_sampler_and_number_of_trials(plan_of, overrides, options, expected):
    plan, _ = plan_of(*overrides, **options)
    assert (plan.sampler, plan.n_trials) == expected


@pytest.mark.parametrize(
    ("overrides", "options", "message"),
    [
        (["model=rf", "model.max_dpeth=1,2"], {}, "did you mean max_depth"),
        (["model=xgb", "model.max_depth=interval(2,6)"], {}, "takes a whole number"),
        (["model=logreg,xbg"], {}, "xbg"),
        (["model=rf", "model.min_samples_leaf=range(0,4)"], {}, "model.min_samples_leaf=0"),
        (["tags.role=a,b"], {}, "changes nothing"),
        (["dataset=econmath,nowhere"], {}, "nowhere"),
        (["split.n_splits=1,2"], {}, "split.n_splits=1"),
        ([C], {"direction": "minimize"}, "follows from the objective"),
        ([C], {"sampler": "tep"}, "did you mean tpe"),
        ([C], {"pruner": "medain"}, "did you mean median"),
        ([C], {"resume": "maybe"}, "resume=maybe"),
        ([C], {"n_trials": 0}, "must be 1 or more"),
        ([C], {"n_jobs": 0}, "must be 1 or more"),
        ([C], {"patience": 0}, "must be 1 or more"),
        ([], {"zip": [{"seed": [1, 2]}], "sampler": "tpe"}, "sampler=tpe: cannot draw values"),
        ([], {"zip": [{"seed": [1, 2], "model.C": [1]}]}, "seed has 2, model.C has 1 values"),
        (["model=rf"], {"zip": [{"model.max_dpeth": [1]}]}, "did you mean max_depth"),
        ([C], {"max_failure_rate": 2.0}, "must be a share of the trials"),
        ([C], {"sampler": "grid"}, "a grid cannot hold"),
        ([], {"sampler": "tpe"}, "nothing to search"),
        ([], {"conditional": [{"when": {"seed": 0}, "search": "nothing"}]}, "no conf/search"),
    ],
)
def test_what_cannot_work_stops_before_the_first_trial(
    plan_of, workspace, overrides, options, message
):
    with pytest.raises(ConfigError, match=message) as caught:
        plan_of(*overrides, **options)
    assert "\n" not in str(caught.value)
    assert not (workspace / "multirun").exists()


def test_the_same_command_gives_the_same_study_and_another_another(plan_of):
    names = [
        plan_of(C)[0].study_name,
        plan_of(C, n_trials=9, n_jobs=2)[0].study_name,
        plan_of(C, "+tags.team=b", "tracking.experiment=second")[0].study_name,
        plan_of(C, "tracking=off", "report.importance=false")[0].study_name,
        plan_of(C, "seed=1")[0].study_name,
        plan_of("model.C=tag(log,interval(0.01,20))")[0].study_name,
    ]
    assert len(set(names[:4])) == 1
    assert len(set(names)) == 3
    assert names[0].startswith("econmath-logreg-")


def test_fingerprints_follow_what_decides(plan_of):
    base = plan_of(C)[0].fingerprints
    changes = {
        "seed=1": {"split", "config"},
        "model.max_iter=50": {"config"},
        "objective=log_loss": {"objective", "config"},
        "dataset.drop=[age]": {"data", "config"},
        "tags.role=other": set(),
    }
    for override, expected in changes.items():
        got = plan_of(C, override)[0].fingerprints
        assert {key for key in base if base[key] != got[key]} == expected, override


def test_defaults_are_those_of_the_base_config(plan_of):
    plan, _ = plan_of("model=xgb", "model.max_depth=range(2,9)", "model.subsample=0.5,1.0")
    assert default_values(plan) == {"model.max_depth": 3, "model.subsample": 0.8}
    rows = {row[0]: row[1:] for row in iter_rows(plan)}
    assert rows["model.max_depth"] == ("2 to 8", "3")
    assert default_values(plan_of("model=dummy,logreg")[0]) == {"model": "logreg"}


@pytest.mark.parametrize("search", ["tree", "extra_trees", "xgb"])
def test_a_search_is_for_its_own_model(train, search):
    done = train("-m", f"search={search}", "model=rf", "hydra.sweeper.preview=true")
    assert done.code == 1
    assert "model" in done.err
    assert len(done.err.splitlines()) == 1


def test_the_model_of_the_search_is_named(train):
    done = train("-m", "search=tree", "model=rf", "hydra.sweeper.preview=true")
    assert "search=tree: is the space of model=tree, not of model=rf" in done.err
    for model in ("model=rf", "model=rf,xgb"):  # the zoo's own choice is narrowed
        done = train("-m", "search=zoo", model, "hydra.sweeper.preview=true")
        assert (done.code, done.err) == (0, "")
        assert "model=ridge" not in done.out


def test_an_option_that_sweeps_do_not_have_gets_the_nearest(train):
    done = train("-m", "search=xgb", "hydra.sweeper.samplr=tpe")
    assert "hydra.sweeper.samplr=tpe: sweeps have no such option; did you mean sampler?" in done.err


def test_a_plan_travels_to_other_machines(plan_of):
    plan, _ = plan_of(C)
    there = pickle.loads(pickle.dumps(plan))
    assert there == plan
    values = {"model.C": 0.25}
    assert there.composer.compose(values) == plan.composer.compose(values)
