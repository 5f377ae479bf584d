"""What a run was made with: code, environment, lock."""

from __future__ import annotations

import getpass
import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from threadpoolctl import threadpool_info

from student_perf import __version__
from student_perf.atomic import write_atomic
from student_perf.paths import LOCK_FILE, PROJECT_DIR
from student_perf.runs.layout import DIFF_FILE, PROVENANCE_FILE
from student_perf.runs.record import write_json

_MOST_DIFF = 1_000_000  # characters
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Provenance:
    """Commit, branch and `dirty` are None outside a git checkout, `lock_sha256` without a lock; an
    installed package has none of them. Files that git does not know make a checkout dirty only if
    they are sources: a result or a table beside the code changes no run.
    """

    commit: str | None
    branch: str | None
    dirty: bool | None
    python: str
    platform: str
    version: str
    lock_sha256: str | None


def collect_provenance(
    project: Path | None = PROJECT_DIR, lock: Path | None = LOCK_FILE
) -> Provenance:
    """Evidence about the code in `project` and the interpreter that runs it."""
    commit = _git_word(project, "rev-parse", "HEAD")
    changed = _git_word(project, "status", "--porcelain", "--untracked-files=no")
    return Provenance(
        commit=commit,
        branch=_git_word(project, "rev-parse", "--abbrev-ref", "HEAD") if commit else None,
        dirty=bool(changed or untracked_sources(project)) if commit else None,
        python=platform.python_version(),
        platform=platform.platform(),
        version=__version__,
        lock_sha256=_sha256(lock),
    )


@cache
def current_provenance() -> Provenance:
    """Evidence about this process, collected once."""
    return collect_provenance()


@cache
def installed_packages() -> dict[str, str]:
    """Version of every installed distribution, by name in alphabetical order."""
    # `dist.version` would parse the metadata a second time.
    metadata = (dist.metadata for dist in distributions())
    versions = {entry["Name"]: entry["Version"] for entry in metadata}
    return dict(sorted(versions.items(), key=lambda item: item[0].lower()))


def write_provenance(folder: Path, seeds: Mapping[str, int], host_and_user: bool) -> list[str]:
    """Write `provenance.json` and, if the code has uncommitted changes, their diff into `folder`.

    Returns a line for each package whose installed version is not the locked one.
    """
    packages = installed_packages()
    differ = packages_differ(packages, LOCK_FILE)
    content: dict[str, Any] = asdict(current_provenance()) | {
        "untracked": untracked_sources(),
        "packages_differ": differ,
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": {name: os.environ.get(name) for name in _THREAD_VARIABLES},
        "thread_limits": {
            Path(pool["filepath"]).name: pool["num_threads"] for pool in threadpool_info()
        },
        "command": shlex.join(sys.argv),
        "overrides": [word for word in sys.argv[1:] if "=" in word],
        "seeds": dict(seeds),
        "packages": packages,
    }
    if host_and_user:
        content |= {"host": socket.gethostname(), "user": user_name()}
    write_json(folder / PROVENANCE_FILE, content)
    if current_provenance().dirty and (diff := uncommitted_diff()) is not None:
        write_atomic(folder / DIFF_FILE, diff)
    return differ


def uncommitted_diff(project: Path | None = PROJECT_DIR, longest: int = _MOST_DIFF) -> str | None:
    """What git sees changed since the commit; a longer text is cut, and its end says so."""
    diff = git(project, "diff", "--no-ext-diff", "HEAD")
    if diff is None or len(diff) <= longest:
        return diff
    return (
        f"{diff[:longest]}\n# cut here: {len(diff) - longest} of {len(diff)} characters left out\n"
    )


def untracked_sources(project: Path | None = PROJECT_DIR) -> list[str]:
    """Source files that git does not know, so that no diff shows them."""
    names = git(project, "ls-files", "--others", "--exclude-standard") or ""
    return [name for name in names.splitlines() if name.endswith((".py", ".yaml"))]


def packages_differ(installed: Mapping[str, str], lock: Path | None) -> list[str]:
    """`name: locked 1.0, installed 1.1` for each package of a lock file that does not agree."""
    if lock is None or not lock.is_file():
        return []
    versions: dict[str, str] = {
        canonicalize_name(name): version for name, version in installed.items()
    }
    lines = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        locked = _locked(line) if line[:1].isalnum() else None  # else a hash or a comment
        if locked is None:
            continue
        name, version = locked
        if versions.get(name) != version:
            lines.append(f"{name}: locked {version}, installed {versions.get(name, 'not at all')}")
    return lines


def _locked(line: str) -> tuple[str, str] | None:
    """Name and version of a pin that holds for this interpreter and platform."""
    try:
        pin = Requirement(line.removesuffix("\\").strip())
    except InvalidRequirement:
        return None
    if pin.marker is not None and not pin.marker.evaluate():
        return None
    versions = [one.version for one in pin.specifier if one.operator == "=="]
    return (canonicalize_name(pin.name), versions[0]) if versions else None


def _sha256(lock: Path | None) -> str | None:
    if lock is None or not lock.is_file():
        return None
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _cpu_model() -> str:
    """Name of the processor, empty if it is unknown."""
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def user_name() -> str | None:
    """Who runs this; None if the system has no name for the user."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return None


def git(project: Path | None, *arguments: str) -> str | None:
    """Output of a git command in `project`; None if it fails, or there is no checkout to ask."""
    if project is None:
        return None
    try:
        done = subprocess.run(
            ["git", "-C", str(project), *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def _git_word(project: Path | None, *arguments: str) -> str | None:
    said = git(project, *arguments)
    return None if said is None else said.strip()
