"""A recorded run, found by id, folder or `latest`, and its config rebuilt without trusting it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from student_perf.config.load import validate_plain
from student_perf.config.schema import ExperimentConfig
from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError, one_line
from student_perf.models.build import build_estimator
from student_perf.models.libraries import ALLOWED_PREFIXES
from student_perf.models.preprocess import build_steps
from student_perf.paths import workspace
from student_perf.runs.record import CONFIG_FILE, RECORD_FILE, Recorded, RunRecord, load_record
from student_perf.store.reader import fetch_run

LATEST = "latest"
_SHORTEST_ID = 4


@contextmanager
def opened(run: str, store: str) -> Iterator[Recorded]:
    """The finished run that `run` names: a folder, `latest`, or an MLflow run id or its beginning.

    An id is looked for on disk first; where it is not there, its files come from `store` into a
    folder that lives as long as the context. Raises ConfigError or TrackingError.
    """
    record = latest_run() if run == LATEST else _on_disk(run)
    if record is not None:
        yield _recorded(record)
        return
    with tempfile.TemporaryDirectory(prefix="student_perf-") as place:
        yield _recorded(fetch_run(run, store, Path(place) / run))


def latest_run() -> RunRecord:
    """Record of the finished run that started last: a single run or a sweep's winner."""
    found = [load_record(file.parent) for file in _run_files()]
    finished = (r for r in found if r.status == "FINISHED" and r.kind in ("single", "final"))
    newest = max(finished, key=lambda record: record.started, default=None)
    if newest is None:
        raise ConfigError(f"latest: no finished run below {workspace()}; run `make train` first")
    return newest


def _run_files(trials: bool = False) -> Iterator[Path]:
    """Records of runs and winners in the workspace; of trials too where asked."""
    yield from workspace().glob(f"outputs/*/*/{RECORD_FILE}")
    yield from workspace().glob(f"multirun/*/{'*' if trials else 'winner'}/{RECORD_FILE}")


def _on_disk(run: str) -> RunRecord | None:
    folder = Path(run)
    if (folder / RECORD_FILE).is_file():
        try:
            return load_record(folder)
        except (ValueError, TypeError) as error:
            raise ConfigError(
                f"{folder}: {RECORD_FILE} is no record ({one_line(error)})"
            ) from error
    if not run.isalnum() or len(run) < _SHORTEST_ID or folder.is_dir():
        raise ConfigError(
            f"{run}: holds no {RECORD_FILE} and is no run id; name a run's folder, at least "
            f"{_SHORTEST_ID} characters of its MLflow id, or: latest"
        )
    found = {}
    for file in _run_files(trials=True):
        # Reading the text is much cheaper than parsing it, and a sweep has many trials.
        if f'"mlflow_run_id": "{run}' in file.read_text(encoding="utf-8"):
            record = load_record(file.parent)
            found[record.mlflow_run_id] = record
    if len(found) > 1:
        raise ConfigError(f"{run}: {len(found)} runs start with it; give more of the id")
    return next(iter(found.values()), None)


def _recorded(record: RunRecord) -> Recorded:
    if record.kind == "sweep":
        raise ConfigError(
            f"{record.folder}: is a sweep; name one of its runs, for example {record.folder}/winner"
        )
    if record.status != "FINISHED":
        raise ConfigError(
            f"{record.folder}: the run is {record.status} ({record.error or 'not finished'}); "
            "there is no result"
        )
    file = record.folder / CONFIG_FILE
    if not file.is_file():
        raise ConfigError(f"{record.folder}: holds no {CONFIG_FILE}; the run cannot be rebuilt")
    try:
        composed = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{file}: cannot be read ({one_line(error)})") from error
    if not isinstance(composed, dict):
        raise ConfigError(f"{file}: is no config; it must hold the keys of a composed one")
    return Recorded(record, composed)


def rebuild_config(composed: Mapping[str, Any], data: str | None = None) -> ExperimentConfig:
    """The valid config of a record, with tracking and additional findings switched off.

    The record may come from a stranger: every `_target_` must be on the allow-list, and nothing is
    interpolated, which could read this machine's environment. Its cache folder is replaced by this
    workspace's, and `data` stands for a file that is elsewhere here. Raises ConfigError.
    """
    for path, value in iter_leaves(composed):
        _check_leaf(path, value)
    dataset = dict(composed.get("dataset") or {})
    if "cache" in dataset:
        inner = "data/openml" if dataset.get("source") == "openml" else "data"
        dataset["cache"] = str(workspace() / inner)
    if data is not None:
        if "path" not in dataset:
            raise ConfigError(f"--data {data}: the run's dataset comes from no file; leave it out")
        dataset["path"] = data
    if dataset.get("path") is not None and "content_sha256" in dataset:
        # A changed file is to be read, so that its columns can be compared with the record's.
        dataset["content_sha256"] = None
    config = validate_plain({**composed, "dataset": dataset})
    build_estimator(config.model, config.dataset.task)
    build_steps(config.preprocess)
    return replace(
        config,
        tracking=replace(config.tracking, enabled=False),
        report=replace(config.report, importance=False, learning_curve=False),
    )


def _check_leaf(path: str, value: Any) -> None:
    if isinstance(value, list):
        for number, item in enumerate(value):
            inner = iter_leaves(item, f"{path}[{number}].") if isinstance(item, dict) else ()
            for place, leaf in inner or [(f"{path}[{number}]", item)]:
                _check_leaf(place, leaf)
    if isinstance(value, str) and "${" in value:
        raise ConfigError(
            f"{path}={value}: a record holds resolved values only; this one is refused"
        )
    is_target = path.rpartition(".")[2] == "_target_"
    if is_target and not (isinstance(value, str) and value.startswith(ALLOWED_PREFIXES)):
        raise ConfigError(
            f"{path}={value}: only classes below {', '.join(ALLOWED_PREFIXES)} "
            "may be named; this record is refused"
        )
