"""The targets of the Makefile without make, on Windows too.

    python tasks.py                     # lists them
    python tasks.py train model=xgb     # sets up .venv if it has to, then runs the target

Targets and lines are read from the Makefile, so both do the same. Needs nothing but Python.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
_TARGET = re.compile(r"^([a-z-]+):([^#\n]*)  ## (.*)\n((?:\t.*\n)*)", re.MULTILINE)
_VARIABLE = re.compile(r"^(\w+) \?= *(.*)$", re.MULTILINE)
_NAME = re.compile(r"\$\((\w+)\)")
_SHELL = re.compile(r"[|;<>`]|&&|\$|\\$")  # what only a shell understands


class TaskError(Exception):
    """What was asked for cannot be done."""


def read_targets(makefile: str) -> dict[str, tuple[str, list[str], list[str]]]:
    """What each target is for, the targets it needs, and its lines."""
    return {
        name: (text, [word for word in needs.split() if "$" not in word], lines.splitlines())
        for name, needs, text, lines in _TARGET.findall(makefile)
    }


def words_of(line: str, variables: dict[str, str], given: Sequence[str], tools: Path) -> list[str]:
    """The program and the words of a line of the Makefile, with those that were given."""
    takes = [name for name in _NAME.findall(line) if name.endswith("ARGS")]
    if given and not takes:
        raise TaskError(f"{' '.join(given)}: this target takes no words; leave them out")
    filled = variables | ({takes[0]: shlex.join(given)} if given else {}) | {"bin": "BIN"}
    text = _NAME.sub(lambda name: filled.get(name[1], name[0]), line.strip())
    if _SHELL.search(text):
        raise TaskError(f"{text}: needs a shell; run this target with make")
    program, *rest = shlex.split(text)
    return [str(tools / program.removeprefix("BIN/")) if "BIN/" in program else program, *rest]


def set_up(venv: Path, tools: Path) -> None:
    """Make or refresh the environment, if the locks are newer than it is."""
    stamp = venv / ".installed"
    sources = [FOLDER / name for name in (*LOCKS, "pyproject.toml")]
    if stamp.exists() and all(stamp.stat().st_mtime >= one.stat().st_mtime for one in sources):
        return
    if sys.version_info < (3, 11):  # noqa: UP036 (whoever has an older one reads this)
        raise TaskError(f"this is Python {sys.version.split()[0]}; 3.11 or newer is needed")
    if not tools.exists():
        _run([sys.executable, "-m", "venv", str(venv)])
    print(f"Installing the locked packages into {venv}; this takes a minute or two, once")
    pip = [str(tools / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, *(word for name in LOCKS for word in ("-r", name))])
    _run([*pip, "--no-deps", "--editable", "."])
    stamp.touch()


def main(words: Sequence[str]) -> int:
    """Run a target, or list them; returns the exit code."""
    makefile = (FOLDER / "Makefile").read_text(encoding="utf-8")
    targets = read_targets(makefile)
    if not words:
        print("\n".join(f"  {name:<12}{text}" for name, text in _without_shell(targets)))
        return 0
    variables = dict(_VARIABLE.findall(makefile))
    variables |= {name: os.environ[name] for name in variables if name in os.environ}
    venv = FOLDER / variables["VENV"]
    tools = venv / ("Scripts" if os.name == "nt" else "bin")
    name, *given = words
    try:
        if name not in targets:
            known = ", ".join(one for one, _ in _without_shell(targets))
            raise TaskError(f"{name}: must be one of {known}")
        set_up(venv, tools)
        for one in [*targets[name][1], name]:
            for line in targets[one][2] if one in targets else []:
                _run(words_of(line, variables, given if one == name else [], tools))
    except TaskError as error:
        print(f"tasks.py: {error}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        return error.returncode
    except KeyboardInterrupt:
        return 130
    return 0


def _without_shell(
    targets: dict[str, tuple[str, list[str], list[str]]],
) -> Iterator[tuple[str, str]]:
    """The targets that run here, with what each is for."""
    for name, (text, needs, lines) in targets.items():
        own = [*lines, *(line for one in needs if one in targets for line in targets[one][2])]
        if all(_is_plain(line) for line in own):
            yield name, re.sub(r'\w*ARGS="(.*)"', r"\1", text)


def _is_plain(line: str) -> bool:
    return line.startswith("\t$(bin)/") and not _SHELL.search(_NAME.sub("", line))


def _run(words: Sequence[str]) -> None:
    subprocess.run(words, cwd=FOLDER, check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
