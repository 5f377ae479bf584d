"""Record a small sweep and its comparison in a terminal: docs/images/demo.svg.

    .venv/bin/uv run --no-project --python .venv/bin/python --with pyte studies/demo.py

What the picture shows is what the commands print. The workspace is a temporary folder, which the
picture calls `.`; waits are cut to a second. Needs pyte, which follows what a terminal would show.
"""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
PICTURE = PROJECT / "docs" / "images" / "demo.svg"
COMMANDS = (
    "python -m student_perf.train -m model=dummy,logreg,tree tracking=off",
    "python -m student_perf compare",
)
COLUMNS, ROWS = 80, 28
_LONGEST, _READING, _SHORTEST, _LINE, _KEY = 1.0, 5.0, 0.5, 0.05, 0.03  # seconds
_WIDTH, _HEIGHT, _MARGIN = 8.43, 18, 12  # of a character of 14 pixels, and around the text
_COLOURS = {
    "default": "#d0d0d0", "black": "#606060", "red": "#ff6b68", "green": "#7ec699",
    "brown": "#e5c07b", "blue": "#6cb6ff", "magenta": "#d2a8ff", "cyan": "#7fdbca", "white": "#fff",
}  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Characters of one look, beginning at a column."""

    column: int
    text: str
    colour: str
    is_bold: bool


Line = tuple[Run, ...]


@dataclass(frozen=True)
class Frame:
    """What the terminal shows for so many seconds."""

    lines: tuple[Line, ...]
    seconds: float


def main() -> None:
    """Record and write."""
    PICTURE.write_text(svg(list(record())), encoding="utf-8")


def record() -> Iterator[Frame]:
    """Type each command and show what it prints, as it comes."""
    import pyte

    screen = pyte.Screen(COLUMNS, ROWS)
    stream = pyte.Stream(screen)
    with tempfile.TemporaryDirectory() as folder:
        for command in COMMANDS:
            stream.feed("$ ")
            for end in range(0, len(command), 3):
                stream.feed(command[end : end + 3])
                yield Frame(_lines(screen), 3 * _KEY)
            stream.feed("\r\n")
            for text, seconds in _output(command, Path(folder)):
                for line in text.splitlines(keepends=True):
                    stream.feed(line)
                    yield Frame(_lines(screen), _LINE)
                yield Frame(_lines(screen), min(seconds, _LONGEST))
            yield Frame(_lines(screen), _READING)


def _output(command: str, folder: Path) -> Iterator[tuple[str, float]]:
    """Pieces of what a command prints in a terminal, each with the seconds until the next."""
    program, *words = command.split()
    assert program == "python"
    child, terminal = pty.fork()
    if child == 0:
        os.environ |= {"STUDENT_PERF_WORKSPACE": str(folder), "PYTHONPATH": str(PROJECT)}
        # As in an activated environment, so that the hints say `python` too.
        places = [str(Path(sys.executable).parent), os.environ["PATH"]]
        os.environ |= {"TERM": "xterm-256color", "PATH": os.pathsep.join(places)}
        os.execvp("python", ["python", *words])
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    pending, since = "", time.monotonic()
    while data := _read(terminal):
        now = time.monotonic()
        if pending and now - since > _SHORTEST:
            yield pending, now - since
            pending, since = "", now
        pending += data.decode(errors="replace").replace(str(folder), ".")
    yield pending, 0
    _, status = os.waitpid(child, 0)
    assert status == 0, command


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side is closed
        return b""


def _lines(screen: Any) -> tuple[Line, ...]:
    return tuple(_line(screen.buffer[row]) for row in range(ROWS))


def _line(cells: Any) -> Line:
    """Runs of one colour and weight, without blanks at their ends."""
    looks = [(cells[column].fg, cells[column].bold) for column in range(COLUMNS)]
    runs, column = [], 0
    for (colour, is_bold), same in groupby(looks):
        width = len(list(same))
        text = "".join(cells[column + i].data for i in range(width))
        if text.strip():
            start = column + len(text) - len(text.lstrip())
            runs.append(Run(start, text.strip(), colour, is_bold))
        column += width
    return tuple(runs)


def svg(frames: Sequence[Frame]) -> str:
    """The frames side by side, of which the picture shows one after the other, for ever."""
    width = round(COLUMNS * _WIDTH + 2 * _MARGIN)
    height = ROWS * _HEIGHT + 2 * _MARGIN
    numbers = {
        line: n for n, line in enumerate(dict.fromkeys(line for f in frames for line in f.lines))
    }
    drawn = "".join(f'<g id="l{n}">{_drawn(line)}</g>' for line, n in numbers.items() if line)
    strip = "".join(
        f'<use href="#l{numbers[line]}" x="{place * width}" y="{row * _HEIGHT}"/>'
        for place, frame in enumerate(frames)
        for row, line in enumerate(frame.lines)
        if line
    )
    last = f"transform:translateX({-(len(frames) - 1) * width}px)"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="monospace" font-size="14" role="img" '
        f'aria-label="{escape("; ".join(COMMANDS))}"><style>text{{white-space:pre}}'
        f".strip{{animation:play {_seconds(frames):.2f}s steps(1,end) infinite}}"
        f"@keyframes play{{{_keyframes(frames, width)}}}"
        f"@media(prefers-reduced-motion){{.strip{{animation:none;{last}}}}}</style>"
        f'<defs>{drawn}</defs><rect width="{width}" height="{height}" rx="6" fill="#1e1e1e"/>'
        f'<g transform="translate({_MARGIN} {_MARGIN})"><g class="strip">{strip}</g></g></svg>\n'
    )


def _seconds(frames: Sequence[Frame]) -> float:
    return sum(frame.seconds for frame in frames)


def _keyframes(frames: Sequence[Frame], width: int) -> str:
    passed, rules = 0.0, []
    for place, frame in enumerate(frames):
        share = 100 * passed / _seconds(frames)
        rules.append(f"{share:.3f}%{{transform:translateX({-place * width}px)}}")
        passed += frame.seconds
    return "".join(rules)


def _drawn(line: Line) -> str:
    parts = []
    for run in line:
        weight = ' font-weight="bold"' if run.is_bold else ""
        colour = _COLOURS.get(run.colour.removeprefix("bright"), _COLOURS["default"])
        length = f' textLength="{len(run.text) * _WIDTH:.0f}"' if len(run.text) > 1 else ""
        parts.append(
            f'<text x="{run.column * _WIDTH:.0f}" y="14" fill="{colour}"{weight}{length}>'
            f"{escape(run.text, quote=False)}</text>"
        )
    return "".join(parts)


if __name__ == "__main__":
    main()
