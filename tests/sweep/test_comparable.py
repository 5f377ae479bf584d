import pytest

from student_perf.errors import ConfigError
from student_perf.sweep.comparable import Comparison
from tests.tiers import few_fast

BANDS = "dataset.bands={edges:[55],labels:[fail,pass]},{edges:[60,70,80],labels:[a,b,c,d]}"
ZIP = [{"seed": [0, 1], "model.C": [1.0, 0.9]}]
C = "model.C=tag(log,interval(0.01,10))"


@pytest.mark.parametrize(
    ("overrides", "expected"),
    few_fast([
        (["seed=range(0,5)", "model=tree"], Comparison(("seed",))),
        (["split.random_state=0,1", "model.C=1,2"], Comparison(("split.random_state",))),
        (["seed=0,1", "split.random_state=0"], Comparison(("seed",))),
        (["model=tree", "model.random_state=0,1"], Comparison(("model.random_state",))),
        (["model=tree", "++model.random_state=1,2"], Comparison(("++model.random_state",))),
        (["split.n_splits=3,4"], Comparison((), (("split.n_splits", "folds"),))),
        (["split=kfold,repeated_kfold"], Comparison((), (("split", "folds"),))),
        (["split.test_size=0.1,0.2"], Comparison((), (("split.test_size", "folds"),))),
        (["objective=accuracy,log_loss"], Comparison((), (("objective", "metric"),))),
        (["dataset.drop=[hsgpa],[actmth]"], Comparison((), (("dataset.drop", "data"),))),
        ([BANDS, "split=group_kfold", "split.group=age"],
         Comparison((), (("dataset.bands", "data"),))),
        (["seed=0,1", "dataset.drop=[hsgpa],[actmth]"],
         Comparison(("seed",), (("dataset.drop", "data"),))),
        (["split.keep_duplicates_together=true,false"], Comparison()),  # there are none
        (["model=tree,logreg", "preprocess=default,ordinal"], Comparison()),
    ], 3),
)  # fmt: skip
def test_keys_that_decide_or_repeat_are_found_by_what_they_change(plan_of, overrides, expected):
    plan, _ = plan_of(*overrides)
    assert plan.comparison == expected
    assert plan.comparison.is_apart == bool(plan.comparison.sentences)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ({"seed": [0, 1], "model.C": [1.0, 0.9]},
         Comparison((), (("the zip of seed and model.C", "folds"),))),
        ({"seed": [0, 1], "split.random_state": [0, 1]},
         Comparison(("the zip of seed and split.random_state",))),
        ({"model.C": [1, 2], "model.class_weight": [None, "balanced"]}, Comparison()),
    ],
)  # fmt: skip
def test_the_keys_of_a_zip_change_together(plan_of, rows, expected):
    plan, _ = plan_of("model=logreg", zip=[rows])
    assert plan.comparison == expected


@pytest.mark.parametrize(
    ("overrides", "options", "message"),
    few_fast([
        (["seed=range(0,9)", C], {}, "repeats=3"),
        (["split.n_splits=3,4", C], {}, "run a search for each value"),
        (["split.test_size=interval(0.1,0.3)"], {}, "so tpe cannot rank its values"),
        (["seed=0,1"], {"n_trials": 2}, "sampler=grid"),
        ([], {"zip": ZIP, "patience": 1}, "which a sweep over the zip of seed and model.C does"),
        (["seed=0,1"], {"register": "grades"}, "needs a winner"),
        (["seed=0,1"], {"patience": 1}, "hydra.sweeper.patience=1: needs a best trial"),
        (["split.n_splits=3,4"], {"pruner": "median"}, "that can be ranked"),
        (["seed=0,1"], {"repeats": 3}, "hydra.sweeper.repeats=3: needs one seed"),
        (["split=kfold,nested"], {}, "split=kfold, nested: .* run it by itself, split=nested"),
        (["split=choice(nested)"], {}, "split=nested: nested cross-validation is a sweep for each"),
    ], 3),
)  # fmt: skip
def test_what_would_choose_among_the_incomparable_is_refused(plan_of, overrides, options, message):
    with pytest.raises(ConfigError, match=message) as caught:
        plan_of(*overrides, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("null,[high,low,mid]", Comparison()),  # as they are found
        ("null,[low,mid,high]", Comparison((), (("dataset.classes", "data"),))),
    ],
)
@pytest.mark.slow
def test_data_are_compared_by_what_came_out_not_by_words(plan_of, grades, classes, expected):
    table = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade"]
    plan, _ = plan_of(*table, f"dataset.classes={classes}")
    assert plan.comparison == expected
