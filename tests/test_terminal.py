import math

import pytest

from student_perf.errors import ConfigError
from student_perf.terminal import (
    GroupLine,
    Terminal,
    make_console,
    print_error,
    print_warning,
    verdict,
    words,
)

NAN = math.nan
ROW = {"mean": 0.5, "std": 0.1, "low": 0.4, "high": 0.6, "dummy": 0.3}
GAIN = {"gain": 0.2, "gain_low": 0.1, "gain_high": 0.3, "gain_p": 0.0001}
ROW |= GAIN


@pytest.mark.parametrize("metric", ["accuracy", "log_loss"])
def test_the_verdict_says_the_gain_and_whether_it_is_shown(metric):
    better = verdict(ROW, metric)
    assert better.startswith("Better than the dummy baseline")
    assert "0.200 better on the same rows" in better
    assert "+0.100 to +0.300, p < 0.001" in better
    worse = {"gain": -0.2, "gain_low": -0.3, "gain_high": -0.1}
    assert verdict(ROW | worse, metric).startswith("Worse than the dummy baseline")


def test_what_is_not_shown_says_what_could_have_been():
    """80 % power needs 2.80 standard errors, half of the interval are 1.96."""
    unsure = ROW | {"gain": 0.02, "gain_low": -0.0396, "gain_high": 0.0396 + 0.04, "gain_p": 0.5}
    text = verdict(unsure, "accuracy")
    assert text.startswith("Not shown to be better than the dummy baseline: accuracy 0.020 better")
    assert f"a true gain of {0.0596 / 1.96 * 2.8016:.3f} in 4 of 5 cases" in text


def test_each_configuration_that_was_tried_is_a_chance_to_look_better():
    """The harmonic sum of 90 is 5.08, of 100 it is 5.19."""
    text = verdict(ROW, "accuracy", 90)
    assert text.startswith("Better than the dummy baseline")
    assert "p < 0.001; corrected for 90 configurations tried" in text
    assert text.endswith("on these rows (times 457 = 90 (1 + 1/2 + ... + 1/90)), p = 0.046.")
    assert verdict(ROW, "accuracy", 100).startswith("Not shown to be better")
    assert ", p = 0.052." in verdict(ROW, "accuracy", 100)
    assert ", p = 1.000." in verdict(ROW | {"gain_p": 0.5}, "accuracy", 600)


def test_a_gain_that_chance_has_too_is_not_shown():
    """Macro F1 of a dummy that answers one class; p is that of the answers dealt anew."""
    text = verdict(ROW | {"gain_p": 0.7}, "f1_macro")
    assert text.startswith("Not shown to be better than the dummy baseline: F1 (macro) 0.200")
    assert text.endswith("The same answers dealt to the rows by chance would gain as much.")


def test_a_dash_for_relative_errors_has_its_reason(capsys):
    for mean, says in ((None, True), (0.2, False)):
        rows = {"mean_absolute_percentage_error": ROW | {"mean": mean}}
        Terminal().metrics(rows, "mean_absolute_error", "held-out rows, 5 folds")
        assert ("MAPE is not defined: a true value is 0." in capsys.readouterr().out) is says


def test_overlapping_intervals_decide_nothing():
    """The figures' own interval holds the dummy's figure; the rows still show the gain."""
    assert verdict(ROW | {"low": 0.25}, "accuracy").startswith("Better")


def test_a_pipe_gets_plain_text_within_80_columns(capsys):
    shown = Terminal()
    shown.facts({"dataset": "long " * 40})
    shown.metrics({"accuracy": ROW, "roc_auc_ovr": ROW}, "accuracy", "held-out rows, 5 folds")
    shown.verdict({"accuracy": ROW}, "accuracy")
    with shown.folds(5) as on_fold:
        assert on_fold is None
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert "> accuracy" in " ".join(out.split())


@pytest.mark.parametrize("size", [1e4, 9.99e5, 1e6, 1e12])
def test_large_figures_are_never_cut_at_80_columns(capsys, size):
    row = {"mean": -size, "std": size, "low": -size, "high": size, "dummy": size, "train": -size}
    Terminal().metrics(
        {"mean_absolute_error": row, "spearman": row},
        "mean_absolute_error",
        "held-out rows, 5 folds",
    )
    out = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert "…" not in out


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc_ovr"])
def test_groups_fit_80_columns_and_say_what_is_too_small(capsys, metric):
    values = {metric: (0.5, 0.4, 0.6), "f1_macro": (0.45, 0.3, 0.6)}
    nothing = dict.fromkeys(values, (float("nan"),) * 3)
    lines = [
        GroupLine("all rows", 50, "", values),
        GroupLine("a_long_column_name_of_a_survey = " + "long " * 9, 40, "", values),
        GroupLine("sex = M", 7, "fewer than 20 rows", nothing),
    ]
    Terminal().groups(lines + [lines[0]] * 20, "No group differs.")
    out = capsys.readouterr().out
    assert max(len(line.rstrip()) for line in out.splitlines()) <= 80
    assert "all rows 50 0.500 0.400 to 0.600 0.450" in " ".join(out.split())
    assert "sex = M 7 - fewer than 20 rows -" in " ".join(out.split())
    assert "and 11 more in subgroups.csv\n\n  No group differs." in out
    Terminal().groups([])
    assert capsys.readouterr().out == ""


def test_a_table_wraps_words_cuts_names_and_keeps_figures_whole(capsys):
    columns = [words("run", 9), "95 % interval", words("why")]
    rows = [("a long name of a run", "0.410 to 0.523", "words " * 20), ("[b]", "-", "")]
    Terminal().table(columns, rows)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert lines[0] == "run         95 % interval  why"
    assert lines[1].startswith("a long n…  0.410 to 0.523  words words")
    assert lines[-1] == "[b]                     -"
    assert len(lines) > 3


def test_important_columns_are_one_line_with_the_direction(capsys):
    Terminal().important({"act": 0.1, "age": 0.05}, "accuracy")
    Terminal().important({"G2": 2.2}, "root_mean_squared_error")
    Terminal().important({}, "accuracy")
    assert [line.strip() for line in capsys.readouterr().out.splitlines()] == [
        "Permuted, accuracy changes: act -0.100, age -0.050.",
        "Permuted, RMSE changes: G2 +2.200.",
    ]


def test_paths_are_never_wrapped(capsys):
    path = "/a" * 90
    Terminal().places({"folder": path})
    assert path in capsys.readouterr().out


def test_quiet_prints_nothing(capsys):
    Terminal(quiet=True).places({"folder": "x"})
    assert capsys.readouterr().out == ""


def test_brackets_in_names_and_values_are_text(capsys):
    shown = Terminal()
    shown.facts({"target": "pass [/b] [red]grade[/red]"})
    shown.warnings(["column [bold]: a [/x]"])
    shown.important({"[relu]": 0.1}, "accuracy")
    values = {"accuracy": (0.5, 0.4, 0.6), "f1_macro": (0.45, 0.3, 0.5)}
    shown.groups([GroupLine("sex = [/F]", 50, "", values)])
    shown.places({"folder": "/data/[blue]"})
    shown.heading("[on red]")
    out = capsys.readouterr().out
    for text in ("[/b] [red]grade[/red]", "[bold]: a [/x]", "[relu]", "[/F]", "[blue]", "[on red]"):
        assert text in out


def test_what_a_terminal_would_obey_is_written_out(capsys):
    evil = "\x1b]0;mine\x07\x1b[2J"
    shown = Terminal()
    shown.facts({evil: evil})
    shown.warnings([evil])
    shown.important({evil: 0.1}, "accuracy")
    shown.groups(
        [GroupLine(evil, 50, evil, dict.fromkeys(("accuracy", "f1_macro"), (0.5, 0.4, 0.6)))]
    )
    shown.table([words(evil), evil], [(evil, evil)])
    shown.places({"folder": evil})
    shown.lines(evil)
    shown.heading(evil)
    print_error(ConfigError(evil))
    print_warning(evil)
    done = capsys.readouterr()
    assert not {"\x1b", "\x07"} & {*done.out, *done.err}
    assert "\\u001b]0;mine" in done.out
    assert "\\u001b]0;mine" in done.err


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"mean": NAN, "dummy": 0.3}, "is not defined on these folds"),
        ({"mean": None, "dummy": None}, "is not defined on these folds"),
        ({"mean": 0.3, "dummy": NAN}, "The dummy baseline has no accuracy"),
        ({"mean": 0.3, "dummy": 0.2}, "does not compare the model with the dummy baseline row"),
        ({"mean": 0.3, "dummy": 0.2, **GAIN}, "Better than the dummy baseline"),
    ],
)
def test_the_verdict_claims_nothing_about_figures_that_are_not_there(row, words):
    assert words in verdict(row, "accuracy")


def test_what_is_to_be_typed_is_never_wrapped(capsys):
    terminal = Terminal()
    terminal.console.width = 40
    short, long = "'dataset.drop=[Año de matrícula]'", f"'dataset.clean=[{'a b, ' * 20}]'"
    terminal.lines(f"column 'Año de matrícula': is a date; leave it out: {short}, or type {long}")
    terminal.warnings(['the rows ask for a split: dataset.time="Año de matrícula" split=temporal'])
    terminal.lines("1 more run on other rows: .venv/bin/python -m student_perf compare outputs")
    lines = capsys.readouterr().out.splitlines()
    command = "  .venv/bin/python -m student_perf compare outputs"
    assert command in lines
    assert f"  {short}," in lines
    assert f"  {long}" in lines
    assert any('dataset.time="Año de matrícula"' in line for line in lines)
    assert max(len(line) for line in lines if long not in line and line != command) <= 38


def test_a_pipe_shows_nothing_while_it_waits(capsys):
    with Terminal().waiting("sending"):
        pass
    assert capsys.readouterr().out == ""


def test_a_terminal_shows_that_it_waits(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with Terminal().waiting("sending to [MLflow]"):
        pass
    assert "sending to [MLflow]" in capsys.readouterr().out


def test_no_line_ends_with_blanks(capsys):
    terminal = Terminal()
    terminal.console.width = 40
    terminal.lines("a sentence of many words that is wrapped, and then once more\n\n  new   ")
    terminal.facts({"name": "a sentence of many words that is wrapped, and then once more"})
    terminal.table([words("run"), "mean"], [("ridge", "0.1"), ("", "")])
    make_console().print("two words  ")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 9
    assert [line for line in lines if line != line.rstrip()] == []


def test_a_run_of_the_dummy_is_not_called_better():
    row = {"mean": 0.3, "dummy": 0.3, "gain": 0.0, "gain_low": 0.0, "gain_high": 0.0, "gain_p": 1.0}
    assert verdict(row, "accuracy") == "Its accuracy is that of the dummy baseline on every row."
