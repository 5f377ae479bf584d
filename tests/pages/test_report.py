import base64
import hashlib
import re
from dataclasses import replace

import numpy as np
import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.outcome import load_sweep
from student_perf.pages.report import Comparison, comparison_page, sweep_page, write_report
from student_perf.runs.record import load_record
from tests.pages.page_reader import Reader, leaderboard

RNG = np.random.default_rng(11)
FOLDS = [(0.5 + RNG.normal(0, 0.02, 5)).tolist() for _ in range(11)]
FOLDS[4] = [value + 0.04 for value in FOLDS[4]]
FOLDS[7] = [value - 0.3 for value in FOLDS[7]]  # surely worse
NASTY = "</script><b>x</b>&\"'{{ 7717*7717 }}"


@pytest.fixture
def folder(sweep_folder):
    return sweep_folder(FOLDS)


def test_the_page_needs_nothing_beside_itself(folder):
    text = sweep_page(load_sweep(folder))
    reader = Reader(text)
    assert "://" not in text
    assert {"link", "iframe", "object", "base", "form"}.isdisjoint(reader.tags)
    assert reader.links
    assert all(link.startswith("data:image/png;base64,") for link in reader.links)
    for link in reader.links:
        assert base64.b64decode(link.partition(",")[2]).startswith(b"\x89PNG")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text  # so no other script may run


def test_text_of_data_is_never_markup(sweep_folder):
    found = sweep_folder(FOLDS[:3])
    for record in [load_record(found), *(load_record(found / str(i)) for i in range(3))]:
        record.params |= {f"model.{NASTY}": NASTY, f"swept.model.{NASTY}": NASTY}
        record.space = [{"name": NASTY, "key": f"model.{NASTY}", "values": NASTY}]
        record.tags |= {"dataset": NASTY, "student_perf.target": NASTY}
        record.save()
    load_record(found / "2").fail(NASTY)
    plain = Reader(sweep_page(load_sweep(sweep_folder(FOLDS[:3], study="plain"))))
    reader = Reader(sweep_page(load_sweep(found)))
    assert "b" not in reader.tags
    assert reader.tags.count("script") == plain.tags.count("script")
    assert any(NASTY in cell for table in reader.tables for row in table for cell in row)
    assert NASTY in " ".join(reader.text)
    (configs,) = reader.json
    assert configs["base"][f"model.{NASTY}"] == NASTY
    assert "59552089" not in " ".join(reader.text)


@pytest.mark.slow
def test_a_long_sweep_is_capped(sweep_folder):
    folds = [(0.5 + RNG.normal(0, 0.02, 3)).tolist() for _ in range(230)]
    found = sweep_folder(folds)
    text = sweep_page(load_sweep(found))
    reader = Reader(text)
    assert len(leaderboard(reader)) in (20, 21)  # the defaults are shown whatever their place
    assert len(reader.json[0]["runs"]) in (200, 201)
    assert len(text) < 2_000_000


@pytest.fixture
def compared(sweep_folder):
    """Two sweeps on the same rows, as `compare one two --html` reads them."""
    folders = [
        sweep_folder(FOLDS[:5], study="one"),
        sweep_folder(FOLDS[5:], study="two", model="rf"),
    ]
    sweeps = [load_sweep(folder) for folder in folders]
    boards = make_leaderboards([trial for sweep in sweeps for trial in sweep.trials])
    return Comparison(boards, sweeps, notes=[f"Tuning: {NASTY}"])


def test_several_sweeps_are_ranked_together(compared):
    text = comparison_page(compared)
    reader = Reader(text)
    joint = leaderboard(reader)
    assert [row["run"] for row in joint] == [line.label for line in compared.boards[0].lines]
    assert joint[0]["mean"] == f"{np.mean(FOLDS[4]):.3f}"
    assert reader.tags.count("article") == 3  # together, and each alone
    assert f"Tuning: {NASTY}" in " ".join(reader.text)
    assert "b" not in reader.tags
    assert "://" not in text


def test_one_sweep_alone_is_not_told_twice(folder):
    sweep = load_sweep(folder)
    page = comparison_page(Comparison(make_leaderboards(sweep.trials), [sweep]))
    assert Reader(page).tags.count("article") == 1


def test_runs_without_a_sweep_on_this_disk_are_compared_too(compared):
    page = comparison_page(replace(compared, sweeps=[]))
    reader = Reader(page)
    assert reader.tags.count("article") == 1
    assert "11 runs on grades" in " ".join(reader.text)


def test_a_report_is_written_whole(folder, tmp_path):
    sweep = load_sweep(folder)
    assert write_report(tmp_path / "report.html", sweep).read_text("utf-8") == sweep_page(sweep)
