import gzip
import io
import zipfile

import pytest

from student_perf.tables.content import kind_of, tail, unpacked


def zipped(**files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name.replace("__", "."), text)
    return buffer.getvalue()


def test_the_content_says_what_a_file_is_whatever_its_name():
    assert kind_of(b"PAR1...", "x.csv") == "parquet"
    assert kind_of(b"% note\n@RELATION x\n", "x.txt") == "arff"
    assert kind_of(b"a,b\n1,2\n", "notas finales (1)") == "text"
    assert kind_of(b"a,b\n1,2\n", "x.parquet") == "parquet"  # whose reader says what is wrong


def test_one_packed_file_is_unpacked():
    assert unpacked(gzip.compress(b"a;b\n"), "x.csv.gz") == (b"a;b\n", "x.csv")
    assert unpacked(zipped(notas__csv="a;b\n"), "x.zip") == (b"a;b\n", "notas.csv")


def test_a_zip_of_several_files_and_a_broken_gz_are_refused():
    with pytest.raises(ValueError, match=r"holds one file, this holds a\.csv, b\.csv"):
        unpacked(zipped(a__csv="1", b__csv="2"), "x.zip")
    with pytest.raises(ValueError, match="broken or locked"):
        unpacked(gzip.compress(b"a;b\n" * 99)[:-12], "x.gz")


def test_records_of_json_are_seen_and_a_table_with_braces_is_text():
    assert kind_of(b'[\n {"a": 1}]', "x.txt") == "json"
    assert kind_of(b'{"a": 1}\n{"a": 2}\n', "x.csv") == "json"
    assert kind_of(b"{a},b\n1,2\n", "x.csv") == "text"


def test_the_tail_is_the_end_of_a_file(tmp_path):
    path = tmp_path / "x.csv"
    for data in (b"ab", b"a" * 1000 + b"z"):
        path.write_bytes(data)
        assert data.endswith(tail(path))
        assert tail(path) == tail(data)
