import hashlib
import platform
import subprocess

from student_perf.tracking.provenance import collect_provenance, installed_packages


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
