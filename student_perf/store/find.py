"""What a word on the command line means: the one place that names runs, sweeps and kept models.

`store.words` lists the words. The disk is asked first, then the default store. If a store is named,
only that store is asked; a folder is a folder anyway.

>>> is_id("abcd"), is_id("abc"), is_id("outputs/abcd")
(True, False, False)
"""

from __future__ import annotations

import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from student_perf.config.recorded import read_recorded
from student_perf.errors import ConfigError
from student_perf.masking import masked
from student_perf.paths import workspace
from student_perf.runs import layout, tags
from student_perf.runs.layout import CONFIG_FILE, RECORD_FILE
from student_perf.runs.record import (
    Glance,
    Recorded,
    RunRecord,
    begun_run_id,
    glance,
    load_record,
    load_winner,
)
from student_perf.shell import train_line
from student_perf.store.address import default_tracking, is_absent
from student_perf.store.reader import Selection, fetch_run, read_runs
from student_perf.store.registry import run_of_model
from student_perf.store.words import ANY_WORD

LATEST = "latest"
_ID = re.compile(r"[0-9a-zA-Z]{4,32}")
_WHOLE_ID = re.compile(r"[0-9a-f]{32}")
_RUN_ADDRESS = re.compile(r"runs:/(\w+)(/[^/]+)?/?")
_MOST_NAMED = 5  # candidates in one line
_RESULTS = ("single", "sweep", "nested")  # kinds that `latest` can mean


def find_run(word: str, store: str | None = None) -> RunRecord:
    """The record of the run or sweep that a word means.

    `latest` is what started last: a finished single run, a sweep with at least one finished trial,
    or a nested result.

    Args:
        word: One of `store.words`.
        store: The tracking URI to ask instead of disk and default store.

    Raises:
        ConfigError: The word names nothing, or more than one run.
        TrackingError: It is not on disk, and the store does not answer.
    """
    name = _run_named(word, store)
    record = _on_disk(name, store)
    if record is None:
        record = _in_store(name, store)
    if record is None:
        raise ConfigError(_no_such_run(word, store))
    return record


@contextmanager
def open_run(word: str, store: str | None = None) -> Iterator[Recorded]:
    """The finished run that a word means, with its files; a sweep's word means its winner.

    Files that are in MLflow only come into a folder that lives as long as the context.

    Raises:
        ConfigError: There is no such run, it did not finish, or it cannot be rebuilt.
        TrackingError: The store does not answer.
    """
    record = _finished(word, _winner(word, find_run(word, store), store))
    if is_on_disk(record):
        yield _recorded(record)
        return
    with tempfile.TemporaryDirectory(prefix="student_perf-") as place:
        folder = Path(place) / str(record.mlflow_run_id)
        yield _recorded(fetch_run(record, _uri(store), folder))


def find_kept(word: str, store: str | None = None) -> RunRecord:
    """The record of the run whose model a word means: the run itself, or the winner of a sweep."""
    return _winner(word, find_run(word, store), store)


def find_group(
    words: Sequence[str] = (),
    store: str | None = None,
    experiment: str | None = None,
    metrics: Sequence[str] = (),
) -> list[RunRecord]:
    """Records of all runs that words stand for, of every state and kind, oldest first, each once.

    A sweep stands for itself, its trials and its winner, a folder for all runs in it, an experiment
    of MLflow for all of its runs; `latest` for the latest sweep, or for the single runs that share
    data and split with the latest one. No word at all stands for every single run and every sweep
    that shares data and split with what `latest` means.

    Args:
        words: Those of `find_run`, other folders, names of experiments.
        store: The tracking URI to ask instead of disk and default store.
        experiment: An experiment that is wanted besides; then only MLflow is asked.
        metrics: Whose fold scores MLflow has to give besides those of each run's objective.

    Raises:
        ConfigError: A word names nothing.
        TrackingError: A store cannot be read.
    """
    records: list[RunRecord] = []
    if not words and not experiment:
        records = _alike(store, metrics)
    if experiment and LATEST not in words:
        records = read_runs(_uri(store), Selection(experiment=experiment), metrics)
        if not records:
            raise ConfigError(
                f"--experiment {experiment}: no run in {masked(_uri(store))}; leave it out"
            )
    for word in words:
        name = _run_named(word, store)
        group = [] if experiment else _group_on_disk(name, store)
        group = group or _group_in_store(name, store, experiment, metrics)
        if not group:
            raise ConfigError(_no_such_run(word, store))
        records += group
    unique = {record.mlflow_run_id or str(record.folder): record for record in records}
    return sorted(unique.values(), key=lambda record: record.started)


def is_id(word: str) -> bool:
    """Whether a word can be the beginning of an id."""
    return _ID.fullmatch(word) is not None


def is_on_disk(record: RunRecord) -> bool:
    """Whether the record's folder is the one that the run was made in, not MLflow's copy."""
    return layout.holds_record(record.folder)


def refuse_nested(record: RunRecord) -> None:
    """Raises ConfigError for a nested result, which is made of sweeps and has no model."""
    if record.kind == "nested":
        first = record.params.get("outer_fold_0.study", "")
        raise ConfigError(
            f"{record.name}: is a nested result, which has no model; name the sweep of one of its "
            f"outer folds, such as {first}"
        )


def _uri(store: str | None) -> str:
    return store or default_tracking().uri


def _run_named(word: str, store: str | None) -> str:
    """The id that an address of MLflow stands for; other words stay as they are."""
    if address := _RUN_ADDRESS.fullmatch(word):
        return address.group(1)
    if not word.startswith("models:/"):
        return word
    run_id = run_of_model(word, _uri(store))
    if run_id is None:
        raise ConfigError(f"{word}: the model was registered without a run; name a run")
    return run_id


def _no_such_run(word: str, store: str | None) -> str:
    if word == LATEST:
        return f"latest: no finished run or sweep in {workspace()}; run `{train_line()}` first"
    if Path(word).is_dir():
        return f"{word}: holds no {RECORD_FILE}; name the folder of a run or a sweep"
    studies = [folder.name for folder in layout.iter_folders(layout.SWEEPS)]
    there = f"; sweeps here: {', '.join(sorted(studies)[:5])}" if studies else ""
    return (
        f"{word}: no such run on disk or in {masked(_uri(store))}; name a run by {ANY_WORD}{there}"
    )


# On disk


def _latest_on_disk() -> RunRecord | None:
    glances = map(glance, layout.iter_folders(layout.RUNS, layout.SWEEPS))
    newest_first = sorted(glances, key=lambda one: one.started, reverse=True)
    newest = next(filter(_has_result, newest_first), None)
    return load_record(newest.folder) if newest else None


def _has_result(one: Glance) -> bool:
    if one.kind == "sweep":
        trials = map(glance, layout.iter_below(one.folder, layout.TRIALS))
        return any(trial.status == "FINISHED" for trial in trials)
    return one.kind in _RESULTS and one.status == "FINISHED"


def _places(word: str, store: str | None) -> list[Path]:
    """Folders that a word may mean, absolute, so that a run named in two ways is one run."""
    folders = [Path(word).absolute(), workspace() / word]
    return folders if store else [*folders, layout.sweep_folder(word)]


def _on_disk(word: str, store: str | None) -> RunRecord | None:
    if word == LATEST:
        return None if store else _latest_on_disk()
    for folder in _places(word, store):
        if layout.holds_record(folder):
            return load_record(folder)
    return None if store else _by_id_or_name(word)


def _by_id_or_name(word: str) -> RunRecord | None:
    return (_by_id(word) if is_id(word) else None) or _by_name(word)


def _by_id(beginning: str) -> RunRecord | None:
    # Reading the text is much cheaper than parsing it, and a sweep has many trials.
    marks = tuple(f'"{key}": "{beginning}' for key in ("mlflow_run_id", tags.RECORD_ID))
    records = []
    for folder in layout.iter_folders():
        text = (folder / RECORD_FILE).read_text(encoding="utf-8", errors="replace")
        begun = begun_run_id(folder) or ""
        if any(mark in text for mark in marks) or begun.startswith(beginning):
            records.append(load_record(folder))
    return _only(beginning, records)


def _only(beginning: str, records: Sequence[RunRecord]) -> RunRecord | None:
    """The one record whose id begins so. Raises ConfigError if there are several."""
    unique = {record.record_id or record.mlflow_run_id: record for record in records}
    whole = [record for record in unique.values() if record.mlflow_run_id == beginning]
    if len(unique) > 1 and len(whole) != 1:
        raise ConfigError(
            f"{beginning}: the ids of {len(unique)} runs begin with it; give more of the id"
        )
    return next(iter(whole or unique.values()), None)


def _by_name(word: str) -> RunRecord | None:
    end = re.escape(json.dumps(word, ensure_ascii=False)[1:])
    named = re.compile(f'"name": "(?:.*_)?{end}')
    texts = ((folder, folder / RECORD_FILE) for folder in layout.iter_folders())
    found = [f for f, file in texts if named.search(file.read_text("utf-8", errors="replace"))]
    return _only_named(word, [load_record(folder) for folder in found])


def _only_named(word: str, records: Sequence[RunRecord]) -> RunRecord | None:
    """The one record that has this name, or whose name ends so after its last `_`. Raises
    ConfigError if there are several.
    """
    named = [one for one in records if word in (one.name, one.name.rpartition("_")[2])]
    named = [one for one in named if one.name == word] or named
    if len(named) < 2:
        return next(iter(named), None)
    places = [str(x.folder) if is_on_disk(x) else f"runs:/{x.mlflow_run_id}" for x in named]
    more = f" and {len(places) - _MOST_NAMED} more" if len(places) > _MOST_NAMED else ""
    raise ConfigError(
        f"{word}: is the name of {len(places)} runs; name one of them: "
        f"{', '.join(places[:_MOST_NAMED])}{more}"
    )


def _group_on_disk(word: str, store: str | None) -> list[RunRecord]:
    if word == LATEST:
        newest = None if store else _latest_on_disk()
        if newest is not None and newest.kind == "single":
            return _on_same_rows(newest)
    else:
        folder = next((folder for folder in _places(word, store) if folder.is_dir()), None)
        if folder is not None and (below := list(layout.iter_below(folder))):
            return [load_record(path) for path in below]
        newest = None if store else _by_id_or_name(word)
    return [load_record(path) for path in layout.iter_below(newest.folder)] if newest else []


def _on_same_rows(newest: RunRecord) -> list[RunRecord]:
    """The single runs of the workspace that share data and split with one."""
    folders = _with_rows(layout.iter_folders(layout.RUNS), {newest.rows})
    records = map(load_record, folders)
    return [one for one in records if one.kind == "single" and one.rows == newest.rows]


def _alike(store: str | None, metrics: Sequence[str]) -> list[RunRecord]:
    """All on the rows of the latest. Raises ConfigError if nothing has a result."""
    records = _alike_on_disk(store) or _alike_in_store(store, metrics)
    if not records:
        raise ConfigError(_no_such_run(LATEST, store))
    return records


def _alike_on_disk(store: str | None) -> list[RunRecord]:
    """The single runs, whole sweeps and nested results of the workspace that share data and split
    with the latest result, itself among them.
    """
    newest = None if store else _latest_on_disk()
    if newest is None:
        return []
    records = [load_record(folder) for folder in layout.iter_below(newest.folder)]
    rows = _rows_of(records)
    for folder in layout.iter_folders(layout.SWEEPS):
        place = layout.TRIALS if glance(folder).kind == "sweep" else "."
        answered = _with_rows(layout.iter_below(folder, place), rows)
        if folder != newest.folder and next(answered, None) is not None:
            records += map(load_record, layout.iter_below(folder))
    singles = map(load_record, _with_rows(layout.iter_folders(layout.RUNS), rows))
    return [*records, *(one for one in singles if one.kind == "single" and one.rows in rows)]


def _rows_of(records: Sequence[RunRecord]) -> set[tuple[str, str]]:
    """Data and split of runs, not of sweeps, which may have trials on several."""
    return {one.rows for one in records if one.kind != "sweep" and all(one.rows)}


def _with_rows(folders: Iterable[Path], rows: set[tuple[str, str]]) -> Iterator[Path]:
    """The folders whose record has one of these data and splits, found without parsing it."""
    for folder in folders:
        text = (folder / RECORD_FILE).read_text(encoding="utf-8", errors="replace")
        if any(all(sha256 in text for sha256 in pair) for pair in rows):
            yield folder


def count_beside(shown: Sequence[RunRecord]) -> tuple[int, int]:
    """How many finished single runs, and how many sweeps, the workspace has on the data and splits
    of those shown, besides them.
    """
    rows = _rows_of(shown)
    folders = {one.folder for one in shown}
    folders |= {folder.parent for folder in folders}  # the sweep of a trial
    singles = [one for one in layout.iter_folders(layout.RUNS) if one not in folders]
    others = map(glance, _with_rows(singles, rows))
    n_singles = sum(one.kind == "single" and one.status == "FINISHED" for one in others)
    sweeps = [one for one in layout.iter_folders(layout.SWEEPS) if one not in folders]
    trials = (_with_rows(layout.iter_below(folder, layout.TRIALS), rows) for folder in sweeps)
    return n_singles, sum(next(some, None) is not None for some in trials)


def count_elsewhere(shown: Sequence[RunRecord]) -> tuple[Counter[str], Counter[str]]:
    """How many finished single runs, and how many sweeps or nested results, the workspace has
    besides those shown, by the name of their dataset.
    """
    folders = {record.folder for record in shown}
    singles, sweeps = Counter[str](), Counter[str]()
    for folder in layout.iter_folders(layout.RUNS, layout.SWEEPS):
        if folder not in folders and _has_result(seen := glance(folder)):
            counted = singles if seen.kind == "single" else sweeps
            counted[load_record(folder).dataset or ""] += 1
    return singles, sweeps


# In MLflow


def _in_store(word: str, store: str | None) -> RunRecord | None:
    uri = _uri(store)
    if (store is None and is_absent(uri)) or "/" in word:
        return None
    if word == LATEST:
        return _latest_in_store(uri, None)
    if not _WHOLE_ID.fullmatch(word):
        sweeps = read_runs(uri, Selection(studies=(word,), kinds=("sweep", "nested")))
        if sweeps:
            return sweeps[-1]
    if is_id(word) and (record := _only(word, read_runs(uri, Selection(ids=(word,))))):
        return record
    return _only_named(word, read_runs(uri, Selection(names=(word,))))


def _latest_in_store(uri: str, experiment: str | None) -> RunRecord | None:
    for record in reversed(read_runs(uri, Selection(experiment, kinds=_RESULTS))):
        if record.kind != "sweep" and record.status == "FINISHED":
            return record
        if record.kind == "sweep" and any(
            trial.status == "FINISHED" for trial in _children(record, uri, "trial")
        ):
            return record
    return None


def _children(sweep: RunRecord, uri: str, kind: str) -> list[RunRecord]:
    return read_runs(uri, Selection(parents=(str(sweep.mlflow_run_id),), kinds=(kind,)))


def _group_in_store(
    word: str, store: str | None, experiment: str | None, metrics: Sequence[str]
) -> list[RunRecord]:
    uri = _uri(store)
    if store is None and is_absent(uri):
        return []
    if word == LATEST:
        record = _latest_in_store(uri, experiment)
        if record is not None and record.kind == "single":
            singles = read_runs(uri, Selection(experiment, kinds=("single",)), metrics)
            return [one for one in singles if one.rows == record.rows]
    else:
        named = Selection(experiment=word, studies=(word,))
        if not _WHOLE_ID.fullmatch(word) and (records := read_runs(uri, named, metrics)):
            return records
        record = _in_store(word, store)
    if record is None:
        return []
    run_id = str(record.mlflow_run_id)
    return read_runs(uri, Selection(ids=(run_id,), parents=(run_id,)), metrics)


def _alike_in_store(store: str | None, metrics: Sequence[str]) -> list[RunRecord]:
    """What `_alike_on_disk` finds, of the runs in a tracking store."""
    uri = _uri(store)
    newest = None if store is None and is_absent(uri) else _latest_in_store(uri, None)
    if newest is None:
        return []
    every = read_runs(uri, Selection(), metrics)
    rows = _rows_of(
        [one for one in every if one.study == newest.study] if newest.study else [newest]
    )
    answered = [one for one in every if one.rows in rows]
    sweeps = {one.study for one in answered if one.kind in ("trial", "nested")}
    singles = [one for one in answered if one.kind == "single"]
    return [*singles, *(one for one in every if one.study and one.study in sweeps)]


# Finished runs


def _winner(word: str, record: RunRecord, store: str | None) -> RunRecord:
    """A run itself, or the winner of a sweep. Raises ConfigError if it has none."""
    if record.kind != "sweep":
        return record
    if is_on_disk(record):
        winners = [winner] if (winner := load_winner(record.folder)) else []
    else:
        winners = _children(record, _uri(store), "final")
    finished = [winner for winner in winners if winner.status == "FINISHED"]
    if not finished:
        why = f" ({record.ranking})" if record.ranking else ""
        raise ConfigError(
            f"{word}: is a sweep, {record.status}, without a winner{why}; name one of its runs, "
            f"like {record.folder / '0'}"
        )
    return finished[-1]


def _finished(word: str, record: RunRecord) -> RunRecord:
    if record.status != "FINISHED":
        raise ConfigError(
            f"{word}: the run is {record.status} ({record.error or 'not finished'}); "
            "there is no result"
        )
    return record


def _recorded(record: RunRecord) -> Recorded:
    file = record.file(CONFIG_FILE)
    if not file.is_file():
        raise ConfigError(f"{record.folder}: holds no {CONFIG_FILE}; the run cannot be rebuilt")
    return Recorded(record, read_recorded(file))
