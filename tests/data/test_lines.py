from dataclasses import replace
from pathlib import Path

import pytest

from student_perf.data import load_dataset
from student_perf.data.lines import with_lines
from student_perf.errors import DataError
from student_perf.tables.files import read_file


@pytest.fixture
def config(tmp_path, compose_config):
    path = tmp_path / "notas.csv"
    rows = "".join(f"{'' if i == 6 else i % 5};{i % 7};{'ab'[i % 2]}\n" for i in range(40))
    path.write_text(f"grupo;horas;y\n{rows}", encoding="utf-8")
    words = ["dataset=csv", f"dataset.path={path}", "dataset.target=y", "dataset.group=grupo"]
    return compose_config(*words).dataset


def test_a_row_is_named_with_its_line(config):
    with pytest.raises(DataError, match=r"\(first: row 6, line 8\); every row needs a group"):
        load_dataset(config)


def test_every_row_of_a_message_has_its_line(config):
    raw = read_file(Path(config.path))
    message = "a='x' (2 rows, first: row 0), b='row 3' (1 rows, first: row 9); '5' is odd (row 1)"
    assert with_lines(message, config, raw) == (
        "a='x' (2 rows, first: row 0, line 2), b='row 3' (1 rows, first: row 9, line 11); '5' is "
        "odd (row 1, line 3)"
    )


def test_a_message_stays_where_rows_are_not_lines(config):
    raw, message = read_file(Path(config.path)), "(first: row 0)"
    for steps in (["drop_duplicates"], [{"step": "filter_rows", "column": "y", "values": ["a"]}]):
        assert with_lines(message, replace(config, clean=steps), raw) == message
    Path(config.path).write_text('grupo;y\n"1\n";a\n', encoding="utf-8")
    assert with_lines(message, config, raw) == message
    Path(config.path).unlink()
    assert with_lines(message, config, raw) == message
