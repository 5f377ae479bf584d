import numpy as np
import pandas as pd
import pytest

from student_perf.data.fingerprint import fingerprint_arrays, fingerprint_table


def table():
    return pd.DataFrame(
        {
            "hours": [1.0, np.nan, 3.0],
            "paid": [True, False, True],
            "school": pd.Series(["n", None, "é"], dtype="str"),
        }
    )


def test_hash_is_pinned():
    # A change here means that no earlier run can be matched to its data any more.
    assert fingerprint_table(table()).startswith("0dfe3baeace6")


@pytest.mark.parametrize(
    "same",
    [
        lambda t: t.assign(school=t["school"].astype("object")),
        lambda t: t.assign(school=t["school"].astype("category")),
        lambda t: t.assign(paid=t["paid"].astype("int8")),
        lambda t: t.assign(hours=t["hours"].astype("float32")),
        lambda t: t.set_index(pd.Index([7, 8, 9])),
    ],
)
def test_storage_does_not_matter(same):
    assert fingerprint_table(same(table())) == fingerprint_table(table())


@pytest.mark.parametrize(
    "other",
    [
        lambda t: t.iloc[[1, 0, 2]],
        lambda t: t[["paid", "hours", "school"]],
        lambda t: t.rename(columns={"hours": "hour"}),
        lambda t: t.assign(hours=[1.0, np.nan, 3.0000001]),
        lambda t: t.assign(hours=[1.0, 0.0, 3.0]),
        lambda t: t.assign(school=["n", "", "é"]),
        lambda t: t.assign(school=["n", None, "e"]),
        lambda t: t.assign(hours=t["hours"].astype("str")),
        lambda t: t.iloc[:2],
    ],
)
def test_content_and_order_do_matter(other):
    assert fingerprint_table(other(table())) != fingerprint_table(table())


def test_neighbouring_texts_cannot_be_confused():
    one = pd.DataFrame({"a": ["xy", "z"]})
    two = pd.DataFrame({"a": ["x", "yz"]})
    assert fingerprint_table(one) != fingerprint_table(two)


def test_index_arrays_hash_by_value_and_boundary():
    assert fingerprint_arrays([np.array([1, 2])]) == fingerprint_arrays([np.array([1, 2], "int32")])
    assert fingerprint_arrays([np.array([1]), np.array([2])]) != fingerprint_arrays(
        [np.array([1, 2]), np.array([], dtype=int)]
    )


def test_mlflows_own_digest_misses_a_shuffled_text_column():
    from mlflow.data.pandas_dataset import from_pandas

    rng = np.random.default_rng(0)
    names = pd.Series([*rng.choice(["a", "b", "c"], 99), None], dtype="object")
    table = pd.DataFrame({"x": range(100), "school": names})
    shuffled = table.assign(school=rng.permutation(names))
    assert from_pandas(table).digest == from_pandas(shuffled).digest
    assert fingerprint_table(table) != fingerprint_table(shuffled)
