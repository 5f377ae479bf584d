import pytest

from student_perf.atomic import write_atomic


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
