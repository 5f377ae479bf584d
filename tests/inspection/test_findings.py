import pandas as pd
from sklearn.dummy import DummyClassifier

from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.findings import Inspector, group_lines, most_important


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


def test_group_lines_hold_the_first_two_metrics(compose_config, small_dataset):
    findings = inspect(
        compose_config("dataset.subgroups=[school]", "objective=roc_auc_ovr"), small_dataset
    )
    lines = group_lines(findings.subgroups)
    assert [line.name for line in lines] == ["all rows", "school = north", "school = south"]
    assert list(lines[0].values) == ["roc_auc_ovr", "f1_macro"]
    assert lines[0].values["roc_auc_ovr"][0] == findings.subgroups["value"][0]
    assert group_lines(None) == []


def test_most_important_leaves_out_what_does_not_help():
    table = pd.DataFrame({"column": list("abcd"), "importance": [0.3, 0.1, 0.0, -0.1]})
    assert most_important(table) == {"a": 0.3, "b": 0.1}
    assert most_important(None) == {}
