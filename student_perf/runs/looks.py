"""How often test rows have been looked at: each look makes the next figure less honest."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from filelock import FileLock

from student_perf.paths import workspace

LEDGER_FILE = "test_looks.jsonl"


def count_look(data_sha256: str, rows_sha256: str, folder: Path) -> int:
    """Note one look at these rows in the workspace's ledger; returns how many there are now."""
    ledger = workspace() / LEDGER_FILE
    look: dict[str, Any] = {
        "time": time.time(),
        "data_sha256": data_sha256,
        "rows_sha256": rows_sha256,
        "folder": str(folder),
    }
    with FileLock(f"{ledger}.lock"):
        with ledger.open("a", encoding="utf-8") as file:
            file.write(json.dumps(look) + "\n")
        looks = _all_looks()
    return sum(_rows(one) == _rows(look) for one in looks)


def count_looks(folder: Path) -> int:
    """How often runs of the workspace have looked at the test rows that the run in `folder` opened;
    0 if it opened none.
    """
    looks = _all_looks()
    mine = {_rows(one) for one in looks if one["folder"] == str(folder)}
    return sum(_rows(one) in mine for one in looks)


def _all_looks() -> list[dict[str, Any]]:
    ledger = workspace() / LEDGER_FILE
    if not ledger.is_file():
        return []
    return [json.loads(line) for line in ledger.read_text(encoding="utf-8").splitlines()]


def _rows(look: dict[str, Any]) -> tuple[str, str]:
    return look["data_sha256"], look["rows_sha256"]
