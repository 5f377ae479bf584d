"""Where the files of a run are: their names in its folder, and the folders of a workspace.

>>> RECORD_FILE
'record.json'
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from student_perf.paths import workspace

RECORD_FILE = "record.json"
METRICS_FILE = "metrics.json"
BUNDLE_SUFFIX = ".zip"  # of what `export` writes beside the run's own files
CONFIG_FILE = "config.yaml"
PREDICTIONS_FILE = "predictions.parquet"
TEST_PREDICTIONS_FILE = "test_predictions.parquet"
CONTRACT_FILE = "contract.yaml"
LOGGED_PLACE = "data/model"  # in a model that MLflow has logged: model, contract and golden rows
LOG_FILE = "train.log"
CARD_FILE = "model_card.md"
MODEL_FILE = "model.skops"
GOLDEN_FILE = "golden_rows.json"
SETS_FILE = "prediction_sets.json"
LINEAGE_FILE = "lineage.json"
INTRODUCTION_FILE = "introduction.json"  # what it says before its first fit
REPORT_FILE = "classification_report.txt"
REPORT_TABLE_FILE = "classification_report.csv"
LEADERBOARD_FILE = "leaderboard.csv"  # of a sweep
STANDINGS_FILE = "standings.json"  # of a sweep, for MLflow
PAGE_FILE = "report.html"
PACKAGES_FILE = "pip_list.txt"
PROVENANCE_FILE = "provenance.json"
DIFF_FILE = "uncommitted.diff"
SUBGROUPS_FILE = "subgroups.csv"
IMPORTANCE_FILE = "importance.csv"
DRIFT_REPORT_FILE = "drift.json"
DRIFT_PAGE_FILE = "drift.html"
ERROR_FILE = "tracking_error.txt"  # why something is not in the store
HYDRA_FOLDER = ".hydra"  # in the folder of a run: what Hydra was given
RUN_ID_FILE = "mlflow_run_id"  # in the folder of a sweep, a winner or another kept model
ADDRESS_FILE = "mlflow_address"  # what a server shows of a run or a sweep
RUN_LOCK_FILE = "run.lock"  # held, and there, while a run is computed
SENDING_LOCK_FILE = "publisher.lock"  # held by whoever sends a run or a sweep to MLflow
SWEEP_LOCK_FILE = "sweep.lock"  # held while a sweep or a worker of it is at work
WINNER = "winner"  # in the folder of a sweep

RUNS = "outputs/*/*"
SWEEPS = "multirun/*"  # and nested results
PARTS = "multirun/*/*"  # trials, winners, other kept models
WINNERS = f"multirun/*/{WINNER}"
DRIFTS = "drift/*"
TRIALS = "[0-9]*"  # below a sweep's folder


def iter_folders(*places: str) -> Iterator[Path]:
    """Folders of the workspace that hold a record: all, or those of `places` (`RUNS`, ..)."""
    return iter_below(workspace(), *(places or (RUNS, SWEEPS, PARTS, DRIFTS)))


def sweep_folder(study: str) -> Path:
    """Where a sweep of the workspace leaves its files."""
    return workspace() / "multirun" / study


def drift_folder(name: str) -> Path:
    """Where a drift report of the workspace is kept."""
    return workspace() / "drift" / name


def holds_record(folder: Path) -> bool:
    """Whether a folder is that of a run."""
    return (folder / RECORD_FILE).is_file()


def trial_numbers(folder: Path) -> list[int]:
    """Numbers of the trials that have a folder below a sweep's, in order."""
    return sorted(int(entry.name) for entry in os.scandir(folder) if entry.name.isdigit())


def iter_files(folder: Path) -> Iterator[Path]:
    """Every file in the folder of a run, in order; links lead elsewhere and do not count."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def iter_below(folder: Path, *places: str) -> Iterator[Path]:
    """Folders with a record at `places`; by default a folder itself and two levels below it."""
    for place in places or (".", "*", "*/*"):
        for file in sorted(folder.glob(f"{place}/{RECORD_FILE}")):
            if file.is_file():  # not a pipe, which nobody would write to
                yield file.parent
