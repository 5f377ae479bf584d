import pytest

from student_perf.compare.filter import matching
from student_perf.errors import ConfigError
from student_perf.runs.record import RunRecord


def test_a_filter_keeps_what_it_holds_for(make_record):
    records = [make_record(name, [0.5, 0.6], name[:2]) for name in ("rf-0", "svm", "rf-1")]
    kept = matching(records, "params.model.name = 'rf' AND tags.dataset LIKE 'gr%'")
    assert [record.name for record in kept] == ["rf-0", "rf-1"]
    assert matching(records, "metrics.fit_seconds > 7") == []


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("params.model.name = 'xgb'", True),
        ('params."model.name" != "rf"', True),
        ("metrics.`fit_seconds` <= 2 and metrics.fit_seconds > 1.5", True),
        ("metrics.fit_seconds < 2", False),
        ("params.no.such = 'a'", False),
        ("params.no.such != 'a'", False),
        ("attributes.run_name ILIKE 'XGB-_'", True),
        ("attributes.run_name LIKE 'XGB%'", False),
        ("tags.role = 'a and b'", True),
        ("metrics.fit_seconds >= 2e0", True),
        ("metrics.fold_accuracy > 0", False),
    ],
)
def test_conditions(tmp_path, text, holds):
    metrics = {"fit_seconds": 2.0, "fold_accuracy": [0.5, 0.6]}
    record = RunRecord(
        tmp_path, "xgb-3", "trial", {"model.name": "xgb"}, {"role": "a and b"}, metrics
    )
    assert matching([record], text) == [record] * holds


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("model.name = 'xgb'", "not understood.*write params, tags or attributes"),
        ("", "not understood from ''"),
        ("params.a ~ 'x'", "not understood"),
        ("params.a = 'x' OR params.b = 'y'", "not understood from .*OR"),
        ("params.a = 'x' AND", "not understood from .*AND"),
        ("metrics.a > 'x'", "metrics = != < <= > >= a number"),
        ("params.a > 'x'", "metrics = != < <= > >= a number"),
    ],
)
def test_conditions_that_are_not_understood(text, says):
    with pytest.raises(ConfigError, match=says):
        matching([], text)
