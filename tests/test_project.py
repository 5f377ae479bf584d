"""The files around the package agree with each other."""

import json
import os
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

from student_perf import __version__
from student_perf.paths import CONF_DIR, PROJECT_DIR

LOCK = (PROJECT_DIR / "requirements.txt").read_text()
DEV_LOCK = (PROJECT_DIR / "requirements-dev.txt").read_text()
DOCS_LOCK = (PROJECT_DIR / "requirements-docs.txt").read_text()
PYPROJECT = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())
MAKEFILE = (PROJECT_DIR / "Makefile").read_text()
PYTHONS = ("3.11.0", "3.12.0", "3.13.0")


def pins(lock, python="3.12.0", platform="linux"):
    """Name to requirement of a lock's pins that apply to this Python and platform."""
    environment = {
        "python_full_version": python,
        "python_version": python.rsplit(".", 1)[0],
        "sys_platform": platform,
    }
    found = {}
    for line in re.findall(r"^([a-zA-Z][^\\\n]*?)(?: \\)?$", lock, flags=re.M):
        pin = Requirement(line)
        if pin.marker is None or Marker(str(pin.marker)).evaluate(environment):
            assert pin.name not in found, f"{pin.name} is pinned twice for {environment}"
            found[pin.name] = pin
    return found


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
@pytest.mark.parametrize("python", PYTHONS)
def test_the_lock_pins_what_pyproject_asks_for(python, platform):
    locked = pins(LOCK, python, platform)
    for text in PYPROJECT["project"]["dependencies"]:
        wanted = Requirement(text)
        if wanted.marker is None or wanted.marker.evaluate({"sys_platform": platform}):
            version = str(locked[wanted.name].specifier).removeprefix("==")
            assert wanted.specifier.contains(version), f"{wanted} against {version}"
    assert ("xgboost" in locked) is (platform == "darwin")
    assert ("xgboost-cpu" in locked) is (platform != "darwin")


@pytest.mark.parametrize("lock", [LOCK, DEV_LOCK, DOCS_LOCK], ids=["main", "dev", "docs"])
def test_every_python_gets_the_same_versions(lock):
    """So all give the same figures. Only `shap`, which computes none of them, has two versions, see
    pyproject.toml.
    """
    first, *others = (pins(lock, python) for python in PYTHONS)
    for other in others:
        both = first.keys() & other.keys() - {"shap"}
        assert {name: other[name].specifier for name in both} == {
            name: first[name].specifier for name in both
        }


@pytest.mark.parametrize("lock", [LOCK, DEV_LOCK, DOCS_LOCK], ids=["main", "dev", "docs"])
def test_locks_carry_hashes_and_no_addresses(lock):
    pinned = re.findall(
        r"^[a-zA-Z][^\n]*==[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n?)+)", lock, flags=re.M
    )
    assert len(pinned) == len(re.findall(r"^[a-zA-Z].*==", lock, flags=re.M)) > 20
    assert "://" not in lock
    assert "index" not in re.sub(r"^[a-z].*$", "", lock, flags=re.M)


def test_both_locks_agree_where_they_overlap():
    main, dev = pins(LOCK), pins(DEV_LOCK)
    for name in main.keys() & dev.keys():
        assert main[name].specifier == dev[name].specifier, name
    for text in PYPROJECT["dependency-groups"]["dev"]:
        assert Requirement(text).name.lower() in dev
    for text in PYPROJECT["dependency-groups"]["docs"]:
        assert Requirement(text).name in pins(DOCS_LOCK)


def test_conda_environment_installs_the_same_lock():
    environment = yaml.safe_load((PROJECT_DIR / "environment.yml").read_text())
    python, _, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.txt"]}
    assert any(version.startswith(python.removeprefix("python=")) for version in PYTHONS)
    assert environment["channels"] == ["conda-forge"]


def test_supported_pythons_are_named_alike():
    assert PYPROJECT["project"]["requires-python"] == ">=3.11"
    named = re.findall(r"Python :: (3\.\d+)", str(PYPROJECT["project"]["classifiers"]))
    assert [f"{version}.0" for version in named] == list(PYTHONS)


def test_the_version_stands_in_one_place_and_others_follow_it():
    changelog = (PROJECT_DIR / "CHANGELOG.md").read_text()
    assert re.findall(r"^## (\S+)", changelog, re.M)[:2] == [__version__, "0.1.0"]
    assert f"\nversion: {__version__}\n" in (PROJECT_DIR / "CITATION.cff").read_text()
    wheels = re.findall(r"student_perf-([\d.]+)-py3", (PROJECT_DIR / "docs/install.md").read_text())
    assert set(wheels) == {__version__}


def test_the_container_of_an_editor_sets_up_with_a_supported_python():
    container = json.loads((PROJECT_DIR / ".devcontainer/devcontainer.json").read_text())
    assert f"{container['image'].rpartition(':')[2]}.0" in PYTHONS
    assert container["postCreateCommand"] == "make setup"


def test_make_lists_every_target():
    done = subprocess.run(["make", "-C", PROJECT_DIR], capture_output=True, text=True, check=True)
    wanted = [
        "setup",
        "train",
        "sweep",
        "test",
        "test-all",
        "lint",
        "format",
        "type",
        "lock",
        "docs",
        "ui",
        "clean",
        "all",
    ]
    for target in wanted:
        assert re.search(rf"^  {target} +\w", done.stdout, flags=re.M), target


def make(folder, *words):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    return subprocess.run(
        ["make", "-f", PROJECT_DIR / "Makefile", f"VENV={folder}/venv", *words],
        cwd=PROJECT_DIR,
        env=environment,
        capture_output=True,
        text=True,
    )


def test_make_names_a_python_that_is_too_old(tmp_path):
    old = tmp_path / "python3.9"
    old.write_text('#!/bin/sh\n[ "$1" = -V ] && { echo "Python 3.9.1"; exit; }\nexit 1\n')
    old.chmod(0o755)
    done = make(tmp_path, "train", f"PYTHON={old}")
    assert done.returncode != 0
    assert "is Python 3.9.1, but 3.11 or newer is needed" in done.stdout
    assert not (tmp_path / "venv").exists()


def test_make_names_a_python_that_is_not_there(tmp_path):
    done = make(tmp_path, "setup", "PYTHON=python9")
    assert done.returncode != 0
    assert "'python9' is not there" in done.stdout


def test_the_environment_is_refreshed_only_when_its_inputs_change(tmp_path):
    stamp = tmp_path / "venv/.installed"
    stamp.parent.mkdir()
    stamp.touch()
    newest = max((PROJECT_DIR / n).stat().st_mtime for n in INPUTS)
    os.utime(stamp, (newest + 10, newest + 10))
    assert "venv/.installed" not in make(tmp_path, "--dry-run", "setup").stdout
    os.utime(stamp, (newest - 1e6, newest - 1e6))
    assert "Installing the locked packages" in make(tmp_path, "--dry-run", "setup").stdout


def test_the_pipeline_stops_at_the_first_failure_and_keeps_its_log(tmp_path):
    fake = tmp_path / "bin/python"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho training went wrong >&2\nexit 7\n")
    fake.chmod(0o755)
    for name in ("run_pipeline.sh",):
        (tmp_path / name).write_text((PROJECT_DIR / name).read_text())
    (tmp_path / "Makefile").write_text("setup:\n\t@echo set up\n")
    done = subprocess.run(
        ["bash", tmp_path / "run_pipeline.sh", "model=rf"],
        env=os.environ | {"VENV": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 7
    assert "FAILED: 2/3 training (exit code 7)" in done.stdout
    assert "3/3" not in done.stdout
    (log,) = (tmp_path / "logs").glob("pipeline_*.log")
    assert "training went wrong" in log.read_text()


def test_editor_files_name_commands_that_exist():
    folder = PROJECT_DIR / ".vscode"
    tasks = json.loads((folder / "tasks.json").read_text())["tasks"]
    for task in tasks:
        words = task["command"].split()
        assert words[0] == "make"
        assert re.search(rf"^{words[1]}:", MAKEFILE, flags=re.M), words[1]
    launches = json.loads((folder / "launch.json").read_text())["configurations"]
    modules = {launch["module"] for launch in launches}
    assert modules <= {"student_perf.train", "pytest", "student_perf"}
    inputs = json.loads((folder / "tasks.json").read_text())["inputs"]
    for one in inputs:
        known = {file.stem for file in (CONF_DIR / one["id"]).glob("*.yaml")}
        assert {*one["options"], one["default"]} <= known, one["id"]


INPUTS = ("requirements.txt", "requirements-dev.txt", "pyproject.toml")
_UNIDIOMATIC = re.compile(
    r"(?<!there )\bis no\b(?! (longer|slower))|\bbe had\b|\bof ours\b|\bflatters\b", re.IGNORECASE
)


@pytest.mark.parametrize(
    "folder", ["student_perf", "conf", "docs", "hydra_plugins", "benchmarks", "studies"]
)
def test_the_english_is_idiomatic(folder):
    files = [*(PROJECT_DIR / folder).rglob("*.*"), *PROJECT_DIR.glob("*.md")]
    for file in files:
        if file.suffix in (".py", ".md", ".yaml", ".j2"):
            for line in file.read_text(encoding="utf-8").splitlines():
                assert not _UNIDIOMATIC.search(line), f"{file.name}: {line.strip()}"
