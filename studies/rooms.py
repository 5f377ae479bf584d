"""Write the picture of the rooms in docs/architecture.md, from what they really import.

.venv/bin/python -m studies.rooms

An arrow that a longer way implies is left out, and so are the rooms that nearly all import.
"""

from __future__ import annotations

import re

from student_perf.atomic import write_atomic
from student_perf.paths import PROJECT_DIR
from tests.imports import rooms_used

BEGIN, END = "<!-- rooms: python -m studies.rooms -->", "<!-- /rooms -->"
# Nearly every room imports these, so arrows to them say nothing.
_EVERYWHERE = {
    "__init__",
    "__main__",
    "atomic",
    "errors",
    "exit_codes",
    "locks",
    "masking",
    "paths",
}
_EVERYWHERE |= {"render", "signals", "terminal", "text"}


def main() -> None:
    """Replace the picture in the page."""
    assert PROJECT_DIR is not None
    page = PROJECT_DIR / "docs" / "architecture.md"
    text = page.read_text(encoding="utf-8")
    around = re.split(f"{BEGIN}.*{END}", text, flags=re.DOTALL)
    assert len(around) == 2, "the page marks where the picture stands"
    write_atomic(page, picture().join(around).encode())


def picture() -> str:
    """The block between the marks, as Mermaid."""
    arrows = _drawn(rooms_used())
    lines = [f"  {room} --> {other}" for room in sorted(arrows) for other in sorted(arrows[room])]
    return "\n".join([BEGIN, "```mermaid", "flowchart TD", *lines, "```", END])


def _drawn(used: dict[str, set[str]]) -> dict[str, set[str]]:
    """What each room imports, but for rooms that it also reaches through others."""
    kept = {room: used[room] - _EVERYWHERE for room in used.keys() - _EVERYWHERE}
    return {
        room: {one for one in others if not any(one in _reached(kept, other) for other in others)}
        for room, others in kept.items()
    }


def _reached(used: dict[str, set[str]], room: str) -> set[str]:
    """All rooms that a room needs, directly or through others."""
    return used[room].union(*(_reached(used, other) for other in used[room]))


if __name__ == "__main__":
    main()
