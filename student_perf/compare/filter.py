"""`compare --filter`: the part of MLflow's search language that records on disk can answer too.

MLflow's own parser would cost the seconds that importing MLflow takes.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from typing import Any

from student_perf.errors import ConfigError
from student_perf.runs.record import RunRecord

_SIGNS = {"=": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le}
_SIGNS |= {">": operator.gt, ">=": operator.ge}
_KEY = r"\.(`[^`]+`|\"[^\"]+\"|[\w./-]+)\s*"
_NUMBER = rf"(metrics){_KEY}([<>!]?=|<|>)\s*([+-]?[\d.]+(?:e[+-]?\d+)?)"
_TEXT = rf"(params|tags|attributes){_KEY}(!?=|i?like\b)\s*('[^']*'|\"[^\"]*\"|[\w.+-]+)"
_CLAUSE = re.compile(rf"(?:{_NUMBER}|{_TEXT})(?:\s+and\s+(?=\S)|\s*$)", re.IGNORECASE)


def matching(records: Iterable[RunRecord], condition: str) -> list[RunRecord]:
    """The records for which all comparisons hold; none holds for a record without the key.

    Params, tags and attributes (`run_name`, `status`, `run_id`) are compared with texts by `=`,
    `!=`, `LIKE` and `ILIKE`, metrics with numbers by `=`, `!=`, `<`, `<=`, `>` and `>=`.
    Raises ConfigError for anything else.
    """
    text, kept = condition.strip(), list(records)
    while text or not condition.strip():
        match = _CLAUSE.match(text)
        if match is None:
            raise ConfigError(
                f"--filter {condition}: not understood from '{text}'; write params, tags or "
                "attributes = != LIKE ILIKE a text, metrics = != < <= > >= a number, joined by "
                "AND, like params.model.name = 'xgb' AND metrics.fit_seconds < 2"
            )
        words = [group for group in match.groups() if group is not None]
        kept = [record for record in kept if _holds(record, *words)]
        text = text[match.end() :]
    return kept


def _holds(record: RunRecord, where: str, key: str, sign: str, wanted: str) -> bool:
    attributes = {"run_name": record.name, "status": record.status, "run_id": record.mlflow_run_id}
    values: dict[str, Mapping[str, Any]] = {"params": record.params, "tags": record.tags}
    values |= {"metrics": record.metrics, "attributes": attributes}
    value = values[where.lower()].get(key.strip('`"'))
    if value is None or isinstance(value, list):
        return False
    if where.lower() == "metrics":
        return bool(_SIGNS[sign](value, float(wanted)))
    wanted = wanted.strip("'\"")
    if sign in _SIGNS:
        return bool(_SIGNS[sign](value, wanted))
    pattern = re.escape(wanted).replace("%", ".*").replace("_", ".")
    flags = re.DOTALL | (re.IGNORECASE if sign.lower() == "ilike" else re.NOFLAG)
    return re.fullmatch(pattern, str(value), flags) is not None
