"""Which runs to compare: from words on the command line to records, on disk and in MLflow alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from student_perf.errors import ConfigError, suggest
from student_perf.paths import default_store, sqlite_file, workspace
from student_perf.runs.record import RECORD_FILE, RunRecord, load_record
from student_perf.store.search import Selection, is_run_id, read_runs

LATEST = "latest"
STUDY_TAG = "student_perf.study_name"
_GROUP_TAGS = ("student_perf.data_sha256", "student_perf.split_sha256")


def find_runs(
    words: Sequence[str] = (),
    store: str | None = None,
    experiment: str | None = None,
    condition: str | None = None,
    metrics: Sequence[str] = (),
) -> list[RunRecord]:
    """Records of the runs that `words` name, all states and kinds, oldest first, each once.

    A word is a run's or a sweep's folder, a study's or an experiment's name, an MLflow run id, or
    `latest`: the newest sweep, or the single runs that share data and split with the newest one.
    With `store` or `experiment` only MLflow is asked, else disk first. `condition` keeps the runs
    that it holds for; `metrics` are those whose fold scores MLflow has to give besides each run's
    objective. Raises ConfigError where a word names nothing, TrackingError where a store fails.
    """
    holds = parse_condition(condition) if condition else lambda record: True
    chosen = list(words) or ([] if experiment else [LATEST])
    if store or experiment:
        found = _stored(chosen, store or default_store(), experiment, metrics)
    else:
        found = [record for word in chosen for record in _named(word, metrics)]
    unique = {record.mlflow_run_id or str(record.folder): record for record in found}
    kept = [record for record in unique.values() if holds(record)]
    if not kept:
        named = " ".join([*chosen, *([f"--experiment {experiment}"] if experiment else [])])
        told = f" with --filter {condition}" if condition and found else ""
        raise ConfigError(f"{named}: no run{told}; {_what_there_is()}")
    return sorted(kept, key=lambda record: record.started)


def same_rows(record: RunRecord) -> tuple[str, str]:
    """SHA-256 of a run's data and of its split: only runs in which both agree share their folds."""
    data, split = (record.tags.get(tag, "") for tag in _GROUP_TAGS)
    return data, split


def latest(records: Iterable[RunRecord]) -> list[RunRecord]:
    """Of many records, those of the newest sweep or of the newest single run's data and split."""
    records = list(records)
    finished = [r for r in records if r.status == "FINISHED" and r.kind != "sweep"]
    newest = max(finished, key=lambda record: record.started, default=None)
    if newest is None:
        return []
    study = newest.tags.get(STUDY_TAG)
    if study is not None:
        return [record for record in records if record.tags.get(STUDY_TAG) == study]
    return [r for r in records if r.kind == "single" and same_rows(r) == same_rows(newest)]


def _named(word: str, metrics: Sequence[str]) -> list[RunRecord]:
    store = default_store()
    is_there = not store.startswith("sqlite") or sqlite_file(store).is_file()
    if word == LATEST:
        return _latest_on_disk() or (latest(read_runs(store, Selection())) if is_there else [])
    # Absolute, so that a run named in two ways is one run.
    folders = [Path(word).absolute(), workspace() / word, workspace() / "multirun" / word]
    folder = next((one for one in folders if one.is_dir()), None)
    if folder is not None:
        return _below(folder)
    if is_there:
        if is_run_id(word):
            return read_runs(store, Selection(run_ids=(word,)), metrics)
        return read_runs(store, Selection(experiment=word, studies=(word,)), metrics)
    raise ConfigError(f"{word}: no such run; {_what_there_is()}")


def _stored(
    words: Sequence[str], store: str, experiment: str | None, metrics: Sequence[str]
) -> list[RunRecord]:
    names = [word for word in words if word != LATEST]
    ids = tuple(word for word in names if is_run_id(word))
    studies = tuple(word for word in names if word not in ids)
    found = read_runs(store, Selection(experiment, studies, ids), metrics)
    return latest(found) if LATEST in words else found


def _below(folder: Path) -> list[RunRecord]:
    """Records in a folder: a run's own, a sweep's with its trials, or those of many."""
    files = [folder / RECORD_FILE, *folder.glob(f"*/{RECORD_FILE}")]
    files += folder.glob(f"*/*/{RECORD_FILE}")
    return [load_record(file.parent) for file in files if file.is_file()]


def _latest_on_disk() -> list[RunRecord]:
    """Reads as few records as it can: a sweep may have thousands."""
    root = workspace()
    files = [*root.glob(f"outputs/*/*/{RECORD_FILE}"), *root.glob(f"multirun/*/{RECORD_FILE}")]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        record = load_record(file.parent)
        if record.kind == "sweep":
            records = _below(file.parent)
        elif record.status == "FINISHED":
            records = _below(root / "outputs")
        else:
            continue
        if found := latest(records):
            return found
    return []


def _what_there_is() -> str:
    studies = [file.parent.name for file in (workspace() / "multirun").glob(f"*/{RECORD_FILE}")]
    if not studies:
        return f"name a folder, a run id or an experiment (nothing is in {workspace()}/multirun)"
    return f"sweeps here: {', '.join(sorted(studies)[:5])}"


Condition = Callable[[RunRecord], bool]

_CLAUSE = re.compile(
    r"(?P<entity>\w+)\.(?P<key>`[^`]+`|\"[^\"]+\"|[\w./-]+)\s*"
    r"(?P<operator>!=|>=|<=|=|>|<|i?like\b)\s*"
    r"(?P<value>'[^']*'|\"[^\"]*\"|[\w.+-]+)",
    re.IGNORECASE,
)
_ENTITIES = {"params": "params", "param": "params", "tags": "tags", "tag": "tags"}
_ENTITIES |= {"metrics": "metrics", "metric": "metrics"}
_ENTITIES |= {"attributes": "attributes", "attribute": "attributes"}


def parse_condition(text: str) -> Condition:
    """A filter in MLflow's language: `params.model.name = 'xgb' AND metrics.fit_seconds < 2`.

    Comparisons of params, tags and attributes (`run_name`, `status`, `run_id`) by =, !=, LIKE and
    ILIKE, of metrics by =, !=, <, <=, > and >=, joined by AND. A run without the key fails them.
    Raises ConfigError for anything else.
    """
    clauses: list[Condition] = []
    rest = text.strip()
    while rest or not clauses:
        found = _CLAUSE.match(rest)
        if found is None:
            raise ConfigError(
                f"--filter {text}: not understood from '{rest}'; write comparisons like "
                "params.model.name = 'xgb' or metrics.fit_seconds < 2, joined by AND"
            )
        clauses.append(_clause(text, **found.groupdict()))
        rest = rest[found.end() :].strip()
        joined = re.match(r"and\s+(?=\S)", rest, re.IGNORECASE)
        rest = rest[joined.end() :] if joined else rest and f" {rest}"
    return lambda record: all(clause(record) for clause in clauses)


def _clause(text: str, entity: str, key: str, operator: str, value: str) -> Condition:
    if entity.lower() not in _ENTITIES:
        raise ConfigError(f"--filter {text}: no entity '{entity}'; {suggest(entity, _ENTITIES)}")
    where, key, operator = _ENTITIES[entity.lower()], key.strip('`"'), operator.lower()
    try:
        wanted = float(value) if where == "metrics" else value.strip("'\"")
        compare = _comparison(where, operator)
    except (ValueError, KeyError) as error:
        raise ConfigError(
            f"--filter {text}: '{operator} {value}' does not fit {where}; metrics are compared "
            "with numbers by = != < <= > >=, texts by = != LIKE ILIKE"
        ) from error

    def holds(record: RunRecord) -> bool:
        got = _value(record, where, key)
        return got is not None and compare(got, wanted)

    return holds


def _comparison(where: str, operator: str) -> Callable[[object, object], bool]:
    equal = {"=": lambda a, b: a == b, "!=": lambda a, b: a != b}
    numbers = {
        "<": lambda a, b: a < b,
        "<=": lambda a, b: a <= b,
        ">": lambda a, b: a > b,
        ">=": lambda a, b: a >= b,
    }
    texts = {
        "like": lambda a, b: _like(b).fullmatch(a) is not None,
        "ilike": lambda a, b: _like(b.lower()).fullmatch(a.lower()) is not None,
    }
    return (equal | (numbers if where == "metrics" else texts))[operator]


def _like(pattern: str) -> re.Pattern[str]:
    """SQL's LIKE: % stands for any text, _ for any character."""
    words = {"%": ".*", "_": "."}
    return re.compile("".join(words.get(c, re.escape(c)) for c in pattern), re.DOTALL)


def _value(record: RunRecord, where: str, key: str) -> object | None:
    if where == "attributes":
        known = {"run_name": record.name, "status": record.status, "run_id": record.mlflow_run_id}
        return known.get(key)
    values: dict[str, object] = getattr(record, where)
    value = values.get(key)
    return None if isinstance(value, list) else value
