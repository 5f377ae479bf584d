import argparse
import csv
import io
import json

import pytest

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.show import FORMATS, closing, formatted, has_error, show_boards
from student_perf.terminal import Terminal


@pytest.fixture
def boards(make_record):
    records = [
        make_record("xgb-10", [0.6, 0.7, 0.65], "xgb", study="[bold]mine"),
        make_record("xgb-11", [0.5, 0.7, 0.6], "xgb", study="[bold]mine", seconds=0.4),
        make_record("xgb-12", [0.1, 0.1, 0.2], "xgb", study="[bold]mine", status="FAILED"),
        make_record("a|b<c>", [0.3, 0.4, 0.2], "dummy", split="t" * 64),
    ]
    return make_leaderboards(records)


@pytest.fixture
def printed(capsys, monkeypatch):
    """What 80 columns show of leaderboards."""
    monkeypatch.setenv("COLUMNS", "80")

    def show(boards, top=10):
        show_boards(boards, top, Terminal())
        return capsys.readouterr().out

    return show


def test_no_figure_of_the_best_beside_that_of_the_dummy_says_which_is_better(make_record):
    """Without predictions nothing pairs them, however far apart they are."""
    for dummy in (0.1, 0.6):
        metrics = {"dummy_accuracy_mean": dummy}
        (board,) = make_leaderboards([make_record(f"a{dummy}", [0.6, 0.7], "xgb", metrics=metrics)])
        assert any("cannot be paired here" in line for line in closing(board, top=10))


def test_the_table_fits_and_says_why_runs_are_apart(boards, printed):
    text = printed(boards)
    assert max(map(len, text.splitlines())) <= 80
    assert "2 runs on grades, accuracy, kfold, 3 folds" in text
    assert "SP503: not paired with the runs above: other folds." in text
    assert "Not compared: 1 failed." in text
    (chosen,) = [line for line in text.splitlines() if line.startswith("> xgb")]
    assert "0.600 0.100" in chosen  # the faster of the tied
    assert "…" not in text


def test_the_latest_objective_decides_and_the_others_are_named(make_record, printed):
    more = {"metrics": {"fold_accuracy": [0.6, 0.7]}, "started": 2.0}
    records = [make_record(name, [0.5, 0.6], metric="f1_macro", **more) for name in "ab"]
    records.append(make_record("c", [0.5, 0.6], started=3.0))
    text = " ".join(printed(make_leaderboards(records)).split())
    assert "3 runs on grades, accuracy," in text
    assert "2 runs had the objective f1_macro: --metric f1_macro ranks by it." in text


def test_a_single_fold_is_ranked_without_marks(make_record, printed):
    records = [make_record("a", [0.6]), make_record("b", [0.5], "rf")]
    text = printed(make_leaderboards(records))
    assert "2 runs on grades, accuracy, kfold, 1 validation part" in text
    assert "Best: " in text
    assert "tied" not in text
    assert not [line for line in text.splitlines() if line[:1] in "=>" and line[:1]]


def test_a_recommended_run_beyond_the_top_is_shown_too(boards, printed):
    text = printed(boards[:1], top=1)
    assert "> xgb-11" in text
    assert "and 1 more; --top 2 shows all." in text


@pytest.fixture
def mixed(make_record):
    """The best trial of a search beside a run with the defaults of its model."""
    records = [
        make_record("xgb-10", [0.6, 0.7, 0.65], "xgb", study="mine"),
        make_record("rf-1", [0.5, 0.7, 0.6], "rf"),
        make_record("rf-2", [0.4, 0.7, 0.6], "rf", split="t" * 64),
    ]
    records[0].params["swept.model.max_depth"] = "3"
    for one in records[1:]:
        one.tags["student_perf.check.SP502"] = "model=rf: ran with its defaults"
    return records


def test_a_model_with_its_defaults_beside_a_searched_one(mixed, printed):
    text = " ".join(printed(make_leaderboards(mixed)).split())
    assert "SP502: rf rf-1 ran with defaults, xgb-10 was searched: the difference may be" in text
    assert "search -m search=rf too." in text
    assert text.count("SP502") == 1  # the third has no searched one beside it
    del mixed[0].params["swept.model.max_depth"]  # as in a grid over models
    assert "SP502" not in printed(make_leaderboards(mixed))


def test_findings_are_in_the_json_and_of_the_level_of_the_best(mixed):
    boards = make_leaderboards(mixed)
    found = json.loads(formatted(boards, "json", 10))["findings"]
    assert [one["code"] for one in found] == ["SP502", "SP503"]
    assert not has_error(boards)
    mixed[0].params["guards.SP503"] = "error"
    assert has_error(boards)


def test_csv_and_json_hold_every_figure_in_full(boards):
    lines = list(csv.DictReader(io.StringIO(formatted(boards, "csv", top=1))))
    assert [line["run"] for line in lines] == ["xgb-10", "xgb-11", "dummy a|b<c>"]
    content = json.loads(formatted(boards, "json", top=1))["leaderboards"]
    for board, shown in zip(boards, content, strict=True):
        for line, row in zip(board.lines, shown["runs"], strict=True):
            assert (row["mean"], row["p_best"]) == (line.mean, line.p_value)
            assert row["minus_dummy"] is None  # unknown is null, as JSON has no NaN
            assert row["recommended"] is (line is board.recommended)
    assert float(lines[1]["mean"]) == boards[0].lines[1].mean


def test_markdown_escapes_what_names_hold(boards):
    table = [line for line in formatted(boards, "markdown", 10).splitlines() if line[:1] == "|"]
    assert {line.replace(r"\|", "").count("|") for line in table} == {11}


def test_the_command_offers_these_formats():
    from student_perf.commands import compare

    parser = argparse.ArgumentParser(parents=compare.PARENTS)
    (option,) = [action for action in parser._actions if action.dest == "format"]
    assert set(option.choices) == {"text", "html", *FORMATS}
