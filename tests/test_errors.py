import pytest

from student_perf.errors import ConfigError, one_line, suggest


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


def test_one_line_fits_into_every_file_whatever_the_text():
    assert one_line(ValueError("half: \ud800")) == "ValueError: half: \\ud800"

    class MuteError(Exception):
        def __str__(self):
            raise RuntimeError

    assert one_line(MuteError()) == "MuteError: its text cannot be read"
