"""How often rows have been looked at: each look makes the next figure less honest.

Test rows by a model that is done; all others by every configuration that is tried on them, whatever
it varies: seeds, folds, filters, metric or model.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from pathlib import Path
from typing import Any

from filelock import FileLock

from student_perf.config.schema import WITHOUT_EFFECT
from student_perf.paths import workspace
from student_perf.runs.record import SWEPT, RunRecord

log = logging.getLogger(__name__)

LEDGER_FILE = "test_looks.jsonl"
TRIES_FILE = "tries.jsonl"
TRIES = "tries"  # the metric of a record


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


def note_try(record: RunRecord) -> None:
    """Note in the workspace's ledger that a configuration was tried on the rows of its data."""
    line = json.dumps({"rows": _source(record), "config": _configuration(record)})
    try:
        # A single short write to the end of a file is whole, whoever else writes.
        with (workspace() / TRIES_FILE).open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:  # read-only, or not there on a worker's machine: the run is as it is
        log.warning("not counted among the configurations tried: %s", error)


def count_tries(record: RunRecord) -> int:
    """How many configurations have been tried on the rows of a run's data for its target, itself
    among them: as its record says, or as the workspace knows by now if these are more.
    """
    ledger, source = workspace() / TRIES_FILE, json.dumps(_source(record))
    known = set()
    try:
        with ledger.open(encoding="utf-8") as file:
            known = {line for line in file if source in line}
    except FileNotFoundError:
        pass
    except OSError as error:  # nobody may read it
        log.warning("the configurations tried before are not known: %s", error)
    recorded = record.number(TRIES)
    return max(1, len(known), 0 if math.isnan(recorded) else int(recorded))


def _configuration(record: RunRecord) -> str:
    """Digest of what decides a result, wherever the file of the rows lies."""
    leaves = {
        path: value
        for path, value in record.params.items()
        if ("." in path or path == "seed")
        and path.partition(".")[0] not in WITHOUT_EFFECT
        and path != "dataset.path"
        and not path.startswith(SWEPT)  # what a trial drew stands in its config, too
    }
    return hashlib.sha256(json.dumps(leaves, sort_keys=True).encode()).hexdigest()


def _source(record: RunRecord) -> list[str]:
    """What filters, cleaning and folds are made from: the file and the target."""
    source = record.raw_sha256 or f"{record.dataset} {record.dataset_version}"
    return [source, record.target_name]
