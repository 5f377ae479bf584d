"""Columns, classes, tags and experiments whose names are markup, formulas, mathematics or marks of
direction go through a whole run, and no page, note or table takes them for more than text.
"""

import csv

import numpy as np
import pandas as pd
import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.drift.limits import Thresholds
from student_perf.drift.report import make_report
from student_perf.experiment.run import run_experiment
from student_perf.pages.drift import drift_page
from student_perf.pages.report import Comparison, comparison_page
from student_perf.pages.service import page
from student_perf.runs import tags
from student_perf.runs.record import load_record
from student_perf.serving.predict import predict_file
from student_perf.serving.request_rows import example_row
from student_perf.store.kept_model import load_kept_model
from student_perf.terminal import Terminal
from tests.conftest import compose_config
from tests.pages.page_reader import Reader
from tests.shortcuts import without_pictures

TURNED = f"right{chr(0x202E)}tfel"
MARKUP = "</script><img src=//evil.example onerror=alert(1)>"
LINK = "[x](http://evil.example) ![x](http://evil.example/x.png)"
CLASSES = ["=1+1", "-2", MARKUP]
COLUMNS = {
    MARKUP: "'\"&{{ 7*7 }}",
    "=HYPERLINK(A1)": "@SUM(A1)",
    TURNED: TURNED,
    LINK: "$\\frac{x$",
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file in which every name is hostile."""
    rng = np.random.default_rng(0)
    n = 90
    columns = {
        name: rng.choice([cell, "+cmd|' /C calc'!A0", "<b>"], n) for name, cell in COLUMNS.items()
    }
    file = tmp_path_factory.mktemp("hostile") / "data.csv"
    table = pd.DataFrame(columns | {"points": rng.normal(-5, 1, n), "grade": CLASSES * (n // 3)})
    table.to_csv(file, index=False)
    return file


@pytest.fixture(scope="module")
def finished(data):
    """A run on it."""
    config = compose_config(
        "dataset=csv",
        f"dataset.path={data}",
        "dataset.target=grade",
        "model=logreg",
        "split.n_splits=3",
        "tracking=off",
        f"tracking.experiment='{MARKUP}'",
        f"+tags.note='{MARKUP}'",
        "dataset.subgroups=['=HYPERLINK(A1)']",
    )
    with without_pictures():
        return run_experiment(config, data.parent / "run", Terminal(quiet=True)).record


def assert_only_text(html):
    reader = Reader(html)
    assert "default-src 'none'" in html
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    assert "onerror=alert(1)>" not in html.replace("&gt;", "")
    assert chr(0x202E) not in html
    assert "b" not in reader.tags
    return "".join(
        [*reader.text, *(cell for table in reader.tables for row in table for cell in row)]
    )


def test_pages_show_them_as_text(finished, data):
    kept = load_kept_model(str(finished.folder))
    shown = assert_only_text(page(kept, {"rows": [example_row(kept.contract)]}, 1, 1, "here", True))
    assert MARKUP in shown
    assert "right\\u202etfel" in shown
    board = make_leaderboards([load_record(finished.folder)])
    assert_only_text(comparison_page(Comparison(board, [])))
    half = data.parent / "half.csv"
    pd.read_csv(data)[:40].to_csv(half, index=False)
    assert MARKUP in assert_only_text(drift_page(make_report(str(data), str(half), Thresholds())))


def test_notes_and_card_hold_no_html_link_or_picture(finished):
    card = (finished.folder / "model_card.md").read_text(encoding="utf-8")
    for text in (finished.tags[tags.NOTE], card):
        assert "<" not in text.replace("->", "")
        assert "[" not in text.replace("\\[", "")
        assert chr(0x202E) not in text
    assert "&lt;/script>" in card


def test_no_cell_of_a_table_is_a_formula_and_numbers_stay(finished, data):
    kept = load_kept_model(str(finished.folder))
    raw = pd.read_csv(data)
    raw.loc[0, "=HYPERLINK(A1)"] = "=other"
    raw.to_csv(data.parent / "in.csv", index=False)
    for ending in ("csv", "parquet"):
        predict_file(kept, data.parent / "in.csv", data.parent / f"out.{ending}")
    tables = [*finished.folder.glob("*.csv"), data.parent / "out.csv"]
    assert {"subgroups.csv", "classification_report.csv"} <= {file.name for file in tables}
    for file in tables:
        with file.open(encoding="utf-8", newline="") as lines:
            for cell in (cell for line in csv.reader(lines) for cell in line):
                assert not cell.startswith(("=", "+", "@", "\t")), file.name
                assert not cell.startswith("-") or float(cell) < 0
    answered = pd.read_csv(data.parent / "out.csv", dtype={"prediction": "str"})
    exact = pd.read_parquet(data.parent / "out.parquet")
    assert answered["reason"][0].startswith("'=HYPERLINK(A1): '=other' is not one of")
    assert exact["reason"][0].startswith("=HYPERLINK(A1): '=other' is not one of")
    assert set(exact["prediction"].dropna()) <= set(CLASSES)
    assert set(answered["prediction"].dropna()) <= {"'=1+1", "-2", MARKUP}
