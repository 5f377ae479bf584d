import pickle

import pytest
from sklearn.dummy import DummyClassifier

from student_perf.config.schema import KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.findings import Findings
from student_perf.plots.shown import Shown


@pytest.fixture
def shown(small_dataset):
    split = make_split(small_dataset, KFoldSplit("kfold", 0.2, 0, True, 4))
    result = cross_validate(DummyClassifier(), small_dataset, split)
    classes, target = small_dataset.classes, small_dataset.target_name
    return Shown(classes, target, result, 1, "4 folds", Findings("accuracy"))


def test_it_names_what_it_shows(shown, small_dataset):
    assert shown.of_classes == (small_dataset.classes, small_dataset.target_name, "4 folds")
    assert shown.numbers[0] is shown.result.y_true


def test_it_travels_to_another_process(shown):
    there = pickle.loads(pickle.dumps(shown))
    assert (there.result.output == shown.result.output).all()
