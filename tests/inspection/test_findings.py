from sklearn.dummy import DummyClassifier

from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.findings import Inspector


def inspect(config, dataset):
    split = make_split(dataset, config.split)
    inspector = Inspector(config, dataset, split)
    result = cross_validate(
        DummyClassifier(), dataset, split, train_scores=True, on_fitted=inspector.on_fitted
    )
    return inspector.findings(DummyClassifier(), result)


def test_only_what_was_asked_for_is_made(compose_config, small_dataset):
    words = ("dataset.subgroups=[]", "report.importance=false")
    nothing = inspect(compose_config(*words), small_dataset)
    assert nothing.importance is nothing.learning_curve is nothing.subgroups is None
    words = ("dataset.subgroups=[school]", "report.learning_curve=true", "report.min_group_size=9")
    everything = inspect(compose_config(*words), small_dataset)
    assert everything.importance["column"].tolist() == ["points", "school"]
    assert len(everything.learning_curve) == 5
    assert everything.subgroups["column"].unique().tolist() == ["all rows", "school"]
