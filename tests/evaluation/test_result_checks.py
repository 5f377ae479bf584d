import pytest

from student_perf.config.schema import GuardsConfig
from student_perf.errors import DataError
from student_perf.evaluation.guards import check_guards
from student_perf.evaluation.registry import Chosen, Compared, Range
from student_perf.evaluation.result_checks import look

WARN = GuardsConfig({})


def codes(subject, guards=WARN):
    return [finding.code for finding in look(subject, guards)]


@pytest.mark.parametrize(
    ("value", "tried", "end"),
    [
        ("0.01", Range(0.01, 10, is_log=True), "lower"),
        ("0.0105", Range(0.01, 10, is_log=True), "lower"),
        ("0.02", Range(0.01, 10, is_log=True), ""),
        ("9.5", Range(0.01, 10, is_log=True), "upper"),
        ("9.5", Range(0.01, 10), ""),
        ("7", Range(2, 7), "upper"),
        ("6", Range(2, 7), ""),
        ("8", Range(2, 7), ""),  # beyond it, as a reference of a sweep may be
        ("None", Range(2, 7), ""),
        ("0.01", Range(0, 1, is_log=True), ""),  # a range without a lower end in its scale
        ("0", Range(0, 1, is_log=True), ""),
    ],
)
def test_a_number_at_an_end_of_what_is_tried(value, tried, end):
    found = look(Chosen({"model.x": value}, {"model.x": tried}, "what the sweep tried"), WARN)
    assert [f"at the {end} end of what the sweep tried" in one.text for one in found] == (
        [True] if end else []
    )


@pytest.mark.parametrize(
    ("equal", "found"),
    [("20", 0), ("3", 0), ("1", 1), ("1.1", 1), ("None", 1), (None, 1), ("21", 1)],
)
def test_an_end_says_nothing_if_another_number_is_as_good(equal, found):
    others = [{"model.y": "7"}, {} if equal is None else {"model.x": equal}]
    chosen = Chosen({"model.x": "1"}, {"model.x": Range(1, 20)}, "", as_good=others)
    assert len(look(chosen, WARN)) == found


def test_defaults_are_no_finding_at_an_end_and_are_not_tuned():
    ranges = {"model.depth": Range(2, 7), "model.rate": Range(0.01, 0.3)}
    defaults = {"model.depth": "2", "model.rate": "0.1", "model.weight": "None"}
    chosen = Chosen(defaults, ranges, "conf/search/xgb.yaml", "xgb", defaults)
    (found,) = look(chosen, WARN)
    assert found.code == "SP502"
    assert "model=xgb: ran with its defaults" in found.text
    assert "conf/search/xgb.yaml varies 3; search them (-m search=xgb)" in found.text
    changed = Chosen(defaults | {"model.depth": "7"}, ranges, "", "xgb", defaults)
    assert codes(changed) == ["SP501"]
    assert codes(Chosen({}, {}, "", "dummy")) == []  # no search file


def test_a_level_counts_for_every_kind_of_subject():
    apart = Compared(["data", "metric"])
    assert [str(one) for one in look(apart, WARN)] == [
        "SP503: not paired with the runs above: other data and metric"
    ]
    assert codes(Compared([])) == codes(apart, GuardsConfig({"SP503": "off"})) == []
    strict = GuardsConfig({"SP503": "error"})
    assert codes(apart, strict) == ["SP503"]
    with pytest.raises(DataError, match=r"^SP503: .*; guards\.SP503=warn goes on anyway$"):
        check_guards(apart, strict)
