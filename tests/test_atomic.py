import errno
import logging
import os
import sqlite3
from pathlib import Path

import pytest

from student_perf import cli
from student_perf.atomic import check_place, disk_errors, explain_disk_error, write_atomic
from student_perf.errors import ConfigError, DiskError
from student_perf.masking import logging_to
from student_perf.runs.record import load_record


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


def test_a_file_of_another_kind_is_not_replaced(tmp_path):
    grades = tmp_path / "grades.csv"
    grades.write_text("id;grade")
    with pytest.raises(ConfigError, match=r"--html .*grades.csv: exists and holds something else"):
        check_place(grades, "--html", b"<!doctype html>")
    grades.write_text("<!DOCTYPE html><p>")
    check_place(grades, "--html", b"<!doctype html>")
    grades.write_text("")
    check_place(grades, "--html", b"<!doctype html>")


def full():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


QUICK = ("model=dummy", "split=holdout", "report.importance=false", "tracking=off")


def refuse(*_, **__):
    raise full()


def test_a_full_disk_is_named_with_the_way_out(tmp_path):
    of_pyarrow = OSError(f"Error writing bytes. Detail: [errno 28] {full().strerror}")
    of_sqlite = sqlite3.OperationalError("database or disk is full")
    for error in (full(), of_pyarrow, of_sqlite):
        words = rf"^{tmp_path}: no space is left on its disk; free"
        with pytest.raises(DiskError, match=words), disk_errors(tmp_path):
            raise error
    protected = PermissionError(errno.EACCES, "Permission denied", "/etc/x")
    elsewhere = OSError(errno.ENOSPC, "No space left on device", "/there/x")
    assert str(explain_disk_error(elsewhere, tmp_path)).startswith("/there: no space is left")
    assert str(explain_disk_error(protected, tmp_path)) == (
        "/etc/x: Permission denied; name a folder that you may write to"
    )
    long = OSError(errno.ENAMETOOLONG, "File name too long", f"/there/{'x' * 300}")
    assert str(explain_disk_error(long, tmp_path)) == (
        f"{'x' * 20}..: a name of 300 characters, in a path of 307, is longer than the file system "
        "takes; name a shorter one"
    )
    assert explain_disk_error(FileNotFoundError(errno.ENOENT, "gone"), tmp_path) is None
    assert explain_disk_error(ValueError("x"), tmp_path) is None


def test_a_draft_that_does_not_fit_is_removed(tmp_path, monkeypatch):
    path = tmp_path / "f.txt"
    write_atomic(path, "old")

    def half(self, data):
        with self.open("wb") as file:
            file.write(data[:1])
        raise full()

    monkeypatch.setattr(type(path), "write_bytes", half)
    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, "new")
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["f.txt"]
    assert path.read_text() == "old"


def test_a_run_on_a_full_disk_ends_failed_in_one_line(train, workspace, monkeypatch):
    monkeypatch.setattr("student_perf.runs.model_file.save_model", refuse)
    done = train(*QUICK)
    assert done.code == 1
    (line,) = done.err.splitlines()
    (folder,) = workspace.glob("outputs/*/*")
    assert line.startswith(f"student_perf: {folder}: no space is left on its disk; free some")
    assert load_record(folder).status == "FAILED"
    assert not list(folder.glob("*.tmp"))


def test_an_export_that_does_not_fit_leaves_nothing(train, workspace, monkeypatch, capsys):
    assert train(*QUICK).code == 0
    (folder,) = workspace.glob("outputs/*/*")
    target = workspace / "b.zip"
    monkeypatch.setattr("student_perf.reproduction.bundle.write_atomic", refuse)
    assert cli.main(["export", str(folder), str(target)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{workspace}: no space is left on its disk" in line
    assert not target.exists()


@pytest.mark.fault("Disk", "full for a log file", "one warning; the command goes on")
def test_a_full_log_file_is_one_line(tmp_path, capsys):
    with logging_to(tmp_path / "train.log"):
        (handler,) = logging.getLogger().handlers
        handler.stream.close()
        handler.stream = Path("/dev/full").open("w")  # noqa: SIM115 (the handler closes it)
        for _ in range(30):
            logging.getLogger("x").info("a line")
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"student_perf: warning: {tmp_path}/train.log: ")
    assert "No space left" in line
