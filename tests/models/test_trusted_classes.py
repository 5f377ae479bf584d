import sys

import pytest
from sklearn.utils import all_estimators

from student_perf.models.libraries import LIBRARIES, TRUSTED_CLASSES
from student_perf.models.trusted_classes import is_trusted_class, is_trusted_function
from tests.models.zoo import MODELS


@pytest.mark.parametrize(
    "name",
    [
        "os.system",
        "builtins.eval",
        "student_perf.models.components.import_module",
        "student_perf.models.labels.pd.eval",
        "student_perf.models.labels.BaseEstimator",
        "student_perf.models.labels.LabelledClassifier.fit",
        "student_perf.models.build.build_estimator",
        "student_perf.models.libraries.Library",
        "student_perf.models.absent.Model",
        "student_perf.runs.record.RunRecord",
        "sklearn.linear_model.LogisticRegression",  # the public name is not where it is defined
        "sklearn.linear_model._logistic.LogisticRegression.fit",
        "sklearn.linear_model._logistic.np",
        "sklearn.linear_model._base.LinearModel",
        "sklearn.utils.validation.check_array",
        "sklearn.feature_extraction.text.CountVectorizer",
        "sklearn.datasets._base.load_files",
        "sklearn.conftest.pytest",
        "sklearn.tests.test_base.MyEstimator",
        "xgboost.core.DMatrix",
        "lightgbm.basic.Dataset",
        "catboost.core.Pool",
        "",
        ".",
        "LogisticRegression",
    ],
)
def test_only_a_class_defined_where_its_name_says_is_trusted(name):
    assert not is_trusted_class(name)
    assert not is_trusted_function(name) or name == "sklearn.utils.validation.check_array"


@pytest.mark.parametrize(
    "name",
    [
        "student_perf.models.labels.LabelledClassifier",
        "student_perf.encoders.CategoryCodes",
        "sklearn.dummy.DummyClassifier",
        "sklearn.calibration.CalibratedClassifierCV",
        "sklearn.linear_model._logistic.LogisticRegression",
        "sklearn.model_selection._search.GridSearchCV",
    ],
)
def test_estimators_of_ours_and_of_scikit_learn_are_trusted(name):
    assert is_trusted_class(name)


def test_the_list_names_classes_only():
    assert [name for name in TRUSTED_CLASSES if not is_trusted_class(name)] == []
    assert len(MODELS) > 20  # whose files tests/runs/test_model_file.py saves and loads


def test_nearly_every_public_estimator_is_trusted():
    names = {f"{cls.__module__}.{cls.__name__}" for _, cls in all_estimators()}
    refused = {name for name in names if not is_trusted_class(name)}
    assert len(names) > 180
    assert {name.split(".")[1] for name in refused} <= {
        "feature_extraction",  # opens files
        "manifold",  # embeds its training rows only
        "frozen",  # keeps what was fitted elsewhere
    }


def test_a_library_that_is_not_installed_offers_no_class(monkeypatch):
    from student_perf.models import trusted_classes

    trusted_classes._is_reviewed.cache_clear()
    for module in list(sys.modules):
        if module.split(".")[0] == "lightgbm":
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "lightgbm", None)
    assert not is_trusted_class("lightgbm.basic.Booster")
    trusted_classes._is_reviewed.cache_clear()
    assert "lightgbm" in {one.name for one in LIBRARIES}


def test_modules_of_the_users_own_are_imported_only_if_a_name_needs_them(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf/trusted.yaml").write_text("trusted: [own_part]\n")
    (tmp_path / "own_part.py").write_text(
        "import pathlib\nfrom decimal import Decimal\npathlib.Path('imported').touch()\n"
        "class Mean: ...\ndef run(): ...\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    try:
        assert not is_trusted_class("os.system")
        assert not (tmp_path / "imported").exists()
        assert is_trusted_class("own_part.Mean")
        assert (tmp_path / "imported").exists()
        for name in ("own_part.run", "own_part.Decimal", "own_part.pathlib.Path", "own_part.no.X"):
            assert not is_trusted_class(name)
    finally:
        sys.modules.pop("own_part", None)
