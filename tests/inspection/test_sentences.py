import pandas as pd
from sklearn.dummy import DummyClassifier

from student_perf.config.schema import KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.sentences import group_lines, most_important
from student_perf.inspection.subgroups import subgroup_table


def test_group_lines_hold_the_first_two_metrics(small_dataset):
    split = make_split(small_dataset, KFoldSplit("kfold", 0.0, 0, True, 4))
    result = cross_validate(DummyClassifier(), small_dataset, split)
    table = subgroup_table(small_dataset, result, ["school"], "roc_auc_ovr", 5)
    lines = group_lines(table)
    assert [line.name for line in lines] == ["all rows", "school = north", "school = south"]
    assert list(lines[0].values) == ["roc_auc_ovr", "f1_macro"]
    assert lines[0].values["roc_auc_ovr"][0] == table["value"][0]
    assert group_lines(None) == []


def test_most_important_leaves_out_what_does_not_help():
    table = pd.DataFrame({"column": list("abcd"), "importance": [0.3, 0.1, 0.0, -0.1]})
    assert most_important(table) == {"a": 0.3, "b": 0.1}
    assert most_important(None) == {}
