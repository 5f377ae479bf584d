"""Every error message of the program with its cause and its cure, from the source itself.

A message says value and rule, then `; ` and what to do. What depends on the case is an ellipsis.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from student_perf import errors
from student_perf.errors import StudentPerfError
from student_perf.text import markdown_cell

PACKAGE = Path(errors.__file__).parent
_KINDS = {
    name for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, StudentPerfError)
}  # fmt: skip
_VARIES = "…"
_WORD = re.compile(r"[a-z]{2,}")
_FEWEST_WORDS = 3
_SAYS_RULE = "give what the line asks for"


@dataclass(frozen=True, order=True)
class Message:
    """Where an error comes from, what it says, and what to do about it."""

    room: str
    cause: str
    cure: str


def iter_messages() -> Iterator[Message]:
    """All messages that the program writes as text of its own."""
    for file in sorted(PACKAGE.rglob("*.py")):
        room = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in _KINDS and node.args:
                text = _template(node.args[0])
                if len(_WORD.findall(text)) >= _FEWEST_WORDS:  # others are parts of longer ones
                    cause, _, cure = text.partition("; ")
                    yield Message(room, cause, cure)


def _template(node: ast.expr) -> str:
    """The text of a message; empty if it is made elsewhere."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _VARIES for part in node.values
        )
    return ""


def page(note: str) -> str:
    """The page of all messages."""
    lines = ["# Messages", "", note, ""]
    lines += [
        "An error is one line on standard error, and the exit code is not zero; the traceback",
        f"comes with `HYDRA_FULL_ERROR=1`. `{_VARIES}` stands for what depends on the case. Search",
        "this page for words of the line. Numbered warnings and checks are in",
        "[every check](../checks.md).",
    ]
    room = ""
    for message in sorted(set(iter_messages())):
        if message.room != room:
            room = message.room
            lines += ["", f"## {room}", "", "| it says | what to do |", "|---|---|"]
        cells = map(markdown_cell, (message.cause, message.cure or _SAYS_RULE))
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
