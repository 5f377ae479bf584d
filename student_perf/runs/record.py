"""The run's folder: the local record that exists before anything is sent anywhere.

`record.json` says whether the run is RUNNING, FINISHED, FAILED, PRUNED (a trial given up early
because others did better) or STOPPED (a sweep that can be continued). It is replaced as a whole,
and FINISHED is written last, so a folder without it is never taken for a finished run. Whoever
writes RUNNING holds a lock, so that a run whose process was killed is known to have ended. With its
end a record gets the checksums of the run's files; whoever reads one of them asks for it by
`RunRecord.file`, which notices a change.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from student_perf.atomic import write_atomic
from student_perf.config.schema import WITHOUT_EFFECT, GuardsConfig
from student_perf.errors import ConfigError, one_line
from student_perf.locks import is_held
from student_perf.masking import masked_tree
from student_perf.runs import seal
from student_perf.runs import tags as tag
from student_perf.runs.layout import (
    MODEL_FILE,
    PREDICTIONS_FILE,
    RECORD_FILE,
    RUN_ID_FILE,
    RUN_LOCK_FILE,
    SWEEP_LOCK_FILE,
    WINNER,
    holds_record,
)
from student_perf.runs.record_types import Status, check_types
from student_perf.scoring.metrics import METRICS, logged_as, seldom_wanted
from student_perf.text import is_visible_json, visible_tree

if TYPE_CHECKING:
    import numpy as np

    from student_perf.runs.predictions import Predictions
    from student_perf.scoring.influence import RowScores
    from student_perf.scoring.intervals import Estimate

LONGEST_ERROR = 500  # characters of the tag
SWEPT = "swept."  # how params begin that say what a trial drew
_GUARDS = "guards."
# What is shown on terminals, which obey some characters.
_SHOWN = ("name", "kind", "params", "tags", "error", "mlflow_run_id")
_OF_TARGET = ("dataset.task", "dataset.bands", "dataset.classes")
# The fields at the top of record.json, by which runs are chosen without parsing the whole of it.
_GLANCE = re.compile(r'^  "(kind|status|started|mlflow_run_id)": "?([^",\n]+)', re.MULTILINE)


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
    of a sweep as data, `optuna` what it takes to make its study anew: of a trial what it drew, of
    the sweep its fingerprints. `files` are the SHA-256 of each file by its name, once the run has
    ended. The facts below are typed; what a record lacks is empty, None or NaN.
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
    optuna: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    is_changed: bool = field(default=False, repr=False)  # its text is not as it was sealed
    # By the monotonic clock; None of a record that was read from its file.
    _begun: float | None = field(default_factory=time.monotonic, repr=False, compare=False)

    record_id = _Text(tag.RECORD_ID)  # by which the run is found again in a store
    dataset = _Text(tag.DATASET)
    dataset_version = _Text(tag.DATASET_VERSION)
    data_sha256 = _Text(tag.DATA_SHA256)  # of the rows
    target_sha256 = _Text(tag.TARGET_SHA256)  # of what is predicted: classes and codes, or numbers
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
    ranking = _Text(tag.RANKING)  # of a sweep without one best: why
    why_ended = _Text(tag.ENDED)  # of a sweep before its `n_trials`, of a trial before its folds
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
    def checks(self) -> dict[str, str]:
        """What the numbered checks had to say of the run, by code."""
        found = {name: text for name, text in self.tags.items() if name.startswith(tag.CHECK)}
        return {name.removeprefix(tag.CHECK): found[name] for name in sorted(found)}

    @property
    def guards(self) -> GuardsConfig:
        """The level of each numbered check, as the run was made with."""
        levels = ((k.removeprefix(_GUARDS), v) for k, v in self.params.items())
        return GuardsConfig({code: level for code, level in levels if code.startswith("SP")})

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
    def sent_tags(self) -> dict[str, str]:
        """The tags with the checksums of what a store takes as it is; MLflow writes models anew."""
        sent = {name: sha256 for name, sha256 in self.files.items() if name != MODEL_FILE}
        return self.tags | ({tag.FILES: json.dumps(sent)} if sent else {})

    @property
    def rows(self) -> tuple[str, str]:
        """Data and split: only runs in which both agree share their folds."""
        return self.data_sha256, self.split_sha256

    @property
    def encoding(self) -> tuple[tuple[str, str], ...]:
        """What the target's cells became, since the hash of the data is taken of them before that.
        A record without the target's own hash has the keys that decide it: task, bands and classes.
        """
        if self.target_sha256:
            return ((tag.TARGET_SHA256, self.target_sha256),)
        known = self.params.items()
        return tuple(sorted(pair for pair in known if pair[0].startswith(_OF_TARGET)))

    @property
    def n_rows(self) -> int | None:
        """Number of rows of the dataset."""
        return int(self.params["n_rows"]) if "n_rows" in self.params else None

    @property
    def n_repeats(self) -> int:
        """How many seeds its figures are the mean of."""
        return int(self.params.get("repeats", "1"))

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
    def outside(self) -> str:
        """The values of a reference that its sweep's space lacks; empty for any other run."""
        return self.tags.get(tag.OUTSIDE, "")

    @property
    def swept(self) -> dict[str, str]:
        """The values of a trial for what its sweep varies, by config key, as text."""
        first = len(SWEPT)
        return {k[first:]: value for k, value in self.params.items() if k[:first] == SWEPT}

    def number(self, name: str) -> float:
        """A single metric by its logged name; NaN if the record has none."""
        value = self.metrics.get(name)
        return math.nan if value is None or isinstance(value, list) else float(value)

    def fold_scores(self, metric: str) -> np.ndarray:
        """Scores by fold, shape (J,); empty if the record has none."""
        import numpy as np

        known = self.metrics.get(logged_as(metric, "folds"), [])
        return np.atleast_1d(np.array(known, dtype=np.float64))

    def repeat_means(self, metric: str) -> np.ndarray:
        """Means by seed, shape (R,); of a run that repeats nothing, its one mean."""
        import numpy as np

        known, scores = self.metrics.get(logged_as(metric, "repeats")), self.fold_scores(metric)
        if isinstance(known, list):
            return np.array(known, dtype=np.float64)
        if len(scores) and len(scores) % self.n_repeats == 0:
            means: np.ndarray = scores.reshape(self.n_repeats, -1).mean(axis=1)
            return means
        return np.array([self.mean(metric)])

    def mean(self, metric: str) -> float:
        """Mean over folds."""
        return self.number(logged_as(metric, "mean"))

    def dummy(self, metric: str) -> float:
        """The dummy baseline's mean on the same folds."""
        return self.number(logged_as(metric, "dummy"))

    def gain(self, metric: str) -> dict[str, float]:
        """What the run gains over the dummy baseline on the same rows, more is better: `gain` with
        its interval, `gain_low` and `gain_high`, and `gain_p`; NaN if it was not recorded.
        """
        figures = ("gain", "gain_low", "gain_high", "gain_p")
        return {figure: self.number(logged_as(metric, figure)) for figure in figures}

    def train(self, metric: str) -> float:
        """Mean over folds on the rows of the fit."""
        return self.number(logged_as(metric, "train"))

    def estimate(
        self, metric: str, scores: np.ndarray | None = None, rows: RowScores | None = None
    ) -> Estimate:
        """Mean over folds with the interval that the run recorded. `scores`, shape (J,), stand for
        fold scores that the record itself may lack. An interval that it lacks comes from `rows`,
        the metric by row, or without them from the folds.
        """
        from student_perf.scoring.intervals import Estimate, fold_interval, row_interval

        scores = self.fold_scores(metric) if scores is None else scores
        mean = float(scores.mean()) if len(scores) else self.mean(metric)
        std = float(scores.std(ddof=1)) if len(scores) > 1 else math.nan
        low, high = (self.number(logged_as(metric, end)) for end in ("low", "high"))
        if not math.isnan(low + high):
            return Estimate(mean, std, low, high)
        if rows is not None:
            return row_interval(rows, METRICS[metric], std)
        if len(scores) > 1:
            return fold_interval(scores, self.test_over_train, METRICS[metric])
        return Estimate(mean, std, math.nan, math.nan)

    def row_scores(self, metric: str, groups: np.ndarray | None = None) -> RowScores | None:
        """A metric by row, from the predictions in the run's folder; None without them, or if the
        metric is not defined. Raises ChangedError if they are not as the run left them.

        Args:
            metric: Its name.
            groups: Of the rows, line by line as another run with the same folds has them, shape
                (n,); for a run that declares none.
        """
        from student_perf.runs.predictions import row_scores

        known, of_folds = self.predictions(), self.fold_scores(metric)
        if known is None or known.task != METRICS[metric].task:
            return None
        if known.groups is None and groups is not None and len(groups) == len(known.row):
            known = replace(known, groups=groups)
        found = row_scores(known, metric, of_folds if len(of_folds) else None)
        return None if math.isnan(found.mean + found.error) else found

    def predictions(self) -> Predictions | None:
        """The held-out predictions in the run's folder, None without them. Raises ChangedError if
        they are not as the run left them.
        """
        from student_perf.runs.predictions import load_predictions

        is_there = (self.folder / PREDICTIONS_FILE).is_file()
        return load_predictions(self.file(PREDICTIONS_FILE)) if is_there else None

    def test_estimate(self, metric: str) -> Estimate | None:
        """The figure on the test rows with its interval; None if the run did not open them."""
        from student_perf.scoring.intervals import Estimate

        figures = ("test", "test_low", "test_high")
        mean, low, high = (self.number(logged_as(metric, figure)) for figure in figures)
        return None if math.isnan(mean) else Estimate(mean, math.nan, low, high)

    def save(self) -> None:
        """Replace `record.json` in one step."""
        # As bytes: the text is masked already, and the checksums in it are no secrets.
        write_atomic(self.folder / RECORD_FILE, self.to_text(str(self.folder)).encode())

    def to_text(self, folder: str) -> str:
        """Content of `record.json` that names this folder, sealed."""
        known = {k: v for k, v in vars(self).items() if k not in ("files", "is_changed", "_begun")}
        text = to_json(masked_tree(known | {"folder": folder}))
        return seal.sealed(text, self.files, self.is_changed)

    def file(self, name: str) -> Path:
        """Where one of its files is. Raises ChangedError if the file is not as the run left it."""
        what = seal.difference(self.folder, self.files, name)
        if what is not None:
            seal.report_change(self.folder / name, what)
        return self.folder / name

    @property
    def changes(self) -> list[tuple[str, str]]:
        """Names of files that are not as the run left them, `record.json` among them, with what is
        wrong.
        """
        found = {name: seal.difference(self.folder, self.files, name) for name in self.files}
        own = [(RECORD_FILE, seal.WAS_CHANGED)] if self.is_changed else []
        return own + [(name, what) for name, what in found.items() if what is not None]

    def check_files(self) -> None:
        """Raises ChangedError if any of its files is not as the run left it."""
        for name in self.files:
            self.file(name)

    def seal(self) -> None:
        """Save it with the checksums of the files that are there now."""
        self.files = seal.checksums(self.folder, self.kind)
        self.save()

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
        self.seal()

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
        """Content of one of its JSON files, empty if the run has none. Raises as `text`, and
        ConfigError if it is not JSON.
        """
        try:
            content = json.loads(self.text(name) or "{}")
        except (ValueError, RecursionError) as error:
            raise _unreadable(self.folder / name, error) from error
        return content if isinstance(content, dict) else {}

    def text(self, name: str) -> str | None:
        """Content of one of its text files, None if the run has none.

        Raises:
            ChangedError: It is not as the run left it.
            ConfigError: It is not UTF-8.
        """
        file = self.record.file(name)
        try:
            return file.read_text(encoding="utf-8") if file.is_file() else None
        except UnicodeDecodeError as error:
            raise _unreadable(file, error) from error


def _unreadable(file: Path, error: Exception) -> ConfigError:
    return ConfigError(f"{file}: cannot be read ({one_line(error)}); get the run again")


def load_record(folder: Path) -> RunRecord:
    """The record in a run folder; one that says RUNNING while nobody is at work came to its end.

    Raises:
        ChangedError: It is not as it was sealed.
        ConfigError: It is not a record.
        FileNotFoundError: There is none.
    """
    file = folder / RECORD_FILE
    text = file.read_text(encoding="utf-8", errors="replace")
    try:
        content, reason = json.loads(text), ""
    except (ValueError, RecursionError) as error:
        content, reason = {}, one_line(error)
    is_changed = not seal.is_intact(text) and seal.is_mentioned(text, content)
    if is_changed:
        seal.report_change(file, seal.WAS_CHANGED)
    try:
        known = {key: value for key, value in content.items() if key != seal.SEAL}
        check_types(known)
        if not is_visible_json(text):
            known |= {key: visible_tree(known[key]) for key in _SHOWN if key in known}
        record = RunRecord(**(known | {"folder": folder, "is_changed": is_changed, "_begun": None}))
    except (TypeError, AttributeError) as error:
        problem = f"{RECORD_FILE} is not a record ({reason or one_line(error)})"
        raise ConfigError(f"{folder}: {problem}") from error
    if record.status == "RUNNING" and not _is_at_work(folder):
        _end_without_a_word(record)
    return record


def _is_at_work(folder: Path) -> bool:
    """Whether a process holds the lock of a run, of a sweep, or of the sweep that a trial is of."""
    locks = (folder / RUN_LOCK_FILE, folder / SWEEP_LOCK_FILE, folder.parent / SWEEP_LOCK_FILE)
    return any(map(is_held, locks))


def _end_without_a_word(record: RunRecord) -> None:
    """What became of a run whose process was killed; a sweep and its trials can be continued."""
    seen = max(file.stat().st_mtime for file in record.folder.iterdir() if file.is_file())
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seen))
    record.status = "STOPPED" if record.kind in ("sweep", "trial") else "FAILED"
    record.ended, record.error = seen, f"ended without a word, last seen {when}"
    record.tags[tag.ERROR] = record.error


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
    is_sent: bool


def glance(folder: Path) -> Glance:
    """Kind, state and start of the record in a folder, and whether it is in MLflow; many times
    faster than `load_record`.
    """
    text = (folder / RECORD_FILE).read_text(encoding="utf-8", errors="replace")
    facts = dict(_GLANCE.findall(text))
    if len(facts) < 4:  # written by other hands
        facts = vars(load_record(folder))
    is_sent = facts.get("mlflow_run_id") not in (None, "null")
    return Glance(folder, facts["kind"], facts["status"], float(facts["started"]), is_sent)


def begun_run_id(folder: Path) -> str | None:
    """Id of the MLflow run begun for what is in the folder of a sweep or a kept model, None before;
    the run may be far from complete.
    """
    file = folder / RUN_ID_FILE
    return file.read_text(encoding="utf-8") if file.is_file() else None


def to_json(content: Mapping[str, Any]) -> str:
    """Readable JSON; NaN and infinities, which JSON does not know, become null."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False) + "\n"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step, without the secrets in its texts."""
    write_atomic(path, to_json(masked_tree(content)).encode())


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value
