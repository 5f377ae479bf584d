import pickle

import pytest
from sklearn.dummy import DummyClassifier

from student_perf.config.schema import KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.findings import Findings
from student_perf.runs.artifacts import shown_of


@pytest.fixture
def shown(small_dataset):
    split = make_split(small_dataset, KFoldSplit("kfold", 0.2, 0, True, 4))
    result = cross_validate(DummyClassifier(), small_dataset, split)
    return shown_of(small_dataset, split, result, Findings("accuracy"))


def test_it_names_what_it_shows(shown, small_dataset):
    classes, target, subtitle = shown.of_classes
    assert (classes, target) == (small_dataset.classes, small_dataset.target_name)
    assert subtitle == f"{small_dataset.name}, 4 folds, n = 48 rows"
    assert shown.numbers[0] is shown.answers.y_true


def test_it_travels_to_another_process(shown):
    there = pickle.loads(pickle.dumps(shown))
    assert (there.answers.output == shown.answers.output).all()
