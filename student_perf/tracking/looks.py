"""How often test rows have been looked at: each look makes the next figure less honest."""

from __future__ import annotations

import json
import time
from pathlib import Path

from filelock import FileLock

from student_perf.paths import workspace

LEDGER_FILE = "test_looks.jsonl"


def count_look(data_sha256: str, rows_sha256: str, folder: Path) -> int:
    """Note one look at these rows in the workspace's ledger; returns how many there are now."""
    ledger = workspace() / LEDGER_FILE
    look = {
        "time": time.time(),
        "data_sha256": data_sha256,
        "rows_sha256": rows_sha256,
        "folder": str(folder),
    }
    with FileLock(f"{ledger}.lock"):
        with ledger.open("a", encoding="utf-8") as file:
            file.write(json.dumps(look) + "\n")
        lines = ledger.read_text(encoding="utf-8").splitlines()
    looks = [json.loads(line) for line in lines]
    return sum(
        (one["data_sha256"], one["rows_sha256"]) == (data_sha256, rows_sha256) for one in looks
    )
