"""Threads follow the rows, the cores this process may use, and the workers that share them."""

import joblib
import pytest

from student_perf.experiment.prepare import build_pipeline, prepare_data
from student_perf.experiment.threads import useful_threads


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(joblib, "cpu_count", lambda: 8)


@pytest.mark.parametrize(
    ("n_rows", "n_workers", "expected"),
    [(700, 1, 1), (1_000_000, 1, 8), (1_000_000, 3, 2), (1_000_000, 20, 1)],
)
def test_threads_follow_rows_cores_and_workers(eight_cores, n_rows, n_workers, expected):
    assert useful_threads(n_rows, n_workers) == expected


@pytest.mark.slow
def test_auto_is_one_thread_on_few_rows_and_a_number_stays(eight_cores, compose_config):
    for words, expected in ((["model=rf"], 1), (["model=rf", "model.n_jobs=3"], 3)):
        config = compose_config("dataset=synthetic", *words)
        model = build_pipeline(config, prepare_data(config).dataset).named_steps["model"]
        assert model.n_jobs == expected
