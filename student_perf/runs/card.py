"""A model card: what a run's model is, was made from and can do, as Markdown from its record.

The sections follow Mitchell et al. (2019), Model Cards for Model Reporting.
"""

from __future__ import annotations

import csv
import io
from typing import Any

from student_perf.runs.layout import LINEAGE_FILE, METRICS_FILE, SUBGROUPS_FILE
from student_perf.runs.record import Recorded
from student_perf.scoring.metric import METRICS
from student_perf.terminal import format_number, verdict

_UNKNOWN = "not recorded"


def model_card(run: Recorded) -> str:
    """The whole card; sections that the run has no evidence for say so."""
    sections = {
        f"Model card: {_cell(run.record.name)}": _model(run),
        "Data": _data(run),
        "Intended use": _use(run),
        "Results on rows the model did not see": _results(run),
        "Results by group": _groups(run),
        "Limits": _limits(run),
        "How to check it": _check(run),
    }
    parts = [
        f"{'#' if number == 0 else '##'} {title}\n\n{text}\n"
        for number, (title, text) in enumerate(sections.items())
    ]
    return "\n".join(parts)


def _model(run: Recorded) -> str:
    record, tags = run.record, run.record.tags
    return _bullets(
        {
            "Algorithm": f"{record.params.get('algorithm', _UNKNOWN)} "
            f"(model={record.params.get('model.name', _UNKNOWN)}), "
            f"preprocess={record.params.get('preprocess.name', _UNKNOWN)}",
            "Kind of run": record.kind,
            "MLflow run": record.mlflow_run_id or "the one this card is logged to, if any",
            "Seed": record.params.get("seed", _UNKNOWN),
            "Code": f"commit {tags.get('mlflow.source.git.commit', _UNKNOWN)}"
            + (", with uncommitted changes" if _is_dirty(run) else ""),
            "Config": f"config.yaml, SHA-256 {tags.get('student_perf.config_hash', _UNKNOWN)}",
            "Environment": f"Python {tags.get('student_perf.python', _UNKNOWN)}, "
            f"{tags.get('student_perf.platform', _UNKNOWN)}",
        }
    )


def _is_dirty(run: Recorded) -> bool:
    return run.record.tags.get("mlflow.source.git.dirty") == "True"


def _data(run: Recorded) -> str:
    params, tags = run.record.params, run.record.tags
    dataset = run.composed.get("dataset") or {}
    facts = {
        "Dataset": f"{dataset.get('name')} (version {dataset.get('version')})",
        "Rows": params.get("n_rows", _UNKNOWN),
        "Features": f"{params.get('n_features', _UNKNOWN)}: {params.get('features', '')}",
        "Target": f"{dataset.get('target')}, a {dataset.get('task')} task{_classes(dataset)}",
        "SHA-256 of the content": tags.get("student_perf.data_sha256", _UNKNOWN),
        "Split": f"{params.get('split.kind', _UNKNOWN)}, share of test rows "
        f"{params.get('test_size', _UNKNOWN)}, "
        f"SHA-256 {tags.get('student_perf.split_sha256', _UNKNOWN)}",
    }
    steps = run.json(LINEAGE_FILE).get("steps") or []
    lines = [
        f"{_cell(one.get('step'))}: {one.get('rows_before')} -> {one.get('rows_after')} rows, "
        f"{one.get('cells_changed')} cells changed"
        for one in steps
    ]
    return _bullets(facts) + "".join(f"\n- Cleaning: {line}" for line in lines)


def _classes(dataset: dict[str, Any]) -> str:
    labels = (dataset.get("bands") or {}).get("labels") or dataset.get("classes")
    return f", classes {', '.join(map(str, labels))}" if labels else ""


def _use(run: Recorded) -> str:
    dataset = run.composed.get("dataset") or {}
    return (
        f"Predicting `{_cell(dataset.get('target'))}` for rows of the same origin and columns as "
        f"the dataset {_cell(dataset.get('name'))}; contract.yaml holds the rules such rows must "
        "meet. Made to compare methods. Not made to decide about single persons: no admission, "
        "grade or support should follow from its output alone."
    )


def _results(run: Recorded) -> str:
    summary = run.json(METRICS_FILE)
    rows: dict[str, Any] = summary.get("metrics") or _rows_of_trial(run)
    lines = ["| metric | mean | 95 % interval | dummy |", "|---|---:|---:|---:|"]
    for name, row in rows.items():
        label = METRICS[name].label if name in METRICS else name
        interval = f"{format_number(row.get('low'))} to {format_number(row.get('high'))}"
        lines.append(
            f"| {label} | {format_number(row.get('mean'))} | {interval} | "
            f"{format_number(row.get('dummy'))} |"
        )
    lines += ["", *_sentences(run, summary, rows)]
    return "\n".join(lines)


def _sentences(run: Recorded, summary: dict[str, Any], rows: dict[str, Any]) -> list[str]:
    objective = (summary.get("objective") or {}).get("metric")
    found = []
    if objective in rows:
        found.append(verdict(rows[objective], objective))
    metric = objective or (run.composed.get("objective") or {}).get("metric")
    test = run.record.metrics.get(f"test_{metric}")
    if isinstance(test, float):
        bounds = [run.record.metrics.get(f"test_{metric}_ci95_{end}") for end in ("low", "high")]
        shown = [format_number(b if isinstance(b, float) else None) for b in bounds]
        found.append(
            f"On the test rows, set aside from the start: {METRICS[str(metric)].label} "
            f"{format_number(test)}, 95 % interval {shown[0]} to {shown[1]}."
        )
    return found


def _rows_of_trial(run: Recorded) -> dict[str, Any]:
    """A trial records means only."""
    names = [n for n in run.record.metrics if n.startswith("cv_") and n.endswith("_mean")]
    return {
        name.removeprefix("cv_").removesuffix("_mean"): {"mean": run.record.metrics[name]}
        for name in names
    }


def _groups(run: Recorded) -> str:
    text = run.text(SUBGROUPS_FILE)
    table = list(csv.reader(io.StringIO(text))) if text else []
    if len(table) < 2:
        return "The dataset names no subgroups, or the run was a trial."
    lines = [_row(table[0]), _row(["---"] * len(table[0]))]
    return "\n".join([*lines, *(_row([_short(cell) for cell in row]) for row in table[1:])])


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(_cell(cell) for cell in cells)} |"


def _short(cell: str) -> str:
    try:
        return cell if cell.lstrip("-").isdigit() else format_number(float(cell))
    except ValueError:
        return cell


def _limits(run: Recorded) -> str:
    metrics, params = run.record.metrics, run.record.params
    lines = [
        f"{params.get('n_rows', 'An unknown number of')} rows: the intervals above are as wide as "
        "that allows, and hold for rows of the same origin only."
    ]
    ceiling, floor = metrics.get("label_noise_ceiling"), metrics.get("label_noise_rmse_floor")
    if isinstance(ceiling, float) and ceiling < 1:
        lines.append(
            f"Rows with equal features and different classes limit the accuracy of any model to "
            f"{ceiling:.3f}."
        )
    if isinstance(floor, float) and floor > 0:
        lines.append(f"Contradictory rows leave every model an RMSE of {floor:.3g} at least.")
    looks = metrics.get("test_looks")
    if isinstance(looks, float):
        lines.append(f"The test rows had been opened {looks:g} times when this model was scored.")
    lines.append("Importances and group figures describe the model, not causes.")
    return "\n".join(f"- {line}" for line in lines)


def _check(run: Recorded) -> str:
    word = run.record.mlflow_run_id or "RUN_ID_OR_FOLDER"
    return (
        "```\npython -m student_perf verify FILE.zip  # is an exported bundle unchanged?\n"
        f"python -m student_perf reproduce {word}  # does it come out again?\n```"
    )


def _bullets(facts: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {_cell(text)}" for name, text in facts.items())


def _cell(value: Any) -> str:
    """Text from data or config on one line, without what Markdown takes for a table or HTML."""
    text = " ".join(str(value).split())
    return text.replace("|", "\\|").replace("<", "&lt;")
