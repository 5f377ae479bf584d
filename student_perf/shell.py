"""Lines that work when they are typed in the current folder, with the Python that runs here."""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

_OF_SHELL = frozenset('"$`\\!')  # what a shell reads within double quotes
_WORKSPACE: ContextVar[tuple[str, ...]] = ContextVar("workspace", default=())


def in_shell(text: str) -> str:
    """A word as a shell takes it, in double quotes where single ones would have to be taken apart.

    >>> print(in_shell("dataset.target='año'"), in_shell("C=1"), in_shell("a b"))
    "dataset.target='año'" C=1 'a b'
    """
    is_plain = "'" in text and not _OF_SHELL & set(text)
    return f'"{text}"' if is_plain else shlex.quote(text)


def line(words: Iterable[str]) -> str:
    """Words as a line to type."""
    return " ".join(map(in_shell, words))


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
    return line([python_command(), "-m", "student_perf", *words, *_WORKSPACE.get()])


def train_line(*words: str) -> str:
    """The line of a run or sweep."""
    return line([python_command(), "-m", "student_perf.train", *words])


def install_line(*packages: str) -> str:
    """The line that installs packages."""
    return line([python_command(), "-m", "pip", "install", *packages])


def install_extra(extra: str) -> str:
    """The line that installs what an extra of this package names, in a checkout and beside a wheel:
    `-e '.[extra]'` works in the folder of a checkout only.
    """
    # Here, since every command imports this module and few have something to install.
    from importlib.metadata import PackageNotFoundError, requires

    from packaging.requirements import Requirement

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
