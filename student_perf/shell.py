"""Lines that work when they are typed in the current folder, with the Python that runs here."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement

_WORKSPACE: ContextVar[tuple[str, ...]] = ContextVar("workspace", default=())


def python_command() -> str:
    """How this interpreter is called from the current folder."""
    on_path = shutil.which("python")
    if on_path and Path(on_path).absolute() == Path(sys.executable).absolute():
        return "python"
    executable = Path(sys.executable)
    here = Path.cwd()
    return str(executable.relative_to(here)) if executable.is_relative_to(here) else str(executable)


@contextmanager
def with_workspace(folder: Path) -> Iterator[None]:
    """Lines within name the workspace that `--workspace` has named for this command."""
    before = _WORKSPACE.set(("--workspace", str(folder)))
    try:
        yield
    finally:
        _WORKSPACE.reset(before)


def own_line(*words: str) -> str:
    """The line of a command of this package: `own_line("check", name)`."""
    return shlex.join([python_command(), "-m", "student_perf", *words, *_WORKSPACE.get()])


def train_line(*words: str) -> str:
    """The line of a run or sweep."""
    return shlex.join([python_command(), "-m", "student_perf.train", *words])


def install_line(*packages: str) -> str:
    """The line that installs packages."""
    return shlex.join([python_command(), "-m", "pip", "install", *packages])


def install_extra(extra: str) -> str:
    """The line that installs what an extra of this package names, in a checkout and beside a wheel:
    `-e '.[extra]'` works in the folder of a checkout only.
    """
    try:
        known = [Requirement(line) for line in requires("student_perf") or []]
    except PackageNotFoundError:  # the folder was copied, and has no metadata
        return install_line("-e", f".[{extra}]")
    chosen = [one for one in known if _is_of(extra, one) and not _is_of("", one)]
    for one in chosen:
        one.marker = None
    return install_line(*map(str, chosen))


def _is_of(extra: str, requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
