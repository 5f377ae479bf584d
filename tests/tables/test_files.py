"""Bad files and bad tables: one clear line each. Good but unusual ones: read as they are."""

import re
import zipfile
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from student_perf.errors import DataError, StudentPerfError
from student_perf.experiment.prepare import prepare
from student_perf.tables import files
from student_perf.tables.files import (
    first_line,
    iter_tables,
    new_file_options,
    parse_table,
    read_column,
    read_file,
)
from student_perf.tables.numbers import NumberForm, read_cells
from student_perf.tables.options import PLAIN, ReadOptions, parse_named
from tests.tiers import few_fast

ROWS = "".join(f"{i},{i % 7},{'ab'[i % 2]}\n" for i in range(40))
GOOD = f"hours,days,grade\n{ROWS}"


def edited(old, new):
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def column(name, values):
    rows = "".join(f"{values(i)},{'ab'[i % 2]}\n" for i in range(40))
    return f"{name},grade\n{rows}"


# file name, content, more overrides, what the line must hold
BAD = {
    "empty": ("t.csv", "", [], "the file is empty"),
    "white space only": ("t.csv", " \n \n", [], "the file is empty"),
    "header only": ("t.csv", "hours,grade\n", [], "has no rows below its header"),
    "zero bytes": ("t.csv", edited("3,3,b", "\0,3,b"), [], "zero bytes"),
    "separator too long": ("t.csv", GOOD, ["dataset.separator='::'"], "one character"),
    "row too long": (
        "t.csv",
        edited("5,5,b", "5,5,b,9"),
        [],
        "line 7 has 4 cells and the header 3",
    ),
    "row too short": ("t.csv", edited("5,5,b", "5,5"), [], "line 7 has 2 cells and the header 3"),
    "open quote": ("t.csv", edited("5,5,b", '"5,5,b'), [], "from line 7 to 41 has 1 cell"),
    "open quote at the end": ("t.csv", edited("39,4,b", '39,4,"b'), [], "never closed"),
    "header without a line end": ("t.csv", "hours,grade", [], "has no rows below its header"),
    "broken JSON": ("t.json", '[{"hours": 1}', [], "is not JSON"),
    "broken parquet": ("t.parquet", GOOD, [], "cannot be read as a table"),
    "broken arff": ("t.arff", "@relation x\n@data\n1,2\n", [], "cannot be read as a table"),
    "csv called arff": ("t.arff", GOOD, [], "cannot be read as a table"),
    "infinity": ("t.csv", edited("5,5,b", "inf,5,b"), [], "'inf' is infinite"),
    "huge whole numbers": (
        "t.csv",
        column("key", lambda i: 2**60 + i),
        [],
        "loses digits as a number",
    ),
    "beyond 64 bits": ("t.csv", column("key", lambda i: 10**30 + i), [], "key"),
    "dates": ("t.csv", column("day", lambda i: f"2024-01-{i % 28 + 1:02}"), [], "date_parts"),
    "times": ("t.csv", column("at", lambda i: f"2024-01-01 10:{i:02}:00"), [], "date_parts"),
    "text among numbers": ("t.csv", edited("5,5,b", "five,5,b"), [], "is text among numbers"),
    "missing target": ("t.csv", edited("5,5,b", "5,5,"), [], "1 of 40 rows have no value"),
    "one class": ("t.csv", GOOD.replace(",b\n", ",a\n"), [], "single class 'a'"),
    "class of one row": ("t.csv", edited("5,5,b", "5,5,c"), [], "class 'c' of 'grade' has 1 row,"),
    "text target as number": (
        "t.csv",
        GOOD,
        ["dataset.task=regression", "model=rf"],
        "needs numbers",
    ),
    "no such target": ("t.csv", GOOD, ["dataset.target=grades"], "did you mean grade"),
    "only the target": ("t.csv", GOOD, ["dataset.drop=[hours,days]"], "no feature column"),
    "undeclared category": (
        "t.csv",
        GOOD,
        ["+dataset.categories.grade=[a,c]"],
        "grade='b' (20 rows, first: row 1, line 3)",
    ),
    "class not listed": (
        "t.csv",
        GOOD,
        ["dataset.classes=[a,c]"],
        "these labels of 'grade': b (20)",
    ),
    "out of range": ("t.csv", GOOD, ["+dataset.ranges.days=[0,5]"], "outside 0 to 5"),
    "leaking column": (
        "t.csv",
        column("hours,answer", lambda i: f"{i},{i % 2}"),
        [],
        "column 'answer': determines the target",
    ),
    "unknown step": ("t.csv", GOOD, ["dataset.clean=[tidy]"], "no such cleaning step"),
    "step on no column": (
        "t.csv",
        GOOD,
        ["dataset.clean=[{step: drop_columns, columns: [hour]}]"],
        "did you mean hours",
    ),
    "too few rows": ("t.csv", "hours,grade\n1,a\n2,b\n3,a\n4,b\n", [], "split.test_size=0.2"),
}


@pytest.mark.parametrize("case", few_fast(BAD, 15))
def test_bad_tables_give_one_clear_line(compose_config, tmp_path, case):
    name, content, more, expected = BAD[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    words = ["tracking=off", "dataset=csv", f"dataset.path={path}", "dataset.target=grade", *more]
    with pytest.raises(StudentPerfError) as caught:
        prepare(compose_config(*words))
    line = str(caught.value)
    assert expected in line
    assert "\n" not in line


def test_a_folder_is_no_file(compose_config, tmp_path):
    with pytest.raises(StudentPerfError, match="is a folder"):
        compose_config("dataset=csv", f"dataset.path={tmp_path}", "dataset.target=grade")


def parsed(text, name="t.csv", separator=","):
    data = text if isinstance(text, bytes) else text.encode()
    return parse_table(data, name, ReadOptions(separator=separator), "here").table


def test_a_byte_order_mark_is_no_part_of_the_first_name():
    assert list(parsed(b"\xef\xbb\xbf" + GOOD.encode()).columns) == ["hours", "days", "grade"]


def test_names_keep_inner_spaces_and_quotes_are_gone():
    table = parsed('"Class_ X_Percentage";"G1"\n"Good";"5"\n', separator=";")
    assert list(table.columns) == ["Class_ X_Percentage", "G1"]
    assert table["G1"].tolist() == [5]


def test_line_ends_do_not_matter():
    pd.testing.assert_frame_equal(parsed(GOOD), parsed(GOOD.replace("\n", "\r\n")))


def test_parquet_and_arff_hold_the_same_table(tmp_path):
    table = parsed("x,grade\n1.5,a\n2.5,b\n")
    table.to_parquet(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(parsed((tmp_path / "t.parquet").read_bytes(), "t.parquet"), table)
    arff = "@relation r\n@attribute x numeric\n@attribute grade {a,b}\n@data\n1.5,a\n2.5,b\n"
    pd.testing.assert_frame_equal(parsed(arff, "t.arff"), table)


def test_an_all_missing_column_is_a_warning_and_the_run_goes_on(compose_config, tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(column("empty,hours", lambda i: f",{i * 7 % 41}"))
    prepared = prepare(
        compose_config(
            "tracking=off", "dataset=csv", f"dataset.path={path}", "dataset.target=grade"
        )
    )
    assert "column 'empty': is missing in every row; add it to dataset.drop" in [
        w.text for w in prepared.warnings
    ]
    assert np.isnan(prepared.dataset.features["empty"]).all()


def test_an_unseen_category_at_prediction_is_named(compose_config, grades):
    from student_perf.data.contract import find_violations

    config = compose_config(
        "tracking=off", "dataset=csv", f"dataset.path={grades}", "dataset.target=grade"
    )
    prepared = prepare(config)
    asked = prepared.dataset.features.head(4).assign(school=["north", "yes", "south", "yes"])
    (violation,) = find_violations(asked, prepared.contract)
    assert str(violation) == "column 'school': 'yes' is not one of north, south (2 rows: 1, 3)"


def test_tables_of_a_file_hold_its_rows_in_order_as_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("id;town\n1;NA\n2;Nagaon\n3;\n", encoding="utf-8")
    tables = list(iter_tables(path, ReadOptions(), 2))
    assert [len(table) for table in tables] == [2, 1], tables
    assert pd.concat(tables)["id"].tolist() == ["1", "2", "3"]
    whole = read_file(path).table
    assert pd.concat(tables)["town"].isna().tolist() == whole["town"].isna().tolist()


def test_parts_of_a_parquet_file_have_the_index_that_the_whole_has(tmp_path):
    path = tmp_path / "rows.parquet"
    counted = pd.DataFrame({"town": list("abcde")}, index=pd.RangeIndex(10, 20, 2, name="id"))
    counted.to_parquet(path)
    tables = list(iter_tables(path, ReadOptions(), 2))
    assert pd.concat(tables)["id"].tolist() == [10, 12, 14, 16, 18]
    assert read_file(path).table["id"].tolist() == [10, 12, 14, 16, 18]
    counted.rename_axis(None).to_parquet(path)
    assert [list(table) for table in iter_tables(path, ReadOptions(), 2)] == [["town"]] * 3


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.arff", "a\n1\n", "cannot be read as a table"),
        ("x.csv", "a,b\n1,2\n3,4,5\n", "line 3 has 3 cells and the header 2: '3,4,5'"),
        ("x.csv", "a,b\n1,2,3\n", "line 2 has 3 cells and the header 2: '1,2,3'"),
        ("x.csv", "a,b\n1\n", "line 2 has 1 cell and the header 2: '1'"),
        ("x.csv", f"a,b\n1,2\n1,{'x' * 2**21}\n", "a row, or a quoted cell that never ends, is"),
        ("x.csv", 'a,b\n1,2\n1,"' + "x\n" * 2**20, "a row, or a quoted cell that never ends, is"),
        ("x.parquet", "no parquet", "cannot be read as a table"),
        (None, "", "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_in_parts_is_reported(tmp_path, name, content, message):
    if name:
        (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        list(iter_tables(tmp_path / (name or "y.csv"), PLAIN, 1))


def test_a_file_too_large_for_memory_is_refused_unread(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "available_memory", lambda: 3e9)
    with (tmp_path / "large.csv").open("wb") as file:
        file.write(b"0.12345,1\n" * 10_000)
        file.truncate(3 * 2**30)  # no blocks on the disk
    # The head has ten bytes a row.
    with pytest.raises(DataError, match=r"about 322\d{6} rows need 13 GB .* 3 GB are available"):
        read_file(tmp_path / "large.csv")
    # A bomb: hundreds of millions of equal values in a few kilobytes.
    schema = pa.schema([("a", pa.int8())])
    with pq.ParquetWriter(tmp_path / "bomb.parquet", schema) as writer:
        writer.write_table(pa.table({"a": pa.array(np.zeros(1000, dtype=np.int8))}))
    metadata = pq.read_metadata(tmp_path / "bomb.parquet")
    monkeypatch.setattr(files, "available_memory", lambda: 2 * 8 * metadata.num_rows)
    with pytest.raises(DataError, match="write a sample of about 700 rows to another file"):
        read_file(tmp_path / "bomb.parquet")
    monkeypatch.setattr(files, "_MOST_BYTES", 8 * metadata.num_rows - 1)
    with pytest.raises(DataError, match=r"row group 0 unpacks to .*; write it in smaller"):
        list(iter_tables(tmp_path / "bomb.parquet", PLAIN, 1000))
    assert sum(map(len, iter_tables(tmp_path / "bomb.parquet", PLAIN, 10))) == 1000


def test_an_index_with_names_is_columns(tmp_path):
    table = pd.DataFrame({"school": ["A", "B"], "year": [1, 2], "grade": [7.5, 8.0]})
    for name, levels in (("one", ["school"]), ("two", ["school", "year"])):
        path = tmp_path / f"{name}.parquet"
        table.set_index(levels).to_parquet(path)
        raw = read_file(path)
        assert raw.table[["school", "year", "grade"]].to_dict() == table.to_dict()
        assert raw.notes == (f"the index is a column: {', '.join(levels)}",)
        assert read_column(path, raw.options, "school").tolist() == ["A", "B"]


@pytest.mark.parametrize("ending", ["parquet", "feather"])
def test_numbers_as_text_are_numbers_in_every_format(tmp_path, ending):
    table = pd.DataFrame(
        {
            "share": ["54%", "7.5%", None],
            "points": ["3", "", "10"],
            "postcode": ["01067", "28001", "08001"],
            "key": [str(2**60 + i) for i in range(3)],
            "word": ["3", "x", ""],
            "empty": pd.Series([None] * 3, dtype="str"),
        },
        index=[5, 7, 9],
    )
    text, path = tmp_path / "t.csv", tmp_path / f"t.{ending}"
    table.to_csv(text, index=False)
    held = table if ending == "parquet" else table.reset_index(drop=True)
    getattr(held, f"to_{ending}")(path)
    raw, as_text = read_file(path), read_file(text)
    for name in ("share", "points", "postcode", "empty"):
        found, expected = raw.table[name].reset_index(drop=True), as_text.table[name]
        pd.testing.assert_series_equal(found, expected)
    assert raw.table[["key", "word"]].equals(held[["key", "word"]])
    assert raw.percents == as_text.percents == ("share",)
    assert raw.notes == as_text.notes
    for name in ("share", "postcode"):
        assert read_column(path, raw.options, name).equals(raw.table[name])


@pytest.mark.parametrize("cut", [30, -30])
def test_a_broken_archive_is_one_line(tmp_path, cut):
    path = tmp_path / "grades.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("grades.csv", "a,b\n1,2\n" * 100)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(DataError, match="the archive is broken or locked"):
        read_file(path)


TRAINED = ReadOptions(separator=";", decimal=",", thousands=".", encoding="cp1252")


def new_options(tmp_path, text, encoding="utf-8", **named):
    path = tmp_path / "new.csv"
    path.write_bytes(text.encode(encoding))
    return new_file_options(path, TRAINED, named, ["a"])


def test_a_new_file_is_read_as_the_training_file(tmp_path):
    assert new_options(tmp_path, "a;b\n7.125;x\n", "cp1252") == TRAINED
    assert new_options(tmp_path, "a;b\n1;é\n", "cp1252") == TRAINED


def test_what_a_new_file_shows_counts(tmp_path):
    assert new_options(tmp_path, "a;b\n1;é\n").encoding == "utf-8"
    other = new_options(tmp_path, "a,b\n7.125,x\n1.5,y\n")
    assert other.describe() == "separator ',', decimal '.', cp1252"


def test_another_decimal_sign_beside_the_same_separator_is_refused_with_what_to_type(tmp_path):
    with pytest.raises(DataError, match=r"like '7\.5', .* with ','; .*\"--read=decimal='\.'\""):
        new_options(tmp_path, "a;b\n7.5;x\n7.125;y\n")
    assert new_options(tmp_path, "b;c\n7.5;x\n") == TRAINED, "no number in training, no evidence"
    named = new_options(tmp_path, "a;b\n7.5;x\n7.125;y\n", decimal=".", thousands=",")
    assert (named.decimal, named.thousands) == (".", ",")


@pytest.mark.parametrize(
    ("named", "signs"),
    [
        ({"decimal": "."}, (".", None)),
        ({"decimal": ".", "thousands": ","}, (".", ",")),
        ({"thousands": ","}, (".", ",")),
        ({"decimal": ","}, (",", ".")),
    ],
)
def test_a_sign_named_for_another_use_leaves_its_former_one_open(tmp_path, named, signs):
    """A point that stayed between thousands would make 3720.01 the number 372001."""
    options = new_options(tmp_path, "a;b\n3720.01;x\n7.5;y\n", **named)
    assert (options.decimal, options.thousands) == signs
    table = pd.DataFrame({"a": [1]})
    table.to_json(tmp_path / "new.json", orient="records")
    other = new_file_options(tmp_path / "new.json", TRAINED, named)
    assert other.decimal != other.thousands


def test_the_line_to_type_for_another_decimal_sign_reads_the_file(tmp_path):
    with pytest.raises(DataError, match="name the sign") as refused:
        new_options(tmp_path, "a;b\n3720.01;x\n7.5;y\n")
    typed = re.findall(r"--read=(\w+='.')", str(refused.value))
    options = new_options(tmp_path, "a;b\n3720.01;x\n7.5;y\n", **parse_named(typed))
    (table,) = iter_tables(tmp_path / "new.csv", options, 10)
    assert read_cells(table["a"], options, NumberForm()).tolist() == [3720.01, 7.5]


def test_one_sign_for_fractions_and_thousands_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"--read=decimal=',' and .* one sign cannot be both"):
        new_options(tmp_path, "a;b\n1;x\n", decimal=",", thousands=",")
    for name, text in (("t.csv", "a;b\n1;x\n"), ("t.json", '[{"a": 1}]')):
        (tmp_path / name).write_text(text)
        with pytest.raises(DataError, match="one sign cannot be both; leave one of the two out"):
            read_file(tmp_path / name, ReadOptions(decimal=".", thousands="."))
        named = read_file(tmp_path / name, ReadOptions(thousands=".")).options
        assert (named.decimal, named.thousands) == (",", ".")


def test_advice_about_a_new_file_names_what_the_command_takes(tmp_path):
    path = tmp_path / "doubtful.csv"
    path.write_text("a;b\n1.234;x\n")
    with pytest.raises(DataError, match=r"\"--read=decimal='\.'\" or \"--read=thousands="):
        new_file_options(path, ReadOptions(), {})


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a;b\n1;2\n3;4\n", 2),
        ("a;b\r\n1;2\r\n3;4", 2),
        ("sep=;\n\na;b\n1;2\n3;4\n;\n;\n\n", 4),
        ('a;b\n1;"2\n"\n3;4\n', None),
        ("a;b\n1;2\n\n3;4\n", None),
    ],
)
def test_the_line_of_the_first_row_is_known_if_each_row_has_a_line(tmp_path, text, line):
    path, options = tmp_path / "in.csv", ReadOptions(";", ",", encoding="utf-8")
    path.write_bytes(text.encode())
    assert sum(map(len, iter_tables(path, options, 10))) == 2
    assert first_line(path, options, 2) == line
    path.write_bytes(text.encode("utf-16"))
    assert first_line(path, replace(options, encoding="utf-16"), 2) is None
    path.with_suffix(".json").write_text('[{"a": 1}, {"a": 2}]')
    assert first_line(path.with_suffix(".json"), options, 2) is None
