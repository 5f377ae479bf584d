import pytest
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from student_perf.errors import ConfigError
from student_perf.experiment.prepare import build_pipeline, prepare, prepare_data, useful_threads


def test_what_is_prepared_is_unfitted_and_keeps_the_test_rows_apart(compose_config):
    prepared = prepare(compose_config("tracking=off", "model=rf"))
    with pytest.raises(NotFittedError):
        check_is_fitted(prepared.estimator)
    split = prepared.split
    assert not set(split.test) & set(split.development)
    assert len(split.test) + len(split.development) == prepared.dataset.n_rows
    assert list(prepared.contract.columns) == list(prepared.dataset.features.columns)


def test_a_model_that_cannot_serve_is_refused_before_the_data_are_read(compose_config):
    config = compose_config(
        "tracking=off",
        "dataset=csv",
        "dataset.path=absent.csv",
        "dataset.target=x",
        "dataset.task=regression",
        "model=logreg",
    )
    with pytest.raises(ConfigError, match="model=logreg: has no regressor"):
        prepare(config)


def test_the_pipeline_takes_the_columns_of_the_dataset(compose_config):
    config = compose_config("tracking=off")
    data = prepare_data(config)
    steps = build_pipeline(config, data.dataset).named_steps
    ((kind, _, columns),) = steps["preprocess"].transformers
    assert (kind, columns) == ("numeric", data.dataset.numeric)


def test_few_rows_get_one_thread():
    assert useful_threads(700) == 1
    assert useful_threads(1_000_000) >= 1
