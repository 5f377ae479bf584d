import numpy as np
import pytest
import xgboost

from student_perf.models.ubjson import read_ubjson

REFUSED = "booster|codec can't decode"


@pytest.fixture(scope="module")
def booster():
    rows = np.random.default_rng(0).normal(size=(60, 3))
    data = xgboost.DMatrix(rows, label=rows[:, 0] > 0, nthread=1)
    return xgboost.train({"objective": "binary:logistic", "nthread": 1}, data, num_boost_round=2)


def test_a_booster_reads_as_its_json_says(booster):
    import json

    expected = json.loads(bytes(booster.save_raw("json")))["learner"]
    found = read_ubjson(bytes(booster.save_raw("ubj")))["learner"]
    assert found["learner_model_param"] == expected["learner_model_param"]
    trees = [one["gradient_booster"]["model"]["trees"] for one in (found, expected)]
    for one, other in zip(*trees, strict=True):
        for name in ("left_children", "split_indices", "parents"):
            np.testing.assert_array_equal(one[name], other[name])
        np.testing.assert_allclose(one["split_conditions"], other["split_conditions"], rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"SU\x02ok", "ok"),
        (b"[]", []),
        (b"[i\x01U\xff]", [1, 255]),
        (b"[#U\x02TF", [True, False]),
        (b"{U\x01aZ}", {"a": None}),
        (b"d\x3f\x80\x00\x00", 1.0),
        (b"I\xff\xfe", -2),
    ],
)
def test_values_of_every_type(content, value):
    assert read_ubjson(content) == value


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"SU\x05ok",
        b"SL\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"SL\xff\xff\xff\xff\xff\xff\xff\xff",
        b"[$l#L\x7f\xff\xff\xff\xff\xff\xff\xff",
        b"[#L\x00\x00\x00\x00\x7f\xff\xff\xff",
        b"[$T#U\x02",
        b"[#i\xff",
        b"?",
        b"SU\x02ok ",
        b"SS",
        b"{U\x01aTU\x01aF}",
        b"[" * 100,
        b"SU\x01\xff",
    ],
)
def test_other_bytes_are_refused(content):
    with pytest.raises(ValueError, match=REFUSED):
        read_ubjson(content)


def test_every_cut_of_a_booster_is_refused(booster):
    content = bytes(booster.save_raw("ubj"))
    for length in range(0, len(content) - 1, 97):
        with pytest.raises(ValueError, match=REFUSED):
            read_ubjson(content[:length])
