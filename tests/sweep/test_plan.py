import pickle

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from student_perf.errors import ConfigError
from student_perf.sweep.plan import default_values, iter_rows
from student_perf.sweep.study import queue_of
from tests.tiers import few_fast

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
        (
            ["seed=3"],
            {"sampler": "grid", "params": {"seed": "1,2"}},
            "seed=3: the command line wins over hydra.sweeper.params.seed, .* leave out seed=3",
        ),
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


@pytest.mark.slow
def test_the_base_has_the_sweeps_own_choices(plan_of):
    plan, _ = plan_of("dataset=econmath_score", "model=ridge,rf")
    assert (plan.n_trials, plan.base.model["name"], plan.chosen) == (2, "ridge", {"model": "ridge"})
    assert plan.objectives.describe() == "root_mean_squared_error (minimize)"
    assert plan.study_name.startswith("econmath_score-ridge-")
    both, _ = plan_of("dataset=econmath,econmath_score", "model=ridge", "objective=default")
    assert both.base.dataset.name == "econmath"
    plan, _ = plan_of("dataset=econmath_score", "model=ridge,tree", "preprocess=ordinal,default")
    assert plan.chosen == {"model": "ridge", "preprocess": "default"}


def test_a_choice_that_does_not_compose_is_no_base_but_named(plan_of):
    with pytest.raises(ConfigError, match="model=xbg: no such option"):
        plan_of("dataset=econmath_score", "model=xbg,rf")


def test_a_key_that_all_the_swept_models_have_is_swept_in_each(plan_of):
    plan, _ = plan_of("model=tree,rf", "model.max_depth=3,5")
    assert [tuple(point.values()) for point in plan.space.grid()] == [
        ("tree", 3), ("tree", 5), ("rf", 3), ("rf", 5),
    ]  # fmt: skip


def test_the_model_without_a_swept_key_is_named_with_what_to_type(plan_of):
    with pytest.raises(ConfigError, match="model=svm has no such key") as caught:
        plan_of("model=svm,rf", "model.n_estimators=50,100")
    typed = str(caught.value).partition("'hydra.sweeper.conditional=")[2].rstrip("'")
    entry = OverridesParser.create().parse_override(f"x={typed}").value()
    plan, _ = plan_of("model=svm,rf", conditional=entry, sampler="grid")
    assert plan.n_trials == 1 + 2


@pytest.mark.parametrize(
    "values", few_fast(["3,5", "range(2,9,3)", "tag(log,int(interval(1,64)))"], 2)
)
def test_what_to_type_is_the_same_space(plan_of, values):
    with pytest.raises(ConfigError, match="model=svm has no such key") as caught:
        plan_of("model=svm,rf", f"model.min_samples_leaf={values}")
    typed = str(caught.value).partition("'hydra.sweeper.conditional=")[2].rstrip("'")
    entry = OverridesParser.create().parse_override(f"x={typed}").value()
    there = plan_of("model=svm,rf", conditional=entry)[0].space.parameters[-1]
    alone = plan_of("model=rf", f"model.min_samples_leaf={values}")[0].space.parameters[-1]
    assert there.distribution == alone.distribution


@pytest.mark.slow
def test_several_search_files_are_one_conditional_space(plan_of):
    plan, _ = plan_of("search=tree,knn")
    assert (plan.sampler, plan.n_trials) == ("tpe", 50)
    conditions = {p.key: p.when for p in plan.space.parameters}
    assert conditions["search"] == ()
    assert conditions["model.max_depth"] == (("search", ("tree",)),)
    assert conditions["model.n_neighbors"] == (("search", ("knn",)),)
    assert plan.base.model["name"] == "tree"
    assert plan.composer.compose({"search": "knn"}).model["name"] == "knn"
    assert default_values(plan)["model.max_depth"] == plan.base.model["max_depth"]
    with pytest.raises(ConfigError, match="model=rf: each file of search=tree,knn chooses"):
        plan_of("search=tree,knn", "model=rf")


def test_a_swept_key_without_a_default_has_its_first_value_in_the_base(plan_of, grades):
    twin = grades.with_name("grades (1).csv")
    twin.write_bytes(grades.read_bytes())
    words = ["dataset=csv", "dataset.target=grade", f"dataset.path={grades},'{twin}'"]
    plan, _ = plan_of(*words)
    assert plan.base.dataset.path == str(grades)
    assert plan.n_trials == 2


def test_what_the_command_line_takes_out_of_the_file_is_named(plan_of):
    with pytest.raises(ConfigError, match=r"model=rf: the command line wins .*leave out model=rf"):
        plan_of("model=rf", params={"model": "choice(rf,xgb)"})


def test_a_sorted_range_keeps_its_values_and_order(plan_of):
    plan, _ = plan_of("model=xgb", "model.max_depth=sort(range(2,9,4),reverse=true)")
    assert [point["model.max_depth"] for point in plan.space.grid()] == [6, 2]


def test_a_study_never_goes_where_mlflow_keeps_its_tables(plan_of, workspace):
    file = workspace / "mlflow.db"
    for storage in (f"sqlite:///{file}", f"sqlite:///{workspace}/../workspace/mlflow.db"):
        with pytest.raises(ConfigError, match="holds the runs of MLflow"):
            plan_of(C, f"tracking.uri=sqlite:///{file}", storage=storage)
    assert not file.exists()


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("search", few_fast(["tree", "extra_trees", "xgb"], 1))
def test_a_search_is_for_its_own_model(train, search):
    done = train("-m", f"search={search}", "model=rf", "hydra.sweeper.preview=true")
    assert done.code == 1
    assert "model" in done.err
    assert len(done.err.splitlines()) == 1


def test_the_model_of_the_search_is_named(train):
    done = train("-m", "search=tree", "model=rf", "hydra.sweeper.preview=true")
    assert "search=tree: is the space of model=tree, not of model=rf" in done.err


@pytest.mark.parametrize(
    "model", [pytest.param("model=rf", marks=pytest.mark.slow), "model=rf,xgb"]
)
@pytest.mark.slow
def test_a_named_model_narrows_the_choice_of_the_zoo(train, model):
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


def test_the_default_of_a_key_with_a_sign_is_that_of_its_path(plan_of):
    plan, _ = plan_of("++model.C=tag(log,interval(0.0001,100))", sampler="random", n_trials=3)
    assert default_values(plan) == {"++model.C": 1.0}
    assert [row[2] for row in iter_rows(plan)] == ["1.0"]
    (params, attributes), *_ = queue_of(plan)
    assert (params, attributes["configuration"]) == ({"++model.C": 1.0}, "defaults")


@pytest.mark.slow
def test_files_that_models_answer_from_are_conditions_of_a_study(plan_of, tmp_path, monkeypatch):
    monkeypatch.setattr("student_perf.models.components.find_spec", lambda name: name)
    file = tmp_path / "a.ckpt"
    file.write_text("a")
    for words in (
        ["model=tabicl", f"model.checkpoint={file}"],
        ["model=voting", "+model@model.members.net=tabicl", f"model.members.net.checkpoint={file}"],
    ):
        plan, evaluator = plan_of(*words, "seed=1,2")
        assert plan.fingerprints["files"] == {str(file): "SHA-256 ca978112ca1bbdca"}  # of "a"
        assert [len(sha256) for sha256 in evaluator.model_files.values()] == [64]
    assert "files" not in plan_of(C)[0].fingerprints
