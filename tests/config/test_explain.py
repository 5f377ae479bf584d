"""Bad input: one line that names the value, the rule and the nearest valid choice; exit code 1."""

import re

import pytest

from student_perf.runs.layout import RECORD_FILE
from tests.tiers import few_fast

CSV = ("dataset=csv", "dataset.target=grade")

# overrides, then what the line must hold; .* stands for anything
CASES = {
    "wrong model": (["model=xbg"], "model=xbg: no such option; did you mean xgb?"),
    "wrong member": (
        ["model=auto/stumpz"],
        "model=auto/stumpz: no such option; did you mean auto/stumps?",
    ),
    "wrong dataset": (["dataset=econmat"], "did you mean econmath"),
    "wrong experiment": (["experiment=nope"], "choose from automl_rivals"),
    "wrong group": (["modle=xgb"], "no key 'modle'; did you mean model?"),
    "group that is there": (["+experiment=leak_demo"], "leave out the +: experiment=leak_demo"),
    "several values": (["model.C=1,2"], "\"model.C='a,b'\""),
    "key beyond ASCII": (["+tags.año=x"], "its key may hold a to z, digits and _ only"),
    "key of the regressor": (["model=elastic_net", "model.alpha=1"], "classification does not use"),
    "key of one part": (["model=ridge", "model.tol=0.01"], "write model.classifier.tol=0.01"),
    "key of all parts": (
        ["model=elastic_net", "model.classifier.l1_ratio=1"],
        "'l1_ratio' serves every part; write model.l1_ratio=1",
    ),
    "key of one part, before the target is read": (
        [
            "dataset=csv",
            "dataset.path={tmp}/x.csv",
            "dataset.target=y",
            "model=rf",
            "model.max_features=1",
        ],
        "write model.classifier.max_features=1 or model.regressor.max_features=1, by the task",
    ),
    "key of one part of two": (
        ["model=rf", "dataset=econmath_score", "model.max_features=0.3"],
        "write model.regressor.max_features=0.3",
    ),
    "key below null": (
        ["dataset=econmath_score", "dataset.bands.edges=[50]"],
        "'dataset.bands' has no key 'edges' yet; write +dataset.bands.edges=[50]",
    ),
    "tag of one's own": (["tags.team=blue"], "write +tags.team=blue"),
    "early stopping": (
        ["model=xgb", "+model.early_stopping_rounds=9"],
        "model.early_stopping_rounds=9: stops by rows set aside",
    ),
    "objective of xgboost": (
        ["model=xgb", "+model.objective=reg:nothing"],
        "model.objective=reg:nothing: xgboost refuses it",
    ),
    "number as option": (["model=3"], "model=3: a group takes the name of an option"),
    "null as option": (["split=null"], "choose from column, group_kfold, holdout, kfold"),
    "wrong key": (["model=rf", "model.max_dept=3"], "did you mean max_depth"),
    "wrong key added": (["model=rf", "+model.max_dept=3"], "did you mean max_depth"),
    "wrong key in split": (["+split.n_split=3"], "did you mean n_splits"),
    "wrong root key": (["+sead=3"], "did you mean seed"),
    "root key like none": (["lang=es"], "no key 'lang'; choose from dataset, .*, tracking"),
    "root key without its group": (["n_splits=3"], "'n_splits'; write split.n_splits=3"),
    "key of another option": (["split=holdout", "split.n_splits=3"], "no key 'n_splits'"),
    "key there already": (["+seed=1"], "+seed: .* leave out the +"),
    "key removed": (["~split.n_splits"], "split.n_splits: is missing"),
    "no override": (["seed"], "seed: is not an override"),
    "a name of two words": (
        ["dataset.target=final", "grade"],
        "with the word before it: 'dataset.target=final grade'",
    ),
    "column with a blank": (
        ["+dataset.categories.exam 1=[a,b]"],
        r"instead: '+dataset.categories={exam 1:[a,b]}'",
    ),
    "column with an accent": (
        ["+dataset.ranges.año=[1,2]"],
        r"below ranges: año: [1,2] .*--write",
    ),
    "accent in braces": (["+dataset.ranges={año: [1,2]}"], r"below ranges: año: [...] .*--write"),
    "accent in other braces": (["+tags.x={año: 1}"], "'año' cannot be a key on a command line"),
    "open bracket": (["model.C=[1"], "is not an override"),
    "sweep without -m": (["model=xgb,rf"], "add --multirun"),
    "text for a number": (["split.n_splits=five"], "must be a whole number"),
    "fraction for a number": (["split.n_splits=2.5"], "must be a whole number"),
    "group for a value": (["dataset.target={a: 1}"], "dataset.target=.* must be text"),
    "value for a group": (["tags=3"], "tags=3: must be a group of keys"),
    "number for a list": (["dataset.drop=age"], "must be a list"),
    "negative seed": (["seed=-1"], "seed=-1: must be a whole number from 0"),
    "fractional seed": (["seed=0.5"], "seed=0.5: must be a whole number"),
    "test size": (["split.test_size=1.5"], "below 1; try 0.2"),
    "validation size": (["split=holdout", "split.validation_size=0"], "between 0 and 1"),
    "one fold": (["split.n_splits=1"], "must be at least 2"),
    "no repeat": (["split=repeated_kfold", "split.n_repeats=0"], "must be at least 1"),
    "too many folds": (["split.n_splits=200"], "class 'under_60' .* use split.n_splits=112"),
    "unknown metric": (["objective.metric=f1macro"], "did you mean f1_macro"),
    "metric of two classes": (["objective=f1"], "'score' has 4 classes; use .*=f1_macro"),
    "positive number": (["dataset=econmath_score", "+dataset.positive=1"], "has no classes"),
    "positive beside many": (["+dataset.positive=under_60"], "'score' has 4 classes"),
    "metric of the other task": (["objective=r2"], "measures regression, but"),
    "wrong direction": (["objective.direction=minimize"], "direction=maximize"),
    "unknown task": (["dataset.task=classify"], "did you mean classification"),
    "model without regressor": (
        ["dataset=econmath_score", "model=logreg"],
        "model=logreg: has no regressor",
    ),
    "value out of range": (["model.C=-1"], "model.C=-1: .* in the range"),
    "value of xgboost out of range": (["model=xgb", "model.subsample=2"], "model.subsample=2"),
    "wrong type of parameter": (["model=xgb", "model.max_depth=4.8"], "a whole number or null"),
    "foreign class": (["model.classifier._target_=os.system"], "only classes below"),
    "wrong imputer": (["preprocess.numeric.impute.strategy=middle"], "strategy=middle"),
    "unknown kind of column": (
        ["+preprocess.words.x=1"],
        "choose from all, categorical, numeric, text",
    ),
    "missing target": (["dataset.target=scores"], "did you mean score"),
    "missing column to drop": (["dataset.drop=[wrk]"], "did you mean work"),
    "missing column of subgroups": (["dataset.subgroups=[mail]"], "did you mean male"),
    "subgroups of the target": (["dataset.subgroups=[score]"], "holds the target 'score'"),
    "text for subgroups": (["dataset.subgroups=male"], "must be a list"),
    "no permutation": (["report.importance_repeats=0"], "must be at least 1"),
    "tiny groups": (["report.min_group_size=1"], "must be at least 2"),
    "text for a switch": (["report.learning_curve=5"], "must be true or false"),
    "wrong key in report": (["report.importances=true"], "did you mean importance"),
    "target dropped": (["dataset.drop=[score]"], "holds the target 'score'"),
    "missing table": (["dataset.table=econmat"], "did you mean econmath"),
    "falling edges": (["dataset.bands.edges=[80,70,60]"], "must increase"),
    "edges and labels": (["dataset.bands.edges=[60,70]"], "2 edges need 3 different labels"),
    "empty band": (["dataset.bands.edges=[60,70,800]"], "no row falls into the band 'from_80'"),
    "bands of a regression": (["dataset.task=regression"], "set dataset.bands=null"),
    "number as classes": (["dataset.bands=null"], "use dataset.task=regression"),
    "path not given": (["dataset=csv"], "dataset.path=???: has no default"),
    "missing file": ([*CSV, "dataset.path=/no/file.csv"], "/no/file.csv: no such file"),
    "empty file": ([*CSV, "dataset.path={tmp}/empty.csv"], "the file is empty"),
    "header only": ([*CSV, "dataset.path={tmp}/header.csv"], "has no rows below its header"),
    "small class": ([*CSV, "dataset.path={tmp}/small.csv"], "class 'b' of 'grade' has 1 row"),
    "unknown interpolation": (["dataset.name=${nope}"], "Interpolation key 'nope' not found"),
    "folder as store": (["tracking.uri=./mlruns"], "must start with a scheme"),
    "missing folder of a store": (["tracking.uri=sqlite:////no/m.db"], "not there or not writable"),
}


@pytest.fixture
def files(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "header.csv").write_text("hours,grade\n")
    rows = "".join(f"{i},a\n" for i in range(30))
    (tmp_path / "small.csv").write_text(f"hours,grade\n{rows}99,b\n")
    return tmp_path


@pytest.mark.parametrize("case", few_fast(CASES, 10))
def test_one_line_exit_code_1_and_nothing_taken_for_a_result(train, files, workspace, case):
    overrides, expected = CASES[case]
    outcome = train(*(word.replace("{tmp}", str(files)) for word in overrides))
    assert outcome.code == 1
    (line,) = outcome.err.splitlines()
    assert line.startswith("student_perf: ")
    assert re.search(re.escape(expected).replace(r"\.\*", ".*"), line)
    assert "Traceback" not in outcome.out + outcome.err
    assert not list(workspace.rglob(RECORD_FILE))
    assert not (workspace / "mlflow.db").exists()


def test_another_projects_sweeper_is_named_with_its_file(train, tmp_path):
    folder = tmp_path / "conf2/hparams_search"
    folder.mkdir(parents=True)
    line = "_target_: hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"
    (folder / "optuna.yaml").write_text(
        f"# @package _global_\nhydra:\n  sweeper:\n    {line}\n    n_trials: 3\n"
    )
    words = ["--config-dir", str(tmp_path / "conf2"), "-m", "+hparams_search=optuna"]
    outcome = train(*words, "model.C=1,2")
    assert outcome.code == 1
    assert f"{line}: is another sweeper, which is not installed; delete this line" in outcome.err


@pytest.mark.slow
def test_a_fixed_key_of_some_of_the_models_needs_the_form_of_a_sweep(train):
    outcome = train("-m", "model=tree,rf", "model.max_depth=3", "hydra.sweeper.preview=true")
    assert "it needs a sweep's form: model.max_depth=choice(3)" in outcome.err
    words = ["-m", "model=tree,rf", "model.max_depth=choice(3)", "hydra.sweeper.preview=true"]
    assert "2 trials" in train(*words).out
