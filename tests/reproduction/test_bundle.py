import hashlib
import json
import os
import subprocess
import zipfile

import pytest

from student_perf.errors import ConfigError
from student_perf.reproduction import bundle
from student_perf.reproduction.bundle import (
    MANIFEST_FILE,
    default_target,
    export_run,
    verify_bundle,
)
from student_perf.runs.record import Recorded, RunRecord


@pytest.fixture
def recorded(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.yaml").write_text("seed: 0\n")
    (folder / "plots").mkdir()
    (folder / "plots" / "a.png").write_bytes(bytes(range(256)) * 10)
    record = RunRecord(folder, "a/run", "single", {}, {}, started=1.0)
    record.finish()
    return Recorded(record, {})


@pytest.fixture
def exported(recorded, tmp_path):
    path = tmp_path / "b.zip"
    export_run(recorded, path)
    return path


def rewrite(path, change):
    """Write the zip again with its members (name to content) changed."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def test_a_bundle_is_complete_and_verifies(exported, recorded, tmp_path):
    found = verify_bundle(exported)
    problems, digest = found.problems, found.digest
    assert problems == []
    with zipfile.ZipFile(exported) as archive:
        names = set(archive.namelist())
        assert digest == hashlib.sha256(archive.read(MANIFEST_FILE)).hexdigest()
        assert archive.read("plots/a.png") == (recorded.folder / "plots/a.png").read_bytes()
        assert str(tmp_path) not in archive.read("record.json").decode()
        archive.extractall(tmp_path / "out")
    assert {"config.yaml", "record.json", "model_card.md", "VERIFY.txt"} <= names
    done = subprocess.run(
        ["sha256sum", "-c", MANIFEST_FILE], cwd=tmp_path / "out", capture_output=True, check=False
    )
    assert done.returncode == 0


def test_the_same_run_gives_the_same_bytes(recorded, exported, tmp_path):
    os.utime(recorded.folder / "config.yaml", (5, 5))
    export_run(recorded, tmp_path / "c.zip")
    assert (tmp_path / "c.zip").read_bytes() == exported.read_bytes()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda m: m.update({"config.yaml": b"seed: 1\n"}), "config.yaml: was changed"),
        (lambda m: m.pop("plots/a.png"), "plots/a.png: is missing"),
        (lambda m: m.update({"new.txt": b""}), "new.txt: was added"),
        (lambda m: m.pop(MANIFEST_FILE), "did not write this bundle"),
        (lambda m: m.update({MANIFEST_FILE: b"x\n"}), "not checksums"),
        (lambda m: m.update({"../up.txt": b""}), "leaves the folder"),
        (lambda m: m.update({"/etc/x": b""}), "leaves the folder"),
        (lambda m: m.update({"..\\up.txt": b""}), "leaves the folder"),
        (lambda m: m.update({"C:\\x": b""}), "leaves the folder"),
    ],
)
def test_every_change_is_found(change, problem, exported):
    rewrite(exported, change)
    (found,) = verify_bundle(exported).problems
    assert problem in found


def test_links_doubles_and_sizes_are_refused(exported, monkeypatch):
    monkeypatch.setattr(bundle, "MOST_BYTES", 1000)
    assert "unpacks to" in verify_bundle(exported).problems[0]
    monkeypatch.undo()
    monkeypatch.setattr(bundle, "MOST_MEMBERS", 2)
    assert "members" in verify_bundle(exported).problems[0]
    monkeypatch.undo()
    with zipfile.ZipFile(exported, "a") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("config.yaml", "seed: 0\n")
    problems = verify_bundle(exported).problems
    assert any("link" in problem for problem in problems)
    assert any("occurs twice" in problem for problem in problems)


@pytest.mark.parametrize("place", [50, -60])
def test_a_damaged_file_is_a_problem_and_no_crash(place, exported):
    content = bytearray(exported.read_bytes())
    content[place : place + 8] = b"XXXXXXXX"
    exported.write_bytes(content)
    assert verify_bundle(exported).problems
    exported.write_bytes(b"text")
    assert "not a readable zip" in verify_bundle(exported).problems[0]


def test_places_that_are_not_there(recorded, tmp_path):
    with pytest.raises(ConfigError, match="create it first"):
        export_run(recorded, tmp_path / "gone" / "x.zip")
    with pytest.raises(ConfigError, match="no such file"):
        verify_bundle(tmp_path / "x.zip")
    assert default_target(recorded).name == "a_run.zip"


def test_nothing_outside_the_run_is_bundled(recorded, tmp_path):
    (tmp_path / "secret").write_text("hidden")
    (recorded.folder / "link").symlink_to(tmp_path / "secret")
    export_run(recorded, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert "link" not in archive.namelist()
        assert json.loads(archive.read("record.json"))["folder"] == "run"
