"""The run's folder: the local record that exists before anything is sent anywhere.

`record.json` says whether the run is RUNNING, FINISHED, FAILED, PRUNED (a trial given up early
because others did better) or STOPPED (a sweep that can be continued). It is replaced as a whole,
and FINISHED is written last, so a folder without it is never taken for a finished run.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from student_perf.atomic import write_atomic
from student_perf.config.schema import WITHOUT_EFFECT
from student_perf.runs import tags as tag
from student_perf.runs.layout import RECORD_FILE, RUN_ID_FILE, WINNER, holds_record
from student_perf.scoring.metrics import METRICS, logged_as, seldom_wanted

if TYPE_CHECKING:
    import numpy as np

    from student_perf.scoring.intervals import Estimate

Status = Literal["RUNNING", "FINISHED", "FAILED", "PRUNED", "STOPPED"]

LONGEST_ERROR = 500  # characters of the tag
_SWEPT = "swept."
# The fields at the top of record.json, by which runs are chosen without parsing the whole of it.
_GLANCE = re.compile(r'^  "(kind|status|started)": "?([^",\n]+)', re.MULTILINE)


class _Text:
    """A fact that a record holds as text, by its key; empty if the record lacks it."""

    def __init__(self, key: str, held_in: Literal["tags", "params"] = "tags") -> None:
        self._key, self._held_in = key, held_in

    def __get__(self, record: RunRecord, owner: type | None = None) -> str:
        return str(getattr(record, self._held_in).get(self._key, ""))


@dataclass
class RunRecord:
    """What is known of one run; times are seconds since the epoch.

    `tags`, `decisive_params` and `shown_metrics` are what MLflow gets; `metrics` maps a name to its
    value or, for fold scores, to the list of values by step. `space` and `objectives` hold those
    of a sweep as data. The facts below are typed; what a record lacks is empty, None or NaN.
    """

    folder: Path
    name: str
    kind: str
    params: dict[str, str]
    tags: dict[str, str]
    metrics: dict[str, float | list[float]] = field(default_factory=dict)
    status: Status = "RUNNING"
    started: float = field(default_factory=time.time)
    ended: float | None = None
    error: str | None = None
    mlflow_run_id: str | None = None
    space: list[dict[str, Any]] = field(default_factory=list)
    objectives: dict[str, Any] = field(default_factory=dict)
    # By the monotonic clock; None of a record that was read from its file.
    _begun: float | None = field(default_factory=time.monotonic, repr=False, compare=False)

    record_id = _Text(tag.RECORD_ID)  # by which the run is found again in a store
    dataset = _Text(tag.DATASET)
    dataset_version = _Text(tag.DATASET_VERSION)
    data_sha256 = _Text(tag.DATA_SHA256)  # of the rows
    raw_sha256 = _Text(tag.RAW_SHA256)  # of the file's bytes
    split_sha256 = _Text(tag.SPLIT_SHA256)  # of test rows and folds
    config_sha256 = _Text(tag.CONFIG_SHA256)
    lock_sha256 = _Text(tag.LOCK_SHA256)
    python = _Text(tag.PYTHON)
    platform = _Text(tag.PLATFORM)
    version = _Text(tag.VERSION)  # of this package
    commit = _Text(tag.COMMIT)
    target = _Text(tag.TARGET)  # of a sweep: how its target is distributed
    n_missing = _Text(tag.N_MISSING)  # of a sweep: cells without a value
    command = _Text(tag.COMMAND)  # of a sweep: what was typed
    model = _Text("model.name", "params")
    algorithm = _Text("algorithm", "params")  # class of the estimator
    preprocess = _Text("preprocess.name", "params")
    task = _Text("dataset.task", "params")  # `classification` or `regression`
    target_name = _Text("dataset.target", "params")
    features = _Text("features", "params")  # joined by commas
    n_features = _Text("n_features", "params")
    split_kind = _Text("split.kind", "params")
    test_size = _Text("test_size", "params")  # share of the test rows
    seed = _Text("seed", "params")
    sampler = _Text("sweep.sampler", "params")
    objective = _Text("objective.metric", "params")  # name of the metric that decides
    tracking_uri = _Text("tracking.uri", "params")  # the store that the run was made for
    experiment = _Text("tracking.experiment", "params")  # in MLflow

    @property
    def decisive_params(self) -> dict[str, str]:
        """The params but for those of config keys that decide no result."""
        return {k: v for k, v in self.params.items() if k.split(".")[0] not in WITHOUT_EFFECT}

    @property
    def shown_metrics(self) -> dict[str, float | list[float]]:
        """The metrics but for those that few people look for, unless all are wanted."""
        if self.params.get("tracking.all_metrics") == "True":
            return self.metrics
        objectives = self.tags.get(tag.OBJECTIVES, "").split(",")
        unwanted = seldom_wanted((self.objective, *objectives))
        return {name: value for name, value in self.metrics.items() if name not in unwanted}

    @property
    def rows(self) -> tuple[str, str]:
        """Data and split: only runs in which both agree share their folds."""
        return self.data_sha256, self.split_sha256

    @property
    def n_rows(self) -> int | None:
        """Number of rows of the dataset."""
        return int(self.params["n_rows"]) if "n_rows" in self.params else None

    @property
    def test_over_train(self) -> float:
        """Mean ratio of validation to training rows over the folds."""
        return float(self.params.get("test_over_train", "nan"))

    @property
    def is_tracked(self) -> bool:
        """Whether the run is to be sent to a store."""
        return self.params.get("tracking.enabled") == "True"

    @property
    def is_dirty(self) -> bool:
        """Whether the code had uncommitted changes."""
        return self.tags.get(tag.DIRTY) == "True"

    @property
    def run_id(self) -> str:
        """Id of its MLflow run, which may only be begun; empty before."""
        return self.mlflow_run_id or begun_run_id(self.folder) or ""

    @property
    def study(self) -> str | None:
        """Name of the sweep that the run belongs to."""
        return self.tags.get(tag.STUDY)

    @property
    def trial_number(self) -> int | None:
        """Number of the trial in its sweep; of a winner, that of the trial it repeats."""
        return int(self.tags[tag.TRIAL]) if tag.TRIAL in self.tags else None

    @property
    def is_default(self) -> bool:
        """Whether a trial ran the model's defaults."""
        return self.tags.get(tag.CONFIGURATION) == "defaults"

    @property
    def swept(self) -> dict[str, str]:
        """What a trial drew, by config key, as text."""
        names = (name for name in self.params if name.startswith(_SWEPT))
        return {name.removeprefix(_SWEPT): self.params[name] for name in names}

    def number(self, name: str) -> float:
        """A single metric by its logged name; NaN if the record has none."""
        value = self.metrics.get(name)
        return math.nan if value is None or isinstance(value, list) else float(value)

    def fold_scores(self, metric: str) -> np.ndarray:
        """Scores by fold, shape (J,); empty if the record has none."""
        import numpy as np

        known = self.metrics.get(logged_as(metric, "folds"), [])
        return np.atleast_1d(np.array(known, dtype=np.float64))

    def mean(self, metric: str) -> float:
        """Mean over folds."""
        return self.number(logged_as(metric, "mean"))

    def dummy(self, metric: str) -> float:
        """The dummy baseline's mean on the same folds."""
        return self.number(logged_as(metric, "dummy"))

    def train(self, metric: str) -> float:
        """Mean over folds on the rows of the fit."""
        return self.number(logged_as(metric, "train"))

    def estimate(self, metric: str, scores: np.ndarray | None = None) -> Estimate:
        """Mean over folds with its interval; of a single fold the recorded interval. `scores`,
        shape (J,), stand for fold scores that the record itself may lack.
        """
        from student_perf.scoring.intervals import Estimate, fold_interval

        scores = self.fold_scores(metric) if scores is None else scores
        if len(scores) > 1:
            return fold_interval(scores, self.test_over_train, METRICS[metric])
        mean = float(scores[0]) if len(scores) else self.mean(metric)
        ends = [self.number(logged_as(metric, end)) for end in ("low", "high")]
        return Estimate(mean, math.nan, *ends)

    def test_estimate(self, metric: str) -> Estimate | None:
        """The figure on the test rows with its interval; None if the run did not open them."""
        from student_perf.scoring.intervals import Estimate

        figures = ("test", "test_low", "test_high")
        mean, low, high = (self.number(logged_as(metric, figure)) for figure in figures)
        return None if math.isnan(mean) else Estimate(mean, math.nan, low, high)

    def save(self) -> None:
        """Replace `record.json` in one step."""
        content = vars(self) | {"folder": str(self.folder)}
        del content["_begun"]
        write_atomic(self.folder / RECORD_FILE, to_json(content))

    def finish(self) -> None:
        """Mark the run as finished: everything it produces is in its folder."""
        self._end("FINISHED")

    def prune(self) -> None:
        """Mark a trial as stopped early; it keeps the metrics of the folds it did."""
        self._end("PRUNED")

    def stop(self, reason: str) -> None:
        """Mark a sweep as ended before all its trials were done."""
        self._end("STOPPED", reason)

    def fail(self, error: str) -> None:
        """Mark the run as failed with the error's one line, which MLflow shows as a tag."""
        self.tags[tag.ERROR] = error[:LONGEST_ERROR]
        self._end("FAILED", error)

    def _end(self, status: Status, error: str | None = None) -> None:
        self.status, self.ended, self.error = status, self.started + self._seconds(), error
        self.save()

    def _seconds(self) -> float:
        """How long it has taken, whatever was done to the clock; never negative."""
        if self._begun is None:
            return max(0.0, time.time() - self.started)
        return time.monotonic() - self._begun


@dataclass(frozen=True)
class Recorded:
    """A run's record with the plain config it was composed to; its files are in `record.folder`."""

    record: RunRecord
    composed: dict[str, Any]

    @property
    def folder(self) -> Path:
        """Where the run's files are."""
        return self.record.folder

    def json(self, name: str) -> dict[str, Any]:
        """Content of one of its JSON files, empty if the run has none."""
        file = self.folder / name
        content = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        return content if isinstance(content, dict) else {}

    def text(self, name: str) -> str | None:
        """Content of one of its text files, None if the run has none."""
        file = self.folder / name
        return file.read_text(encoding="utf-8") if file.is_file() else None


def load_record(folder: Path) -> RunRecord:
    """The record in a run folder. Raises FileNotFoundError if there is none."""
    content = json.loads((folder / RECORD_FILE).read_text(encoding="utf-8"))
    return RunRecord(**(content | {"folder": folder, "_begun": None}))


def load_winner(sweep: Path) -> RunRecord | None:
    """The finished winner in a sweep's folder; None if there is none."""
    winner = load_record(sweep / WINNER) if holds_record(sweep / WINNER) else None
    return winner if winner is not None and winner.status == "FINISHED" else None


@dataclass(frozen=True)
class Glance:
    """What decides whether a run is worth reading."""

    folder: Path
    kind: str
    status: str
    started: float


def glance(folder: Path) -> Glance:
    """Kind, state and start of the record in a folder; many times faster than `load_record`."""
    text = (folder / RECORD_FILE).read_text(encoding="utf-8")
    facts = dict(_GLANCE.findall(text))
    if len(facts) < 3:  # written by other hands
        facts = json.loads(text)
    return Glance(folder, facts["kind"], facts["status"], float(facts["started"]))


def begun_run_id(folder: Path) -> str | None:
    """Id of the MLflow run begun for what is in the folder of a sweep or a kept model, None before;
    the run may be far from complete.
    """
    file = folder / RUN_ID_FILE
    return file.read_text(encoding="utf-8") if file.is_file() else None


def to_json(content: Mapping[str, Any]) -> str:
    """Readable JSON; NaN and infinities, which JSON does not know, become null."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
