"""Versions of packages that a model was trained with, beside those that are installed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

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


def environment(was: Iterable[Change]) -> str:
    """The command that brings back the versions of then."""
    pins = [f"{change.package}=={change.was}" for change in was if change.was != ABSENT]
    return f"pip install {' '.join(pins)}"
