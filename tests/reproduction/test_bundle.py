import hashlib
import json
import os
import shutil
import subprocess
import zipfile

import pytest

from student_perf.errors import ChangedError, ConfigError
from student_perf.reproduction import bundle
from student_perf.reproduction.bundle import (
    MANIFEST_FILE,
    SIGNATURE_FILE,
    default_target,
    export_run,
    verify_bundle,
)
from student_perf.reproduction.unchanged import check_folder
from student_perf.runs.record import Recorded, RunRecord
from tests.reproduction.test_signature import make_key


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


@pytest.mark.parametrize("find", ["find", "rfind"])  # in the member's header, in the directory
def test_a_damaged_file_is_a_problem_and_no_crash(find, exported):
    content = bytearray(exported.read_bytes())
    place = getattr(content, find)(b"record.json")
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


@pytest.mark.fault(
    "Names", "two runs whose bundles would be one file", "each bundle has a file of its own"
)
def test_two_runs_never_go_to_one_file(recorded):
    assert default_target(recorded).name == "a_run-f7d0da6d.zip"
    names, record = set(), recorded.record
    for name in ("a/run", "a:run", "n" * 300, "n" * 301, "a run"):
        record.name = name
        names.add(default_target(recorded).name)
    assert len(names) == 5
    assert max(len(name) for name in names) < 100
    record.kind, record.name = "final", "logreg-exam-winner"
    assert default_target(recorded).name.endswith("logreg-exam-winner.zip")
    for sweep in ("one", "two"):
        record.folder = record.folder.parent / sweep / "winner"
        names.add(default_target(recorded).name)
    assert len(names) == 7


def test_nothing_outside_the_run_is_bundled(recorded, tmp_path):
    (tmp_path / "secret").write_text("hidden")
    (recorded.folder / "link").symlink_to(tmp_path / "secret")
    export_run(recorded, tmp_path / "x.zip")
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert "link" not in archive.namelist()
        assert json.loads(archive.read("record.json"))["folder"] == "run"


@pytest.mark.parametrize(
    "twins", [("Notes.txt", "notes.TXT"), ("\u00e9t\u00e9.csv", "e\u0301te\u0301.csv")]
)
def test_names_that_are_one_file_on_some_systems_are_refused(twins, exported):
    rewrite(exported, lambda members: members.update(dict.fromkeys(twins, b"")))
    (found,) = verify_bundle(exported).problems
    assert "occurs twice, the first time as" in found


def test_members_that_unpack_to_absurd_sizes_are_not_read(exported, monkeypatch):
    with zipfile.ZipFile(exported, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(80 << 20))
    monkeypatch.setattr(bundle, "_compared", None)
    (found,) = verify_bundle(exported).problems
    assert "as no run's files do" in found


def test_only_the_compression_of_export_is_read(exported):
    with zipfile.ZipFile(exported, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("new.txt", "x")
        archive.writestr("two\nlines", "x", zipfile.ZIP_STORED)
    first, second = verify_bundle(exported).problems
    assert "'new.txt': is compressed as export never does" in first
    assert "has a hidden name" in second


def test_a_manifest_lists_a_file_once(exported):
    def double(members):
        members[MANIFEST_FILE] += members[MANIFEST_FILE]

    rewrite(exported, double)
    assert verify_bundle(exported).problems == [f"{MANIFEST_FILE}: lists a file twice"]


def test_a_bundle_is_sealed_as_its_run(recorded, exported, tmp_path):
    with zipfile.ZipFile(exported) as archive:
        archive.extractall(tmp_path / "out")
    state = check_folder(tmp_path / "out")
    assert (state.changed, state.n_records) == ([], 1)
    (recorded.folder / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(ChangedError, match=r"config\.yaml"):
        export_run(recorded, tmp_path / "changed.zip")
    assert not (tmp_path / "changed.zip").exists()


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_a_signed_bundle_is_checked_by_its_signers_key(recorded, exported, tmp_path):
    key = make_key(tmp_path / "id_ed25519")
    public, other = key.with_name("id_ed25519.pub"), make_key(tmp_path / "other")
    signed = tmp_path / "signed.zip"
    assert export_run(recorded, signed, key) == verify_bundle(exported).digest
    found = verify_bundle(signed, public)
    assert (found.problems, found.is_signed) == ([], True)
    assert verify_bundle(signed).problems == []
    says = [
        (signed, other.with_name("other.pub"), "is not a signature of this manifest by"),
        (exported, public, "is missing; the bundle is not signed"),
    ]
    for path, by, problem in says:
        (line,) = verify_bundle(path, by).problems
        assert problem in line
    rewrite(signed, lambda members: members.update({SIGNATURE_FILE: b"no signature"}))
    assert "is not a signature" in verify_bundle(signed, public).problems[0]
