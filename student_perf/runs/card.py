"""A model card: what a run's model is, was made from and can do, as Markdown from its record.

The sections follow Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping
from typing import Any

from student_perf.render import render
from student_perf.runs.layout import CARD_FILE, LINEAGE_FILE, METRICS_FILE, SUBGROUPS_FILE
from student_perf.runs.looks import TRIES, count_tries
from student_perf.runs.record import Recorded, RunRecord
from student_perf.scoring.metrics import METRICS, metrics_logged
from student_perf.terminal import MetricRow, verdict
from student_perf.text import format_interval, format_number, markdown_table, plural


def model_card(run: Recorded) -> str:
    """The whole card; a section says so if the run has no evidence for it."""
    record, summary = run.record, run.json(METRICS_FILE)
    dataset = run.composed.get("dataset") or {}
    rows: dict[str, Any] = summary.get("metrics") or _rows_of_trial(record)
    objective = record.objective
    known = rows.get(objective, {})
    # What is tried later changes no card, so a run always gives the same bundle.
    tries = record.number(TRIES)
    n_tries = count_tries(record) if math.isnan(tries) else int(tries)
    return render(
        "model_card.md.j2",
        record=record,
        unknown="not recorded",
        dataset={name: dataset.get(name) for name in ("name", "version", "target", "task")},
        classes=(dataset.get("bands") or {}).get("labels") or dataset.get("classes"),
        cleaning=run.json(LINEAGE_FILE).get("steps") or [],
        results=_results(rows),
        verdict=verdict(known, objective, n_tries) if "dummy" in known else None,
        metric=METRICS.get(objective),
        test=record.test_estimate(objective),
        groups=_groups(run.text(SUBGROUPS_FILE) or ""),
        ceiling=record.number("label_noise_ceiling"),
        floor=record.number("label_noise_rmse_floor"),
        looks=record.number("test_looks"),
    )


def run_note(record: RunRecord, rows: Mapping[str, MetricRow]) -> str:
    """What MLflow's page says of a single run or a winner: its result, its data, how to repeat it.

    `rows` are its metrics by name.
    """
    objective, n_folds = record.objective, len(record.fold_scores(record.objective))
    return render(
        "run_note.md.j2",
        record=record,
        metric=METRICS[objective],
        row=rows[objective],
        split=plural(n_folds, "fold"),
        verdict=verdict(rows[objective], objective, count_tries(record)),
        test=record.test_estimate(objective),
        looks=plural(int(record.number("test_looks")), "time")
        if "test_looks" in record.metrics
        else "",
        card=CARD_FILE,
        metrics=METRICS_FILE,
    )


def _rows_of_trial(record: RunRecord) -> dict[str, Any]:
    """A trial records means only."""
    return {name: {"mean": record.mean(name)} for name in metrics_logged(record.metrics, "mean")}


def _results(rows: Mapping[str, Mapping[str, Any]]) -> str:
    header = ("metric", "mean", "95 % interval", "dummy")
    cells = [
        (
            METRICS[name].label if name in METRICS else name,
            format_number(row.get("mean")),
            METRICS[name].interval(row.get("mean"), row.get("low"), row.get("high"))
            if name in METRICS
            else format_interval(row.get("low"), row.get("high")),
            format_number(row.get("dummy")),
        )
        for name, row in rows.items()
    ]
    return markdown_table(header, cells, figures=header[1:])


def _groups(text: str) -> str:
    """The table of `subgroups.csv` with short figures; empty without rows."""
    header, *rows = list(csv.reader(io.StringIO(text))) or [[]]
    if not rows:
        return ""
    cells = [[_short(cell) for cell in row] for row in rows]
    return markdown_table(header, cells, figures=("n", "value", "low", "high", "p"))


def _short(cell: str) -> str:
    try:
        return cell if cell.lstrip("-").isdigit() else format_number(float(cell))
    except ValueError:
        return cell
