import sys

import pytest
from sklearn.linear_model import LogisticRegression

from student_perf.errors import ConfigError
from student_perf.models.components import build_component

LOGREG = "sklearn.linear_model.LogisticRegression"


def test_builds_the_named_estimator_unfitted():
    built = build_component({"_target_": LOGREG, "C": 0.5}, "model")
    assert isinstance(built, LogisticRegression)
    assert built.C == 0.5
    assert not hasattr(built, "classes_")


@pytest.mark.parametrize(
    ("node", "message"),
    [
        ({"_target_": "os.system"}, "only classes below"),
        ({"_target_": "builtins.eval"}, "only classes below"),
        ({}, "only classes below"),
        ({"_target_": "sklearn.nothing.Here"}, "no module sklearn.nothing"),
        ({"_target_": "sklearn.linear_model.LogReg"}, "no estimator 'LogReg'"),
        ({"_target_": "sklearn.datasets.load_iris"}, "no estimator 'load_iris'"),
        ({"_target_": LOGREG, "c": 1.0}, "did you mean C"),
        ({"_target_": LOGREG, "_partial_": True}, "has no parameter '_partial_'"),
        ({"_target_": LOGREG, "C": -1.0}, r"m\.C=-1\.0: .* float in the range"),
        ({"_target_": LOGREG, "solver": "nope"}, r"m\.solver=nope"),
        ({"_target_": "xgboost.XGBClassifier", "max_depth": 4.8}, "a whole number or null"),
        ({"_target_": "xgboost.XGBClassifier", "gamma": "much"}, "a number or null"),
        ({"_target_": "xgboost.XGBClassifier", "n_estimators": True}, "a whole number"),
    ],
)
def test_refuses_what_the_class_would_not_take(node, message):
    with pytest.raises(ConfigError, match=message):
        build_component(node, "m")


def test_a_nested_target_stays_data():
    nested = {"_target_": "os.system", "command": "true"}
    with pytest.raises(ConfigError, match=r"m\.class_weight"):
        build_component({"_target_": LOGREG, "class_weight": [nested]}, "m")
    built = build_component({"_target_": LOGREG, "class_weight": nested}, "m")
    assert built.class_weight == nested


@pytest.mark.parametrize(
    "target", ["lightgbm.LGBMClassifier", "student_perf.models.catboost.CatBoostClassifier"]
)
def test_a_missing_extra_names_the_command_that_installs_it(monkeypatch, target):
    for name in list(sys.modules):
        if name.startswith(("lightgbm", "catboost", "student_perf.models.catboost")):
            monkeypatch.delitem(sys.modules, name)
    for name in ("lightgbm", "catboost"):
        monkeypatch.setitem(sys.modules, name, None)  # makes the import fail
    with pytest.raises(ConfigError, match=r"not installed; run: .* -m pip install 'catboost>="):
        build_component({"_target_": target}, "model.classifier")


def test_no_folder_of_pickles_is_read():
    node = {"_target_": "sklearn.cluster.FeatureAgglomeration", "memory": None}
    assert build_component(node, "m").memory is None
    with pytest.raises(ConfigError, match=r"m\.memory=cache: .* holds pickles"):
        build_component(node | {"memory": "cache"}, "m")


def test_estimators_made_elsewhere_are_handed_over():
    base = LogisticRegression(C=3.0)
    node = {"_target_": "sklearn.calibration.CalibratedClassifierCV", "cv": 3}
    assert build_component(node, "m", parts={"estimator": base}).estimator is base
    members = [("a", base)]
    voting = {"_target_": "sklearn.ensemble.VotingClassifier", "voting": "soft"}
    assert build_component(voting, "m", parts={"estimators": members}).estimators is members
    with pytest.raises(ConfigError, match="LogisticRegression takes no model as 'estimator'"):
        build_component({"_target_": LOGREG}, "m", parts={"estimator": base})


def test_messages_name_the_place_the_user_wrote():
    with pytest.raises(ConfigError, match=r"^model\.C=-1"):
        build_component({"_target_": LOGREG, "C": -1.0}, "model.classifier", {"C": "model.C"})
