import re
from dataclasses import replace

import numpy as np
import pytest

from student_perf.config.schema import (
    GroupKFoldSplit,
    KFoldSplit,
    NestedSplit,
    TemporalSplit,
)
from student_perf.data import load_dataset
from student_perf.evaluation.advice import advise, measure
from student_perf.evaluation.splits import make_split
from student_perf.evaluation.structure import find_structure
from tests.conftest import SMALL_CONFIG
from tests.evaluation.tied_rows import copied, in_file_order, in_time, independent, of_pupils

KFOLD = KFoldSplit("kfold", 0.2, 0, True, 4)
BY_PUPIL = GroupKFoldSplit("group_kfold", 0.2, 0, True, 4, "student_id")


def lines(dataset, config=KFOLD, declared=SMALL_CONFIG):
    metric = "accuracy" if dataset.classes else "root_mean_squared_error"
    return advise(dataset, make_split(dataset, config), config, declared, metric)


def figures(line):
    return [float(figure) for figure in re.findall(r"\b\d\.\d{3}\b", line)]


def test_copies_are_said_with_what_naive_folds_would_give():
    (line,) = lines(copied())
    naive, ours = figures(line)
    assert naive > ours + 0.1
    assert "kept on one side here" in line
    apart = replace(KFOLD, keep_duplicates_together=False)
    (line,) = lines(copied(), apart)
    assert line.endswith("type: split.keep_duplicates_together=true")


def test_groups_and_how_far_the_score_moves():
    (line,) = lines(of_pupils())
    drawn, by_group = figures(line)
    assert drawn > by_group + 0.1
    assert line.endswith("dataset.group=student_id split=stratified_group_kfold")


def test_a_nested_split_is_asked_to_keep_the_groups_together():
    (line,) = lines(of_pupils(), NestedSplit("nested", 0.2, 0, True, 4, 3))
    assert line.endswith("the rows ask for: dataset.group=student_id")


def test_time_and_how_far_the_score_moves():
    (line,) = lines(in_time())
    drawn, latest = figures(line)
    assert latest > drawn * 1.2  # an error
    assert line.endswith("dataset.time=year split=temporal")


def test_blocks_are_only_said_if_they_change_something():
    pupils = of_pupils()
    order = np.argsort(pupils.dropped["student_id"].to_numpy(), kind="stable")
    (line,) = lines(in_file_order(pupils, order))
    assert figures(line)[0] > figures(line)[1] + 0.1
    flat = replace(in_file_order(pupils, order), target=independent().target)
    assert lines(flat) == []


@pytest.mark.parametrize(
    "config",
    [
        BY_PUPIL,
        NestedSplit("nested", 0.2, 0, True, 4, 3, group="student_id"),
        TemporalSplit("temporal", 0.2, 0, False, 4),
    ],
    ids=lambda config: config.kind,
)
def test_a_split_that_answers_is_left_alone(config):
    pupils = replace(of_pupils(), times=np.arange(600.0))
    assert lines(pupils, config) == []


def test_what_is_declared_counts_without_a_guess():
    clean = independent()
    groups = replace(clean, dropped=clean.features[["x0"]].rename(columns={"x0": "room"}).round(0))
    (line,) = lines(groups, declared=replace(SMALL_CONFIG, group="room"))
    assert line.startswith("dataset.group=room is declared; accuracy of a small forest: ")
    assert line.endswith("a difference within chance; to split so anyway: split=group_kfold")


@pytest.mark.parametrize("fact", ["group", "time"])
@pytest.mark.parametrize("n_first", [600, 560])
def test_a_declared_fact_that_divides_nothing_ends_no_run(fact, n_first):
    clean, values = independent(), np.where(np.arange(600) < n_first, 2022.0, 2023.0)
    known = replace(clean, dropped=clean.features[["x0"]].assign(fact=values), times=values)
    found = lines(known, declared=replace(SMALL_CONFIG, **{fact: "fact"}))
    assert len(found) == (fact == "group" and n_first == 560)


@pytest.mark.slow
def test_no_target_of_a_test_row_is_read():
    for dataset in (of_pupils(), in_time(), copied()):
        split = make_split(dataset, KFOLD)
        other = dataset.target.copy()
        other[split.test] = dataset.target[split.development[0]]
        blind = replace(dataset, target=other)
        metric = "accuracy" if dataset.classes else "root_mean_squared_error"
        for finding in find_structure(dataset, split.development):
            moves = [measure(finding, one, split.development, metric) for one in (dataset, blind)]
            assert moves[0] == moves[1]


def test_clean_tables_get_no_advice(compose_config):
    assert lines(independent()) == []
    config = compose_config()
    dataset = load_dataset(config.dataset)
    assert lines(dataset, config.split, config.dataset) == []
