"""A run that does not fit into memory is refused, with the sample that fits."""

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
    word = str(refused.value).rpartition(" ")[2]
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
