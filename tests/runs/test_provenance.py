import hashlib
import json
import platform
import socket
import subprocess

from student_perf.runs.provenance import (
    collect_provenance,
    installed_packages,
    packages_differ,
    uncommitted_diff,
    untracked_sources,
    write_provenance,
)


def git(folder, *arguments):
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True)


def test_commit_branch_and_dirty_state(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=work")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    lock = tmp_path / "code.py"
    clean = collect_provenance(tmp_path, lock)
    assert (len(clean.commit), clean.branch, clean.dirty) == (40, "work", False)
    assert clean.python == platform.python_version()
    assert clean.lock_sha256 == hashlib.sha256(b"x = 1\n").hexdigest()
    (tmp_path / "code.py").write_text("x = 2\n")
    assert collect_provenance(tmp_path, lock).dirty is True


def test_outside_a_checkout_nothing_is_made_up(tmp_path):
    found = collect_provenance(tmp_path, tmp_path / "no-lock.txt")
    assert (found.commit, found.branch, found.dirty, found.lock_sha256) == (None,) * 4


def test_packages_are_listed_with_versions():
    import sklearn

    packages = installed_packages()
    assert packages["scikit-learn"] == sklearn.__version__
    assert list(packages) == sorted(packages, key=str.lower)


def test_the_diff_of_uncommitted_changes_is_kept_and_cut_with_a_word(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=work")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    assert uncommitted_diff(tmp_path) == ""
    (tmp_path / "code.py").write_text("x = 2\n")
    (tmp_path / "new.py").write_text("y = 1\n")
    (tmp_path / "notes.txt").write_text("no source")
    diff = uncommitted_diff(tmp_path)
    assert "-x = 1\n+x = 2\n" in diff
    assert untracked_sources(tmp_path) == ["new.py"]
    cut = uncommitted_diff(tmp_path, longest=40)
    assert cut.startswith(diff[:40])
    assert f"# cut here: {len(diff) - 40} of {len(diff)} characters left out" in cut
    assert uncommitted_diff(tmp_path / "nowhere") is None


def test_only_sources_make_a_checkout_dirty(tmp_path):
    git(tmp_path, "init", "--quiet", "--initial-branch=work")
    (tmp_path / "code.py").write_text("x = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "-m", "one")
    for name in ("grades.csv", "bundle.zip", "notes.txt"):
        (tmp_path / name).write_text("no source")
    assert collect_provenance(tmp_path).dirty is False
    (tmp_path / "model.yaml").write_text("name: mine\n")
    assert collect_provenance(tmp_path).dirty is True
    (tmp_path / "model.yaml").unlink()
    (tmp_path / "code.py").write_text("x = 2\n")
    assert collect_provenance(tmp_path).dirty is True
    assert collect_provenance(tmp_path / "nowhere").dirty is None


def test_packages_that_are_not_the_locked_ones_are_named(tmp_path):
    lock = tmp_path / "lock.txt"
    lock.write_text(
        "# made by a tool\nScikit_Learn==1.9.1 \\\n    --hash=sha256:00\n"
        "pandas==3.0.0\nmissing==1.0\nwin-only==2.0 ; sys_platform == 'nowhere'\n"
    )
    found = packages_differ({"scikit-learn": "1.9.1", "Pandas": "3.1.1", "win-only": "1"}, lock)
    assert found == [
        "pandas: locked 3.0.0, installed 3.1.1",
        "missing: locked 1.0, installed not at all",
    ]
    assert packages_differ({}, tmp_path / "none.txt") == []


def test_what_a_run_comes_from_is_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["train", "model=rf", "-m", "seed=3"])
    write_provenance(tmp_path, {"seed": 3}, host_and_user=True)
    content = json.loads((tmp_path / "provenance.json").read_text())
    assert content["command"] == "train model=rf -m seed=3"
    assert content["overrides"] == ["model=rf", "seed=3"]
    assert content["seeds"] == {"seed": 3}
    assert content["packages"] == installed_packages()
    assert content["python"] == platform.python_version()
    assert content["host"] == socket.gethostname()
    write_provenance(tmp_path, {}, host_and_user=False)
    assert not {"host", "user"} & set(json.loads((tmp_path / "provenance.json").read_text()))
