import re

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost

from student_perf.models import boosters as boosters_module
from student_perf.models.boosters import BOOSTERS, check_booster, try_out
from student_perf.models.ubjson import read_ubjson
from student_perf.runs.model_audit import audit_model
from tests.tampering import saved

XGBOOST, LIGHTGBM = "xgboost.core.Booster", "lightgbm.basic.Booster"


def table():
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(rng.normal(size=(200, 3)), columns=["a", "b", "c"])
    words = pd.Categorical(rng.choice(["x", "y", "z"], 200))
    shift = (words == "z") * 2.0
    return rows.assign(word=words), (rows["a"] + shift > 0.3).astype(int) + (rows["b"] > 0.5)


def xgboost_models():
    quick = {"n_estimators": 3, "max_depth": 3, "n_jobs": 1}
    yield "classes", xgboost.XGBClassifier(**quick, enable_categorical=True, max_cat_to_onehot=1)
    yield "numbers", xgboost.XGBRegressor(**quick, enable_categorical=True)
    yield "dart", xgboost.XGBRegressor(**quick, booster="dart", enable_categorical=True)
    yield "forest", xgboost.XGBRFRegressor(**quick, enable_categorical=True)
    yield "pruned", xgboost.XGBRegressor(**quick, gamma=5.0, enable_categorical=True)
    yield "exact", xgboost.XGBRegressor(**quick, tree_method="exact", gamma=5.0)
    yield "linear", xgboost.XGBRegressor(n_estimators=3, booster="gblinear", n_jobs=1)


def handle(model, rows, target):
    return bytes(model.fit(rows, target).get_booster().__getstate__()["handle"])


@pytest.fixture(scope="module")
def boosters():
    rows, target = table()
    made = {}
    for name, model in xgboost_models():
        plain = name in ("linear", "exact")
        made[name] = handle(model, rows.drop(columns="word") if plain else rows, target)
    return made


@pytest.fixture(scope="module")
def texts():
    rows, target = table()
    quick = {
        "n_estimators": 3,
        "num_leaves": 8,
        "n_jobs": 1,
        "verbosity": -1,
        "min_child_samples": 5,
    }
    return {
        "classes": lightgbm.LGBMClassifier(**quick).fit(rows, target).booster_.model_to_string(),
        "numbers": lightgbm.LGBMRegressor(**quick).fit(rows, target).booster_.model_to_string(),
        "two": lightgbm.LGBMClassifier(**quick).fit(rows, target > 0).booster_.model_to_string(),
        "forest": lightgbm.LGBMRegressor(
            **quick, boosting_type="rf", subsample=0.5, subsample_freq=1
        )
        .fit(rows, target)
        .booster_.model_to_string(),
        "leaf": lightgbm.LGBMRegressor(**quick).fit(rows, target * 0).booster_.model_to_string(),
    }


@pytest.mark.parametrize("name", [name for name, _ in xgboost_models()])
def test_boosters_of_xgboost_are_taken(boosters, name):
    check_booster(XGBOOST, boosters[name])


@pytest.mark.parametrize("name", ["classes", "numbers", "two", "forest", "leaf"])
def test_boosters_of_lightgbm_are_taken(texts, name):
    check_booster(LIGHTGBM, texts[name])


def patched(content, name, position, value, *, size=4, number=0):
    """The booster with one figure of the array that has a name changed."""
    places = [m.end() for m in re.finditer(re.escape(name) + rb"\[\$.#L.{8}", content, re.S)]
    start = places[number] + size * position
    packed = value.to_bytes(size, "big", signed=True)
    return content[:start] + packed + content[start + size :]


@pytest.mark.parametrize("value", [2**31 - 1, -2, 5_000])
@pytest.mark.parametrize(
    "name", [b"left_children", b"right_children", b"split_indices", b"parents"]
)
def test_one_changed_figure_of_a_tree_is_refused(boosters, name, value):
    for booster in ("classes", "numbers", "dart"):
        # The first parent is the root's, which says that it has none.
        changed = patched(boosters[booster], name, int(name == b"parents"), value)
        assert read_ubjson(changed)  # it still reads as a booster
        with pytest.raises(ValueError, match=r"xgboost.core.Booster that is broken: a"):
            check_booster(XGBOOST, changed)


def renamed(content, old, new):
    """The first value of a name, which is a text of the same length, replaced."""
    assert len(old) == len(new)
    assert old in content
    return content.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"num_featureSL\0\0\0\0\0\0\0\x014", b"num_featureSL\0\0\0\0\0\0\0\x012"),
        (b"num_classSL\0\0\0\0\0\0\0\x013", b"num_classSL\0\0\0\0\0\0\0\x012"),
        (b"num_treesSL\0\0\0\0\0\0\0\x019", b"num_treesSL\0\0\0\0\0\0\0\x018"),
        (b"tree_info[#L\0\0\0\0\0\0\0\x09i\0", b"tree_info[#L\0\0\0\0\0\0\0\x09i\x09"),
        (b"size_leaf_vectorSL\0\0\0\0\0\0\0\x011", b"size_leaf_vectorSL\0\0\0\0\0\0\0\x013"),
        (
            b"iteration_indptr[#L\0\0\0\0\0\0\0\x04i\0",
            b"iteration_indptr[#L\0\0\0\0\0\0\0\x04i\x05",
        ),
    ],
)
def test_numbers_that_do_not_fit_together_are_refused(boosters, old, new):
    with pytest.raises(ValueError, match="broken"):
        check_booster(XGBOOST, renamed(boosters["classes"], old, new))


@pytest.mark.parametrize("name", [b"categories_nodes", b"categories"])
def test_categories_outside_of_their_array_are_refused(boosters, name):
    content = boosters["classes"]
    filled = [
        number
        for number, found in enumerate(
            re.finditer(re.escape(name) + rb"\[\$.#L(.{8})", content, re.S)
        )
        if int.from_bytes(found.group(1), "big")
    ]
    changed = patched(content, name, 0, -7, number=filled[0])
    with pytest.raises(ValueError, match="broken"):
        check_booster(XGBOOST, changed)


def line(text, name, change):
    """The text with the first list of a name changed, and the sizes of the trees as they are."""
    found = re.search(rf"^{name}=(.*)$", text, re.M)
    values = found.group(1).split(" ")
    changed = " ".join(change(values))
    grown = len(changed) - len(found.group(1))
    text = text[: found.start(1)] + changed + text[found.end(1) :]
    sizes = re.search(r"^tree_sizes=(\d+)", text, re.M)
    return text[: sizes.start(1)] + str(int(sizes.group(1)) + grown) + text[sizes.end(1) :]


@pytest.mark.parametrize("value", ["99", "-99", str(2**31 - 1), str(2**40), "x", "1.5"])
@pytest.mark.parametrize("name", ["left_child", "right_child", "split_feature"])
def test_one_changed_figure_of_a_text_is_refused(texts, name, value):
    for text in (texts["classes"], texts["numbers"]):
        changed = line(text, name, lambda values: [value, *values[1:]])
        with pytest.raises(ValueError, match=r"lightgbm.basic.Booster that is broken"):
            check_booster(LIGHTGBM, changed)


@pytest.mark.parametrize(
    "name",
    ["left_child", "right_child", "split_feature", "threshold", "decision_type", "leaf_value"],
)
def test_a_list_that_is_too_short_is_refused(texts, name):
    with pytest.raises(ValueError, match=r"one entry a node|a number for each"):
        check_booster(LIGHTGBM, line(texts["numbers"], name, lambda values: values[1:]))


@pytest.mark.parametrize("value", ["1.3x2", "", "1.2.3", "--1", "1e", "0x10", "1_000"])
@pytest.mark.parametrize("name", ["leaf_value", "leaf_weight", "split_gain", "internal_count"])
def test_what_is_not_a_number_in_a_text_is_refused(texts, name, value):
    changed = line(texts["numbers"], name, lambda values: [value, *values[1:]])
    with pytest.raises(ValueError, match="a number for each"):
        check_booster(LIGHTGBM, changed)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("num_class=3", "num_class=1"),
        ("num_class:3", "num_class:9"),
        ("num_tree_per_iteration=3", "num_tree_per_iteration=1"),
        ("max_feature_idx=3", "max_feature_idx=0"),
        ("tree_sizes=", "tree_sizes=9"),
        ("Tree=1\n", "Tree=7\n"),
        ("num_leaves=", "num_leaves=9"),
        ("is_linear=0", "is_linear=1"),
        ("objective=multiclass num_class:3", "objective=multiclass"),
        ("num_cat=", "num_cat=5"),
    ],
)
def test_a_text_that_says_two_things_is_refused(texts, old, new):
    assert old in texts["classes"]
    with pytest.raises(ValueError, match="broken"):
        check_booster(LIGHTGBM, texts["classes"].replace(old, new))


@pytest.mark.parametrize("name", sorted(BOOSTERS))
@pytest.mark.parametrize("content", [None, b"", "", b"{}", "tree\n", 7])
def test_something_else_is_refused(name, content):
    with pytest.raises(ValueError, match=f"{name} (without a booster|that is broken)"):
        check_booster(name, content)


@pytest.fixture(scope="module")
def cat():
    rows, target = table()
    quick = {"iterations": 3, "depth": 3, "verbose": False, "allow_writing_files": False}
    model = catboost.CatBoostClassifier(**quick, cat_features=["word"])
    return bytes(model.fit(rows.assign(word=rows["word"].astype(str)), target)._serialize_model())


@pytest.mark.slow
def test_a_model_of_catboost_is_tried_out(cat):
    try_out(cat)


@pytest.mark.parametrize("content", [b"", b"CBM1", b"CBM1" + b"\xff" * 200])
@pytest.mark.slow
def test_what_is_not_a_model_of_catboost_is_refused(content):
    with pytest.raises(ValueError, match="ends the process that tries it out"):
        try_out(content)


def test_a_model_that_crashes_its_process_does_not_crash_this_one(tmp_path, monkeypatch):
    script = tmp_path / "crash.py"
    script.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    monkeypatch.setattr(boosters_module, "_TRIAL", script)
    with pytest.raises(ValueError, match=r"\(signal 11\)"):
        try_out(b"")
    script.write_text("import sys\nsys.stdin.read()\nwhile True: pass\n")
    monkeypatch.setattr(boosters_module, "_PATIENCE", 0.5)
    with pytest.raises(ValueError, match=r"did not answer within"):
        try_out(b"")


def test_a_model_file_names_the_catboost_models_in_it(cat, tmp_path):
    model = catboost.CatBoost()
    model._load_from_string(cat)
    holder = catboost.CatBoostClassifier()
    holder.__setstate__(model.__getstate__())
    found = audit_model(saved(holder, tmp_path / "model.skops").read_bytes())
    assert [content[:4] for content in found.untried] == [b"CBM1"]
    empty = audit_model(saved(catboost.CatBoostClassifier(), tmp_path / "b.skops").read_bytes())
    assert not empty.untried
