from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from student_perf.errors import ConfigError
from student_perf.serving.output_file import check_target, form_like, open_writer
from student_perf.tables.options import PLAIN, ReadOptions

AWKWARD = [0.1, 1 / 3, -2.5e-9, 1e22, 5e-324, 1.7976931348623157e308, 123456789.123456789, 0.0]


@pytest.mark.parametrize(
    ("text", "encoding", "options", "form"),
    [
        ("a,b\n1,2\n", "utf-8", PLAIN, PLAIN),
        ("año,b\n1,2\n", "utf-8", PLAIN, PLAIN),
        ("a,b\n1,2\n", "utf-8", ReadOptions(",", ".", encoding="cp1252"), PLAIN),
        ("año,b\n", "cp1252", ReadOptions(",", ".", encoding="cp1252"), "utf-8-sig"),
        ("a;b\n", "utf-8", ReadOptions(";", ",", ".", "utf-8"), "utf-8"),
        ("a;b\n", "utf-16", ReadOptions(";", ",", encoding="utf-16"), "utf-8-sig"),
        ("a\tb\n", "utf-8-sig", ReadOptions("\t", None, encoding="utf-8-sig"), "utf-8-sig"),
        ("not text", "utf-8", ReadOptions(decimal=",", sheet="Hoja1"), PLAIN),
    ],
)
def test_the_form_is_that_of_the_input(tmp_path, text, encoding, options, form):
    source = tmp_path / "in.csv"
    source.write_bytes(text.encode(encoding))
    expected = form
    if isinstance(form, str):
        expected = ReadOptions(options.separator, options.decimal or ".", encoding=form)
    assert form_like(source, options, Path("out.csv")) == expected
    assert form_like(source, options, Path("out.parquet")) == PLAIN


def table_of(numbers):
    labels = ["Sí", 'with "quotes"', "a;b", None, "", "c", "d", "e"]
    columns = {"row": range(8), "Calificación": numbers, "reason": labels}
    return pa.table({name: pa.array(list(cells)) for name, cells in columns.items()})


@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_numbers_survive_the_way_back_to_the_last_bit(tmp_path, separator):
    form = ReadOptions(separator, ",", encoding="utf-8-sig")
    table, target = table_of(AWKWARD), tmp_path / "out.csv"
    with open_writer(target, table.schema, form) as writer:
        writer.write_table(table)
        writer.write_table(table_of([None, np.nan, *AWKWARD[2:]]))
    assert target.read_bytes().startswith(b"\xef\xbb\xbf")
    words = {"sep": separator, "decimal": ",", "encoding": "utf-8-sig"}
    back = pd.read_csv(target, **words)
    np.testing.assert_array_equal(back["Calificación"][:8], AWKWARD)
    assert back["Calificación"].isna().sum() == 2
    assert back["reason"].dropna().tolist()[:3] == ["Sí", 'with "quotes"', "a;b"]


def test_a_failure_leaves_no_draft(tmp_path):
    form = ReadOptions(";", ",", encoding="utf-8")
    with pytest.raises(KeyError), open_writer(tmp_path / "o.csv", pa.schema([]), form):
        raise KeyError
    assert not list(tmp_path.glob("*o.csv*"))


def test_a_spreadsheet_is_not_written(tmp_path):
    with pytest.raises(ConfigError, match=r"'\.xlsx' is of a spreadsheet, which is only read; use"):
        check_target(tmp_path / "in.csv", tmp_path / "out.xlsx")
    with pytest.raises(ConfigError, match=r"'\.doc' is unknown; use one of \.csv"):
        check_target(tmp_path / "in.csv", tmp_path / "out.doc")
