import pytest

from student_perf.errors import ConfigError, encodable, one_line, suggest


@pytest.mark.parametrize(
    ("word", "choices", "expected"),
    [
        ("xbg", ["rf", "xgb"], "did you mean xgb?"),
        ("f1", ["f1_macro", "f1_weighted", "r2"], "did you mean f1_macro or f1_weighted?"),
        ("SCORE", ["score", "age"], "did you mean score?"),
        ("zzz", ["b", "a"], "choose from a, b"),
        ("", ["b", "a"], "choose from a, b"),
        ("x", [], "there are no choices"),
    ],
)
def test_suggest_names_the_nearest_choice_or_all(word, choices, expected):
    assert suggest(word, choices) == expected


def test_one_line_keeps_our_text_and_names_the_type_of_others():
    assert one_line(ConfigError("seed=x: must be\n a number")) == "seed=x: must be a number"
    assert one_line(ValueError("bad\n\nStack trace: ...")) == "ValueError: bad"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"


@pytest.mark.parametrize(
    "error", [ValueError("menu\udce9"), ConfigError("x=\ud800: bad"), OSError("\udfff" * 3)]
)
def test_a_text_that_utf_8_cannot_hold_is_escaped(error):
    line = one_line(error)
    assert line.encode("utf-8").decode("utf-8") == line
    assert "\\ud" in line


def test_a_line_has_an_end_however_long_the_text():
    line = one_line(ValueError("x" * 1_000_000))
    assert len(line) < 3000
    assert line.endswith("... (1,000,000 characters)")


def test_an_error_without_a_text_is_its_type():
    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    assert one_line(MuteError()) == "MuteError"


def test_what_can_be_written_stays_as_it_is():
    assert encodable("Prüfung, 試験, \N{GRINNING FACE}") == "Prüfung, 試験, \N{GRINNING FACE}"
