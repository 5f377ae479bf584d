import numpy as np
import pandas as pd
import pytest

from student_perf.errors import ConfigError
from student_perf.preprocess import build_preprocessor, build_steps


def table():
    return pd.DataFrame(
        {
            "hours": [1.0, np.nan, 3.0, 5.0],
            "school": pd.Series(["n", "s", None, "n"], dtype="str"),
        }
    )


def test_default_imputes_scales_and_encodes(compose_config):
    steps = build_steps(compose_config().preprocess | {"name": "x"})
    out = build_preprocessor(steps, ["hours"], ["school"]).fit_transform(table())
    # median 3 fills the gap; below min_frequency all categories share one column
    hours = np.array([1.0, 3.0, 3.0, 5.0])
    np.testing.assert_allclose(out[:, 0], (hours - hours.mean()) / hours.std())
    np.testing.assert_array_equal(out[:, 1:].sum(axis=1), 1)


def test_a_missing_category_is_one_of_its_own(compose_config):
    config = compose_config("preprocess.categorical.encode.min_frequency=1").preprocess
    transformer = build_preprocessor(build_steps(config), [], ["school"]).fit(table())
    assert list(transformer.get_feature_names_out()) == ["school_missing", "school_n", "school_s"]


def test_columns_outside_the_list_are_dropped_and_empty_kinds_left_out(compose_config):
    steps = build_steps(compose_config().preprocess)
    out = build_preprocessor(steps, ["hours"], []).fit_transform(table())
    assert out.shape == (4, 1)


def test_a_kind_without_steps_passes_through():
    steps = build_steps({"name": "raw", "numeric": None})
    out = build_preprocessor(steps, ["hours"], []).fit_transform(table())
    np.testing.assert_array_equal(out[:, 0], table()["hours"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"numbers": {}}, "no kind of column"),
        ({"numeric": {"scale": "standard"}}, "a step is a group"),
        ({"numeric": {"scale": {"_target_": "os.system"}}}, "only classes below"),
    ],
)
def test_refuses_other_shapes(config, message):
    with pytest.raises(ConfigError, match=message):
        build_steps(config)
