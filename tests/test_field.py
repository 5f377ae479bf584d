"""The study of model=auto beside the field: what it keeps, its order, and what its page says."""

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from student_perf.paths import PROJECT_DIR
from studies import field
from studies.field_page import page, scored_tables
from studies.field_results import (
    METHODS,
    RESULTS,
    Fit,
    Setting,
    Truth,
    fit_file,
    folder_of,
    read_fit,
    read_truth,
    truth_file,
    write_fit,
    write_truth,
)
from studies.small_tables import FIELD, SmallTable
from tests.data.test_reference_data import FOLDER

SETTING = Setting(60.0, 1, 2)
NUMBERS, CLASSES = FIELD[0], FIELD[-1]
MOST_BYTES = 4_000_000
FROM_FILES = [table for table in FIELD if table.source.endswith(".csv")]


def kept(place, table, fold, losses, setting=SETTING, n=200, predict=0.1):
    """A fold of which each method has answered with noise of this size."""
    rng = np.random.default_rng(fold)
    is_class = table.kind != "numbers"
    target = rng.integers(0, 2, n) if is_class else rng.normal(size=n)
    dummy = np.array([0.5, 0.5]) if is_class else np.zeros(())
    write_truth(truth_file(place, table, fold), Truth(np.arange(n) + fold * n, target, dummy))
    for method, loss in losses.items():
        output = target + loss * rng.normal(size=n)
        if is_class:
            sure = 1 / (1 + np.exp(-rng.normal(2 - 3 * loss, 0.5, n)))
            right = np.where(target == 1, sure, 1 - sure)
            output = np.column_stack([1 - right, right])
        seconds = (1.0, predict * (10 if method == "autogluon" else 1))
        fit = Fit(output, seconds, setting, f"{method} 1.0")
        write_fit(fit_file(place, table, fold, method), fit)


def test_the_page_is_that_of_its_results(tmp_path):
    if None in [table.load(FOLDER) for table in FROM_FILES]:
        pytest.skip("the tables of students are not here, so the page would lack them")
    shutil.copytree(RESULTS, tmp_path / "field")
    field.restore_truths(tmp_path / "field", FOLDER)
    text = (PROJECT_DIR / "docs" / "field.md").read_text(encoding="utf-8")
    assert text == page(scored_tables(tmp_path / "field")), "run: python -m studies.field"


def test_the_front_pages_say_what_the_page_says():
    rows = re.findall(r"^\| (\S.*?) \| ([\d.]+) \|", read("docs/field.md"), re.M)
    ranks = {method: float(rank) for method, rank in rows if method in METHODS}
    assert min(ranks, key=ranks.get) == "auto"
    assert len(ranks) == 6
    seconds = re.search(r"^\| auto \|(?:[^|]+\|){5} ([\d.]+) \|", read("docs/field.md"), re.M)
    assert round(float(seconds[1])) == 5
    said = {name: " ".join(read(name).split()) for name in ("README.md", "README.es.md")}
    assert "best mean rank of six methods, in 5 of the 60 seconds" in said["README.md"]
    assert "mejor rango medio de seis métodos, en 5 de los 60 segundos" in said["README.es.md"]


def read(name):
    return (PROJECT_DIR / name).read_text(encoding="utf-8")


def test_true_values_of_tables_in_files_are_not_committed():
    words = ["git", "ls-files", "studies/results/field"]
    done = subprocess.run(words, cwd=PROJECT_DIR, capture_output=True, text=True)
    if not (listed := done.stdout.split()):
        pytest.skip("this is no checkout of git")
    truths = {Path(name).parent.name for name in listed if name.endswith("-truth.npz")}
    assert truths == {folder_of(RESULTS, one).name for one in FIELD if one not in FROM_FILES}


def test_true_values_that_are_missing_come_from_the_tables_again(tmp_path):
    kept(tmp_path, NUMBERS, 0, {"auto": 0.5})
    truth_file(tmp_path, NUMBERS, 0).unlink()
    assert scored_tables(tmp_path) == []
    field.restore_truths(tmp_path, None)
    fold = field.folds_of(NUMBERS, None)[0]
    truth = read_truth(truth_file(tmp_path, NUMBERS, 0))
    np.testing.assert_array_equal(truth.row, fold.test)
    assert [file.name for file in folder_of(tmp_path, NUMBERS).glob("*-truth.npz")] == [
        "0-truth.npz"
    ]


def test_the_committed_results_stay_small():
    files = [file for file in RESULTS.rglob("*") if file.is_file()] if RESULTS.is_dir() else []
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
    assert all(re.fullmatch(r"\d+-\w+\.npz", file.name) for file in files)


def test_every_table_has_a_folder_of_its_own(tmp_path):
    assert len({folder_of(tmp_path, table).name for table in FIELD}) == len(FIELD)


def test_answers_and_truth_come_back(tmp_path):
    shares = np.array([[0.3, 0.7], [1 / 3, 2 / 3]])
    fit = Fit(shares, (61.5, float("nan")), SETTING, "flaml 2.7.0", "no memory")
    write_fit(tmp_path / "0-flaml.npz", fit)
    back = read_fit(tmp_path / "0-flaml.npz")
    np.testing.assert_allclose(back.output, shares, atol=1e-7)
    np.testing.assert_allclose(back.output.sum(axis=1), 1.0, atol=1e-15)
    assert (back.setting, back.software, back.error) == (SETTING, "flaml 2.7.0", "no memory")
    assert back.seconds[0] == 61.5
    assert np.isnan(back.seconds[1])
    write_truth(tmp_path / "0-truth.npz", Truth(np.array([4, 7]), np.array([1, 0]), shares[0]))
    truth = read_truth(tmp_path / "0-truth.npz")
    assert (truth.row.tolist(), truth.target.tolist()) == ([4, 7], [1, 0])
    np.testing.assert_array_equal(truth.of_dummy, [[0.3, 0.7], [0.3, 0.7]])


def test_the_page_takes_the_folds_that_all_methods_have_finished(tmp_path):
    both = {"auto": 0.5, "autogluon": 0.5}
    for fold in range(3):
        kept(tmp_path, NUMBERS, fold, both)
    kept(tmp_path, CLASSES, 0, both)
    kept(tmp_path, CLASSES, 1, {"auto": 0.5})
    kept(tmp_path, FIELD[1], 0, {"auto": 0.5})
    tables = scored_tables(tmp_path)
    assert {one.table.name: one.n_folds for one in tables} == {NUMBERS.name: 3, CLASSES.name: 1}
    text = " ".join(page(tables).split())
    assert f"2 of {len(FIELD)} real tables" in text
    assert "60 seconds a fit on one core for every method, 2 fits at a time" in text
    assert "all methods have finished: 3 on 1, 1 on 1 of these tables" in text
    assert "Made with auto 1.0, autogluon 1.0." in text


def test_the_page_names_the_tables_where_auto_loses_and_the_time_of_answers(tmp_path):
    kept(tmp_path, NUMBERS, 0, {"auto": 0.9, "autogluon": 0.3, "flaml": 0.9, "linear": 2.0})
    kept(tmp_path, CLASSES, 0, {"auto": 0.2, "autogluon": 0.9, "flaml": 0.2, "linear": 0.9})
    text = " ".join(page(scored_tables(tmp_path)).split())
    assert f"- `auto` loses significantly against autogluon on {NUMBERS.name}. autogluon " in text
    assert "autogluon takes 10 times as long to answer (median over the tables)." in text
    assert "- `auto` loses significantly against linear on no table." in text
    assert "flaml takes 1 times as long" in text
    (one, other) = tables = scored_tables(tmp_path)
    behind = np.mean([each.ranks["autogluon"] - each.ranks["auto"] for each in tables])
    shown = re.search(r"\| autogluon \| [\d.]+ \| ([^|]+) \| [\d.]+ \| 1 / 0 / 1 \|", text)
    assert re.fullmatch(r"([-+][\d.]+) \([-+][\d.]+ to [-+][\d.]+\)", shown[1])
    assert float(shown[1].split()[0]) == pytest.approx(behind, abs=0.005)
    assert one.ranks["autogluon"] == 1
    assert other.normalised("auto") <= 1 > other.normalised("linear")
    assert one.normalised("linear") == 0  # the dummy is better


def test_a_method_that_never_answers_is_shown_with_its_reasons(tmp_path):
    kept(tmp_path, NUMBERS, 0, {"auto": 0.5})
    none = Fit(np.zeros(200), (60.0, float("nan")), SETTING, error="no memory")
    write_fit(fit_file(tmp_path, NUMBERS, 0, "flaml"), none)
    text = " ".join(page(scored_tables(tmp_path)).split())
    assert re.search(r"\| flaml \| 2.00 \| \+1.00 \| 0.000 \| 1 / 0 / 0 \| 1 \| 60.0 \| - \|", text)
    assert "on no table. Without an answer it said: `no memory`." in text


def test_results_of_two_settings_are_not_mixed(tmp_path):
    kept(tmp_path, NUMBERS, 0, {"auto": 0.5})
    kept(tmp_path, CLASSES, 0, {"auto": 0.5}, setting=Setting(60.0, 2, 1))
    with pytest.raises(ValueError, match="several settings"):
        scored_tables(tmp_path)


def test_a_fold_of_every_table_comes_before_the_next_fold():
    tables = [
        [SimpleNamespace(table=t, number=n) for n in range(k)] for t, k in (("a", 3), ("b", 2))
    ]
    order = [(f.number, f.table, m) for f, m in field.in_order(tables, ["auto", "flaml"])]
    assert order[:4] == [(0, "a", "auto"), (0, "a", "flaml"), (0, "b", "auto"), (0, "b", "flaml")]
    assert [number for number, *_ in order] == sorted(number for number, *_ in order)
    assert len(order) == 10


def test_a_table_that_has_changed_ends_the_study(tmp_path):
    fold = field.folds_of(NUMBERS, None)[0]
    field.keep_truth(tmp_path, fold)
    field.keep_truth(tmp_path, fold)
    other = SimpleNamespace(table=NUMBERS, number=0, truth=fold.truth)
    other.truth = Truth(fold.truth.row, fold.truth.target + 1, fold.truth.dummy)
    with pytest.raises(SystemExit, match="holds other rows"):
        field.keep_truth(tmp_path, other)


STUB = """
import json, os, sys
import numpy as np
job = json.loads(sys.argv[1])
if job["method"] == "flaml":
    sys.exit("no license")
n = {n}
print(os.getcwd())
output = np.full(n, len(os.sched_getaffinity(0)) + 10.0 * int(os.environ["OMP_NUM_THREADS"]))
np.savez(job["out"], output=output, seconds=(1.0, 0.5), software="stub 1")
"""


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study of a fold by two rivals, whose script says to which cores it is held."""
    fold = field.folds_of(NUMBERS, None)[0]
    (tmp_path / "stub.py").write_text(STUB.format(n=len(fold.test)))
    monkeypatch.setattr(field, "RIVAL", tmp_path / "stub.py")
    pythons = dict.fromkeys(("flaml", "autogluon"), sys.executable)
    work = iter(field.in_order([[fold]], list(pythons)))
    return field.Study(tmp_path / "results", SETTING, pythons, work), fold


def test_a_fit_is_held_to_its_core_and_one_without_an_answer_is_the_dummys(study, capsys):
    begun, fold = study
    former = os.sched_getaffinity(0)
    try:
        begun.work_on([min(former)])
    finally:
        os.sched_setaffinity(0, former)
    held = read_fit(fit_file(begun.place, NUMBERS, 0, "autogluon"))
    assert set(held.output) == {11.0}  # one core and one thread
    assert (held.seconds, held.software, held.error) == ((1.0, 0.5), "stub 1", "")
    none = read_fit(fit_file(begun.place, NUMBERS, 0, "flaml"))
    np.testing.assert_allclose(none.output, fold.y[fold.train].mean(), rtol=1e-6)
    assert none.error == "no license"
    assert "econmath (score), fold 0, flaml no license" in capsys.readouterr().out


def test_no_fit_begins_that_could_not_end_in_time(study):
    begun, _ = study
    begun.until = time.monotonic() + SETTING.seconds
    assert begun._next() is None
    begun.until = None
    assert begun._next()[1] == "flaml"


def chosen(tmp_path, **changed):
    options = {"seconds": 60.0, "cores": 1, "jobs": 2, "data": None, "tables": 1, "folds": 1}
    options |= {"flaml": None, "autogluon": None, "results": tmp_path, "minutes": 0.0}
    return argparse.Namespace(**options | changed)


def test_a_study_refuses_results_of_another_setting_and_cores_that_are_not_there(tmp_path):
    many = len(os.sched_getaffinity(0))
    with pytest.raises(SystemExit, match=f"--cores {many}: there are {many} cores"):
        field.run(chosen(tmp_path, cores=many))
    fold = field.folds_of(NUMBERS, None)[0]
    fit = Fit(fold.truth.of_dummy, (1.0, 1.0), Setting(5.0, 1, 2))
    write_fit(fit_file(tmp_path, NUMBERS, 0, "auto"), fit)
    with pytest.raises(SystemExit, match="name another folder by --results"):
        field.run(chosen(tmp_path))


def test_a_study_ends_by_itself_and_says_what_is_left(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(os, "sched_setaffinity", lambda *_: None)
    field.run(chosen(tmp_path))
    assert capsys.readouterr().out == "3 fits are left\n"


def test_copies_of_a_row_stand_in_no_two_folds(tmp_path):
    rows = [f"{i},{i % 2}" for i in range(30)]
    (tmp_path / "t.csv").write_text("\n".join(["x,y", *rows, *rows]))
    (one, *_) = field.folds_of(SmallTable("t.csv", "y", "classes", has_copies=True), tmp_path)
    assert not set(one.x["x"].iloc[one.train]) & set(one.x["x"].iloc[one.test])
    assert len(one.x) == 30
    assert {"xAPI-Edu-Data.csv"} == {table.source for table in FIELD if table.has_copies}


def test_a_table_without_its_file_has_no_folds():
    assert field.folds_of(SmallTable("nowhere.csv", "G3", "ordered"), None) == []
