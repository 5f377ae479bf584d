"""What a run was made with: code, environment, lock."""

from __future__ import annotations

import hashlib
import platform
import subprocess
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path

from student_perf import __version__
from student_perf.paths import LOCK_FILE, PROJECT_DIR


@dataclass(frozen=True)
class Provenance:
    """Commit, branch and `dirty` are None outside a git checkout; `lock_sha256` without a lock."""

    commit: str | None
    branch: str | None
    dirty: bool | None
    python: str
    platform: str
    version: str
    lock_sha256: str | None


def collect_provenance(project: Path = PROJECT_DIR, lock: Path = LOCK_FILE) -> Provenance:
    """Evidence about the code in `project` and the interpreter that runs it."""
    commit = _git(project, "rev-parse", "HEAD")
    status = _git(project, "status", "--porcelain") if commit else None
    return Provenance(
        commit=commit,
        branch=_git(project, "rev-parse", "--abbrev-ref", "HEAD") if commit else None,
        dirty=None if status is None else bool(status),
        python=platform.python_version(),
        platform=platform.platform(),
        version=__version__,
        lock_sha256=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else None,
    )


@cache
def current_provenance() -> Provenance:
    """Evidence about this process, collected once."""
    return collect_provenance()


def installed_packages() -> dict[str, str]:
    """Version of every installed distribution, by name in alphabetical order."""
    # `dist.version` would parse the metadata a second time.
    metadata = (dist.metadata for dist in distributions())
    found = {entry["Name"]: entry["Version"] for entry in metadata}
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
