"""Where the files of a kept model are: found by a word, before anything that loads a model is
imported.
"""

from __future__ import annotations

from pathlib import Path

from student_perf.runs.layout import holds_record
from student_perf.store.address import default_tracking
from student_perf.store.client import download, model_address
from student_perf.store.find import find_kept, is_on_disk, refuse_nested


def is_without_run(word: str) -> bool:
    """Whether a word means a model alone: a folder that one was downloaded to, or an address of
    MLflow's registry.
    """
    is_folder = Path(word).is_dir() and not holds_record(Path(word))
    return is_folder or word.startswith("models:/")


def model_folder(word: str, store: str | None = None) -> Path:
    """The folder that holds a model's files, downloaded if it is in MLflow only.

    Raises:
        ConfigError: There is no such run, or it can have no model.
        TrackingError: The store does not answer or has no such model.
    """
    if is_without_run(word):
        is_here = Path(word).is_dir()
        return Path(word) if is_here else download(word, store or default_tracking().uri)
    record = find_kept(word, store)
    refuse_nested(record)
    if is_on_disk(record):
        return record.folder
    uri = store or default_tracking().uri
    return download(model_address(record, uri), uri)
