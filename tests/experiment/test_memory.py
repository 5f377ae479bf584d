"""A run that does not fit into memory is refused, with the sample that fits."""

import pandas as pd
import pytest

from student_perf.errors import ConfigError
from student_perf.experiment import memory
from student_perf.experiment.memory import refuse_beyond_memory
from student_perf.experiment.prepare import build_pipeline, prepare, prepare_data


@pytest.fixture
def small(monkeypatch):
    """A machine with 100 kB, on which a table of 1,000 rows is large."""
    monkeypatch.setattr(memory, "available_memory", lambda: 1e5)
    monkeypatch.setattr(memory, "_FEW_ROWS", 250)
    monkeypatch.setattr(memory, "_TRIED_ROWS", 200)


WORDS = ["tracking=off", "dataset=synthetic", "dataset.rows=1000", "dataset.columns=9"]
WORDS += ["model=xgb", "preprocess=native"]


def test_what_does_not_fit_is_one_line_with_the_sample_that_does(small, compose_config):
    config = compose_config(*WORDS)
    with pytest.raises(ConfigError, match=r"training on 1000 rows needs about .* of memory, and "):
        prepare(config)
    with pytest.raises(ConfigError, match=r"dataset\.sample=[1-9]00$"):
        prepare(config)


def test_the_sample_that_is_named_fits(small, compose_config):
    with pytest.raises(ConfigError) as refused:
        prepare(compose_config(*WORDS))
    word = f"+{str(refused.value).rpartition(' ')[2]}"
    prepared = prepare(compose_config(*WORDS, word))
    assert prepared.dataset.n_rows == int(word.rpartition("=")[2])


def test_workers_need_as_much_each_and_prepared_columns_count(small, compose_config, monkeypatch):
    config = compose_config(*WORDS)
    dataset = prepare_data(config).dataset
    needed = memory._COPIES * 8 * 1000 * (9 + 9)
    monkeypatch.setattr(memory, "available_memory", lambda: needed)
    pipeline = build_pipeline(config, dataset)
    refuse_beyond_memory(dataset, pipeline)
    with pytest.raises(ConfigError, match=r"or fewer workers: hydra\.sweeper\.n_jobs=1$"):
        refuse_beyond_memory(dataset, pipeline, n_workers=2)
    wide = build_pipeline(compose_config(*WORDS, "preprocess=default"), dataset)
    with pytest.raises(ConfigError, match="needs about"):
        refuse_beyond_memory(dataset, wide)


def test_rare_words_and_sparse_tables_take_what_they_take(
    small, grades, compose_config, monkeypatch
):
    monkeypatch.setattr(memory, "_FEW_ROWS", 1_000)  # only the width is asked for
    monkeypatch.setattr(memory, "_TRIED_ROWS", 60)
    rows = pd.read_csv(grades)
    rows["pupil"] = [f"p{i % 40}" for i in range(len(rows))]  # thrice each, seldom among 60 rows
    rows.to_csv(grades, index=False)
    words = ["tracking=off", "dataset=csv", f"dataset.path={grades}", "dataset.target=grade"]
    words += ["model=logreg", "preprocess.categorical.encode.min_frequency=3"]
    few, many, sparse = [], [], ["preprocess.categorical.encode.sparse_output=true"]
    widths = []
    for more, most in ((few, 1_000), (many, 10), (sparse, 10)):
        config = compose_config(*words, *more)
        dataset = prepare_data(config).dataset
        monkeypatch.setattr(memory, "_MANY_WORDS", most)
        widths.append(memory._prepared_width(dataset, build_pipeline(config, dataset)))
    assert widths[1] >= 40 > widths[0]
    assert widths[2] < widths[1] / 2
