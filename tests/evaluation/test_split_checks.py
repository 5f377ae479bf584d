from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.tree import DecisionTreeClassifier

from student_perf.config.schema import GuardsConfig, TemporalSplit
from student_perf.evaluation.guards import check_guards
from student_perf.evaluation.registry import Subject
from student_perf.evaluation.splits import make_split
from tests.conftest import SMALL_CONFIG
from tests.evaluation.checked import KFOLD, WARN


def findings_of(
    dataset, config=SMALL_CONFIG, model=None, guards=WARN, split_config=KFOLD, pipeline=None
):
    pipeline = pipeline or Pipeline([("model", model or DecisionTreeClassifier())])
    split = make_split(dataset, split_config)
    subject = Subject(dataset, split, config, split_config, "accuracy", pipeline)
    return check_guards(subject, guards, costly=True)


def test_ties_between_rows_are_a_finding_with_a_code(small_dataset):
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(20), 3)
    features = small_dataset.features.assign(
        pupil_id=person.astype(float), mother=rng.normal(size=20)[person]
    )
    target = rng.integers(0, 3, 20)[person]
    data = replace(small_dataset, features=features, target=target)
    (found,) = findings_of(data)
    assert found.code == "SP401"
    assert "group=pupil_id" in found.text
    assert findings_of(data, guards=GuardsConfig({"SP401": "off"})) == []
    assert findings_of(small_dataset) == []


def test_weights_that_a_fit_leaves_out_are_said(small_dataset):
    weighted = replace(SMALL_CONFIG, weight="w")
    (found,) = findings_of(small_dataset, weighted, KNeighborsClassifier())
    assert (found.code, found.text.split(" takes")[0]) == (
        "SP402",
        "the fit of KNeighborsClassifier",
    )
    assert findings_of(small_dataset, weighted) == []


def test_later_rows_of_another_kind_are_named_with_their_columns(small_dataset):
    rng, n = np.random.default_rng(3), 600
    year = np.repeat(np.arange(6.0), 100)
    features = pd.DataFrame(
        {
            "price": rng.normal(size=n) + year,
            "hours": rng.normal(size=n),
            "tariff": pd.Series(np.where((year >= 5) ^ (rng.random(n) < 0.1), "new", "old")),
        }
    ).astype({"tariff": "str"})
    data = replace(small_dataset, features=features, target=rng.integers(0, 3, n), times=year)
    in_time = TemporalSplit("temporal", 0.16, 0, False, 4)
    found = [one for one in findings_of(data, split_config=in_time) if one.code == "SP403"]
    assert len(found) == 5  # the test part and four windows
    assert found[0].text.startswith("the test part: 'price', 'tariff' differ from the rows")
    assert all("'hours'" not in one.text for one in found)
    assert [one for one in findings_of(data) if one.code == "SP403"] == []


def blind(marks=False):
    impute = SimpleImputer(strategy="median", add_indicator=marks)
    columns = ColumnTransformer([("numeric", Pipeline([("impute", impute)]), ["x"])])
    return Pipeline([("preprocess", columns), ("model", DecisionTreeClassifier())])


def with_gaps(small_dataset, task, share):
    """500 rows whose target goes with the gaps of two columns, and not with those of a third."""
    rng, n = np.random.default_rng(4), 500
    gap = rng.random(n) < 0.2
    target = np.where(rng.random(n) < share, gap, rng.random(n) < 0.2).astype(np.int64)
    features = pd.DataFrame(
        {
            "first": np.where(gap, np.nan, rng.normal(size=n)),
            "second": np.where(gap, np.nan, rng.normal(size=n)),
            "other": np.where(rng.random(n) < 0.2, np.nan, rng.normal(size=n)),
            "full": rng.normal(size=n),
        }
    )
    if task == "regression":
        return replace(
            small_dataset, features=features, task=task, target=target * 2.0 + rng.normal(size=n),
            classes=(), ordered=False,
        )  # fmt: skip
    return replace(small_dataset, features=features, target=target)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_gaps_that_say_something_are_named_while_they_are_filled_without_a_mark(
    small_dataset, task
):
    data = with_gaps(small_dataset, task, share=0.7)
    (found,) = findings_of(data, pipeline=blind())
    assert (found.code, found.text.partition(":")[0]) == ("SP404", "'first', 'second'")
    assert found.text.endswith("type: preprocess.numeric.impute.add_indicator=true")
    assert findings_of(data, pipeline=blind(marks=True)) == []
    assert findings_of(data, model=DecisionTreeClassifier()) == []  # it gets the gaps themselves
    assert findings_of(with_gaps(small_dataset, task, share=0.0), pipeline=blind()) == []


def found_in_groups(data, groups):
    found = findings_of(replace(data, groups=groups), pipeline=blind())
    return [one.code for one in found if one.code == "SP404"]


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_gaps_in_rows_of_one_person_count_once(small_dataset, task):
    data = with_gaps(small_dataset, task, share=0.7)
    rng = np.random.default_rng(5)
    assert found_in_groups(data, rng.integers(0, 60, data.n_rows)) == ["SP404"]
    # Four persons, whose rows repeat what one of them says.
    few = data.features["first"].isna().to_numpy() * 2 + rng.integers(0, 2, data.n_rows)
    assert found_in_groups(data, few) == []
