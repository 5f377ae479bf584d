"""Versions of packages that a model was trained with, beside those that are installed, and the hash
of the code that is running.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from student_perf import __version__
from student_perf.config.trusted import trusted_sources
from student_perf.paths import PACKAGE_DIR
from student_perf.shell import install_line

ABSENT = "absent"


@dataclass(frozen=True)
class Change:
    """A package whose version is another one now, or which is `ABSENT` then or now."""

    package: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.package} was {self.was}, is {self.now}"


def installed_versions(packages: Iterable[str]) -> dict[str, str]:
    """Versions of those of the packages that are installed."""
    found = {}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def changes(was: Mapping[str, str], packages: Iterable[str]) -> list[Change]:
    """Those of the packages whose version has changed, in alphabetical order."""
    names = sorted(set(packages))
    now = installed_versions(names)
    pairs = [(name, was.get(name, ABSENT), now.get(name, ABSENT)) for name in names]
    return [Change(name, before, after) for name, before, after in pairs if before != after]


def trained_elsewhere(differ: Iterable[Change], cannot: str) -> str:
    """What a user reads whose packages a model cannot work with; empty if none differs.

    >>> trained_elsewhere([Change("numpy", "2.4.6", "2.1.0")], "be loaded")  # doctest: +ELLIPSIS
    'trained with numpy 2.4.6, this is 2.1.0: it cannot be loaded here; ...'
    """
    known = [change for change in differ if change.was != ABSENT]
    if not known:
        return ""
    trained = ", ".join(f"{change.package} {change.was}" for change in known)
    here = ", ".join(change.now for change in known)
    pins = [f"{change.package}=={change.was}" for change in known]
    return (
        f"trained with {trained}, this is {here}: it cannot {cannot} here; environment: "
        f"{install_line(*pins)}"
    )


def code_sha256() -> str:
    """Hash of the package's version and source files, and those of the user's own modules."""
    digest = hashlib.sha256(__version__.encode())
    for path in sorted(PACKAGE_DIR.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE_DIR).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    for path in trusted_sources():
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
