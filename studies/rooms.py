"""Draw docs/images/rooms.svg: which room of the package imports which.

.venv/bin/python -m studies.rooms

An arrow that a longer way implies is left out, and so are the rooms that nearly all import.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from student_perf.atomic import write_atomic
from student_perf.paths import PROJECT_DIR
from tests.imports import rooms_used

PICTURE = Path("docs/images/rooms.svg")
_WIDE, _HIGH, _COLUMN, _ROW = 104, 28, 124, 62  # of a box, and from one to the next, in pixels
_SWEEPS = 8
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
_HEAD = """<style>
text { font: 13px system-ui, sans-serif; text-anchor: middle; fill: #222; }
rect { fill: #eaf3f9; stroke: #0072b2; } path { fill: none; stroke: #777; }
#end path { fill: #777; stroke: none; }
@media (prefers-color-scheme: dark) { text { fill: #e4e6e9; } rect { fill: #1c3445; }
path { stroke: #a7adb6; } #end path { fill: #a7adb6; } }
</style>
<marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 8 4 0 8z"/></marker>"""


def main() -> None:
    """Write the picture."""
    assert PROJECT_DIR is not None
    write_atomic(PROJECT_DIR / PICTURE, picture().encode())


def picture() -> str:
    """The picture as SVG, which needs no script and no other server."""
    arrows = _drawn(rooms_used())
    rows, paths = _rows(arrows)
    width, height = max(map(len, rows)) * _COLUMN, len(rows) * _ROW
    place = {
        one: (round(width / 2 + (i - (len(row) - 1) / 2) * _COLUMN), y * _ROW + _ROW // 2)
        for y, row in enumerate(rows)
        for i, one in enumerate(row)
    }
    lines = [_curve([place[one] for one in path]) for path in paths]
    boxes = [_box(room, *place[room]) for room in sorted(arrows)]
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size}>', _HEAD, *lines, *boxes, "</svg>\n"]
    )


def _drawn(used: dict[str, set[str]]) -> dict[str, set[str]]:
    """What each room imports, but for rooms that it also reaches through others."""
    kept = {room: used[room] - _EVERYWHERE for room in used.keys() - _EVERYWHERE}
    return {
        room: {one for one in others if not any(one in _reached(kept, other) for other in others)}
        for room, others in kept.items()
    }


def _rows(arrows: dict[str, set[str]]) -> tuple[list[list[str]], list[list[str]]]:
    """Rooms from top to bottom, each row from left to right, and each arrow as the places that it
    passes: where it crosses a row it has a place there, named by its ends.
    """
    depth: dict[str, int] = {}
    for room in sorted(arrows, key=lambda one: (len(_reached(arrows, one)), one)):
        depth[room] = 1 + max((depth[other] for other in arrows[room]), default=0)
    for room in sorted(arrows, key=lambda one: (-depth[one], one)):  # close to those that import it
        users = [depth[one] for one in arrows if room in arrows[one]]
        depth[room] = min(users, default=depth[room] + 1) - 1
    rows: list[list[str]] = [[] for _ in range(max(depth.values()) + 1)]
    for room in sorted(arrows):
        rows[max(depth.values()) - depth[room]].append(room)
    paths = []
    for room in sorted(arrows):
        for other in sorted(arrows[room]):
            between = range(depth[room] - 1, depth[other], -1)
            names = [f"{room} {other} {level}" for level in between]
            for level, name in zip(between, names, strict=True):
                rows[max(depth.values()) - level].append(name)
            paths.append([room, *names, other])
    return [row for row in _untangled(rows, paths) if row], paths


def _untangled(rows: list[list[str]], paths: list[list[str]]) -> list[list[str]]:
    """The rows, each ordered by where its neighbours in the rows above and below stand."""
    beside: dict[str, set[str]] = {one: set() for row in rows for one in row}
    for path in paths:
        for one, other in pairwise(path):
            beside[one].add(other)
            beside[other].add(one)
    place = {one: i - len(row) / 2 for row in rows for i, one in enumerate(row)}
    for _ in range(_SWEEPS):
        for row in rows:
            means = {
                one: sum(place[o] for o in beside[one]) / max(1, len(beside[one])) for one in row
            }
            row.sort(key=lambda one: (means[one], one))
            place |= {one: i - len(row) / 2 for i, one in enumerate(row)}
    return rows


def _box(room: str, x: int, y: int) -> str:
    corner = f'x="{x - _WIDE // 2}" y="{y - _HIGH // 2}"'
    return (
        f'<rect {corner} width="{_WIDE}" height="{_HIGH}" rx="4"/>'
        f'<text x="{x}" y="{y + 4}">{room}</text>'
    )


def _curve(places: list[tuple[int, int]]) -> str:
    """An arrow from below the first place to above the last one."""
    points = [(places[0][0], places[0][1] + _HIGH // 2), *places[1:-1]]
    points.append((places[-1][0], places[-1][1] - _HIGH // 2))
    drawn = f"M{points[0][0]} {points[0][1]}"
    for (x, y), (to_x, to_y) in pairwise(points):
        middle = (y + to_y) // 2
        drawn += f"C{x} {middle} {to_x} {middle} {to_x} {to_y}"
    return f'<path d="{drawn}" marker-end="url(#end)"/>'


def _reached(used: dict[str, set[str]], room: str) -> set[str]:
    """All rooms that a room needs, directly or through others."""
    return used[room].union(*(_reached(used, other) for other in used[room]))


if __name__ == "__main__":
    main()
