import tomllib

import pytest
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from xgboost import XGBClassifier

from student_perf.errors import ConfigError
from student_perf.models.auto import AutoClassifier
from student_perf.models.libraries import (
    LIBRARIES,
    MANY_TREES,
    PACKAGES,
    allowed_prefixes,
    files_read,
    library_of,
    packages_of,
)
from student_perf.models.ordinal import OrdinalClassifier
from student_perf.models.ordinal_logit import OrdinalLogit
from student_perf.models.tabicl import TabICLClassifier
from student_perf.paths import CONF_DIR, PROJECT_DIR

PROJECT = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text(encoding="utf-8"))["project"]


class Mine(XGBClassifier):
    """A user's own model on top of a library's."""


def test_a_class_belongs_to_the_library_of_its_nearest_parent():
    assert library_of(LogisticRegression).name == "sklearn"
    assert library_of(OrdinalLogit).name == "sklearn"
    assert library_of(Mine).name == "xgboost"
    assert library_of(dict) is None


def test_a_wrapped_library_is_known_by_its_wrapper():
    catboost = pytest.importorskip("student_perf.models.catboost")
    assert library_of(catboost.CatBoostRegressor).name == "catboost"
    assert "catboost." not in allowed_prefixes()


def test_a_model_needs_the_packages_of_its_types_and_scikit_learns():
    assert packages_of([]) == ["scikit-learn", "numpy", "scipy", "pandas"]
    types = ["xgboost.core.Booster", "student_perf.models.labels.LabelledClassifier"]
    assert packages_of(types)[4:] == ["xgboost-cpu", "xgboost"]
    wrapped = ["student_perf.models.tabicl.TabICLClassifier"]
    assert packages_of(wrapped)[4:] == ["tabicl", "torch"]


def test_every_package_is_a_dependency_or_in_the_named_extra():
    for one in LIBRARIES:
        named = PROJECT["dependencies"]
        if one.extra:
            named = PROJECT["optional-dependencies"][one.extra]
        for package in one.packages:
            assert any(text.startswith(package) for text in named), package
    assert len(set(PACKAGES)) == len(PACKAGES)


def test_trusted_names_are_of_the_library_itself():
    for one in LIBRARIES:
        names = (*one.trusted_classes, *one.trusted_functions)
        assert {name.split(".")[0] for name in names} <= {one.name}


def test_many_trees_are_options_of_the_zoo():
    assert {file.stem for file in (CONF_DIR / "model").glob("*.yaml")} >= MANY_TREES


def test_files_that_a_model_answers_from_are_found_wherever_it_stands(tmp_path):
    weights = tmp_path / "weights.ckpt"
    weights.write_bytes(b"weights")
    network = TabICLClassifier(checkpoint=str(weights))
    parts = [("linear", LogisticRegression()), ("network", network)]
    voting = VotingClassifier(parts)
    portfolio = AutoClassifier(parts)
    ordered = Pipeline([("scale", StandardScaler()), ("model", OrdinalClassifier(network))])
    for estimator in (network, voting, portfolio, ordered):
        assert list(files_read(estimator)) == [weights]
    assert list(files_read(LogisticRegression())) == []
    with pytest.raises(ConfigError, match=r"model\.checkpoint=null: has to be the file"):
        list(files_read(TabICLClassifier()))
