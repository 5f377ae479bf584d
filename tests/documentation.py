"""The pages as tests read them: their commands, and what they show of an output."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from student_perf.paths import PROJECT_DIR

assert PROJECT_DIR is not None
_FOUND = sorted([*PROJECT_DIR.glob("*.md"), *(PROJECT_DIR / "docs").rglob("*.md")])
PAGES = {page.relative_to(PROJECT_DIR).as_posix(): page for page in _FOUND}
CUT = "..."  # a line of its own: lines of the output are left out here
_PROGRAM = re.compile(
    r"^(?:\$ )?(?:python|\.venv/bin/python|\.venv\\Scripts\\python) -m "
    r"(student_perf(?:\.train)?)(?: (.*?))?$"
)
# Forms of commands, with words that a reader replaces.
_FORM = re.compile(r"\[-|[<\[]\w*[A-Z.]|<|\b(?:COMMAND|NAME)(?: |$)|\.\.\.|=[A-Z]+\b|=$|_perf$")


def read(name: str) -> str:
    """Text of a page by its path in the project."""
    return PAGES[name].read_text(encoding="utf-8")


def marked(name: str, mark: str) -> str:
    """What a page has between `<!-- mark -->` and `<!-- /mark -->`, without a block's fence."""
    text = read(name).split(f"<!-- {mark} -->\n")[1].split(f"\n<!-- /{mark} -->")[0]
    return text.removeprefix("```\n").removesuffix("\n```")


def without_code(text: str) -> str:
    """A page without its code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.M | re.S)


def lines_of_code(text: str) -> Iterator[str]:
    """Lines of code blocks, joined where a backslash ends a line, and code within sentences."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, re.M | re.S):
        yield from block.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`([^`]+)`", without_code(text).replace("\n", " "))


def commands() -> dict[tuple[str, ...], str]:
    """Every command line of this program, as words, with a page that has it.

    The first word is `student_perf` or `student_perf.train`.
    """
    found: dict[tuple[str, ...], str] = {}
    for name in sorted(PAGES.keys() - {"CHANGELOG.md"}):
        for code in lines_of_code(read(name)):
            line = re.split(r"\s+#", code.strip())[0].partition(" > ")[0]
            if (match := _PROGRAM.match(line)) and not _FORM.search(line):
                found.setdefault((match[1], *shlex.split(match[2] or "")), name)
    return found


def is_shown(shown: str, printed: str) -> bool:
    """Whether lines are printed in the order shown, without a gap but where a cut is marked."""
    lines = [line.rstrip() for line in printed.splitlines()]
    at, is_cut = 0, False
    for line in shown.splitlines():
        if line == CUT:
            is_cut = True
            continue
        if line not in lines[at:] or (not is_cut and lines[at] != line):
            return False
        at, is_cut = lines.index(line, at) + 1, False
    return True
