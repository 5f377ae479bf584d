import pytest

from student_perf.atomic import check_place, write_atomic
from student_perf.errors import ConfigError


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "f.txt"
    write_atomic(path, "old")

    def killed(self, *_):
        raise KeyboardInterrupt

    monkeypatch.setattr(type(path), "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["f.txt"]


def test_text_and_bytes_are_written_whole(tmp_path):
    write_atomic(tmp_path / "t", "é\n")
    assert (tmp_path / "t").read_bytes() == b"\xc3\xa9\n"
    write_atomic(tmp_path / "t", b"\x00")
    assert (tmp_path / "t").read_bytes() == b"\x00"


def test_a_place_that_cannot_become_a_file_is_reported(tmp_path):
    check_place(tmp_path / "new.html", "--html")
    with pytest.raises(ConfigError, match=r"--html .* is a folder; name a file"):
        check_place(tmp_path, "--html")
    with pytest.raises(ConfigError, match=r"there is no folder .*; create it first"):
        check_place(tmp_path / "no" / "new.html", "--html")
