"""What a sweep's leaderboard knows of its trials, on its way to MLflow.

The sweep writes it when it ends, in whatever way; the publisher, which cannot rank, reads it.

>>> shape = SweepShape("grades", ("accuracy",), ("model.C",))
>>> Standings.from_json(Standings(shape, {3: {"rank": 1.0}}).to_json()).marks
{3: {'rank': 1.0}}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from student_perf.atomic import write_atomic
from student_perf.runs.layout import STANDINGS_FILE
from student_perf.store.protocol import Marks
from student_perf.store.views import SweepShape


@dataclass(frozen=True)
class Standings:
    """The shape of a sweep's view and, by number of the trial, what is said of its place."""

    shape: SweepShape
    marks: Mapping[int, Marks]

    def to_json(self) -> str:
        """Content of the file."""
        return json.dumps(asdict(self), indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From the content of a file."""
        content = json.loads(text)
        words: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in content["shape"].items()
        }
        marks = {int(number): marks for number, marks in content["marks"].items()}
        return cls(SweepShape(**words), marks)

    def save(self, folder: Path) -> None:
        """Replace the file in a sweep's folder."""
        write_atomic(folder / STANDINGS_FILE, self.to_json().encode())


def load_standings(folder: Path) -> Standings | None:
    """The standings in a sweep's folder; None before it has ended once."""
    file = folder / STANDINGS_FILE
    return Standings.from_json(file.read_text(encoding="utf-8")) if file.is_file() else None
