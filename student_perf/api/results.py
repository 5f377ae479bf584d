"""What the functions of `student_perf.api` give back: records with their figures as tables."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pandas as pd

from student_perf.compare.comparable import REPEATS
from student_perf.compare.leaderboard import Leaderboard
from student_perf.compare.outcome import SweepOutcome, sentences
from student_perf.compare.show import closing, heading, rows
from student_perf.errors import ConfigError
from student_perf.render import render
from student_perf.runs.layout import LEADERBOARD_FILE, MODEL_FILE, PREDICTIONS_FILE
from student_perf.runs.model_file import load_model
from student_perf.runs.record import RunRecord, load_winner
from student_perf.runs.seal import accept_changes
from student_perf.scoring.metrics import METRICS, metrics_logged
from student_perf.store.address import default_tracking
from student_perf.store.find import find_kept, is_on_disk
from student_perf.store.reader import fetch_run
from student_perf.sweep.study import read_outcome

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

_SHOWN = 10  # lines of a table in a notebook
_FIGURES = ("mean", "low", "high", "dummy", "train", "test")


@dataclass(frozen=True, eq=False)
class Run:
    """A run that came to its end; `record` holds its params, tags and metrics."""

    record: RunRecord
    _place: Any = field(default=None, repr=False)  # keeps a downloaded folder alive
    _accepts_changes: bool = field(default=False, repr=False)

    @classmethod
    def find(cls, word: str, store: str | None = None, accepts_changes: bool = False) -> Self:
        """The run that a word means; see `student_perf.api.load_run`."""
        with accept_changes(accepts_changes):
            record = find_kept(word, store)
        if record.status != "FINISHED":
            raise ConfigError(f"{word}: is {record.status}; name a finished run")
        if is_on_disk(record):
            return cls(record, None, accepts_changes)
        place = tempfile.TemporaryDirectory(prefix="student_perf-")
        folder = Path(place.name) / str(record.mlflow_run_id)
        whole = fetch_run(record, store or default_tracking().uri, folder)
        return cls(whole, place, accepts_changes)

    def _file(self, name: str) -> Path:
        with accept_changes(self._accepts_changes):
            return self.record.file(name)

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.record.folder

    @property
    def metric(self) -> str:
        """Name of the metric that decides."""
        return self.record.objective

    @property
    def score(self) -> float:
        """Mean of that metric over the folds, on rows the model did not see."""
        return self.record.mean(self.metric)

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """One line for each metric: mean over folds, its 95 % interval (`low`, `high`), the dummy's
        mean, the mean on the rows of the fit and, of a winner, the figure on the test rows;
        `rests_on_few` where so few rows carry the figure that its interval is likely too narrow.
        """
        names = metrics_logged(self.record.metrics, "mean")
        table = pd.DataFrame({name: _figures(self.record, name) for name in names}).T
        table = table.reindex(columns=list(_FIGURES)).rename_axis("metric")
        ends = zip(*(table[name] for name in ("mean", "low", "high")), strict=True)
        few = [METRICS[name].rests_on_few(*one) for name, one in zip(names, ends, strict=True)]
        return table.dropna(axis=1, how="all").assign(rests_on_few=few)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """One line for each held-out prediction: `row`, `fold`, `y_true`, `y_pred` and the
        probability of each class as `proba_<label>`.
        """
        return pd.read_parquet(self._file(PREDICTIONS_FILE))

    @cached_property
    def model(self) -> BaseEstimator:
        """The preprocessing and model as one scikit-learn estimator, fitted on all rows but the
        test part; of classes it answers with their labels.

        Raises:
            ChangedError: It is not as the run left it.
            ConfigError: The run kept none, as a trial or a nested result.
        """
        file = self._file(MODEL_FILE)
        if not file.is_file():
            raise ConfigError(f"{self.record.name}: kept no model; load a single run or a winner")
        return load_model(file)

    def __repr__(self) -> str:
        return f"Run({self.record.name}, {METRICS[self.metric].label} {self.score:.3f})"

    def _repr_html_(self) -> str:
        table = self.estimates.map(lambda value: f"{value:.3f}")
        label = METRICS[self.metric].label
        facts = [f"{label} {self.score:.3f}", f"{self.record.n_rows} rows of {self.record.dataset}"]
        return _page(self.record.name, facts, table)


@dataclass(frozen=True, eq=False)
class Sweep:
    """A sweep on this disk, with its trials and its winner."""

    record: RunRecord
    _accepts_changes: bool = field(default=False, repr=False)

    @property
    def name(self) -> str:
        """Name of its study, by which it is found again."""
        return self.record.name

    @property
    def folder(self) -> Path:
        """Where its files are."""
        return self.record.folder

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One line for each finished trial, best first: `run`, `rank`, mean and interval of the
        metric, difference from the best with its p, whether it is tied, and what it drew. Trials
        that repeat a configuration are one line, their mean; what cannot be ranked against each
        other differs in `set`, and each set has its own ranks.
        """
        with accept_changes(self._accepts_changes):
            return pd.read_csv(self.record.file(LEADERBOARD_FILE))

    @cached_property
    def winner(self) -> Run | None:
        """The best trial, fitted once more; it alone has opened the test rows. None if the trials
        cannot be ranked.
        """
        with accept_changes(self._accepts_changes):
            record = load_winner(self.folder)
        return None if record is None else Run(record, None, self._accepts_changes)

    @cached_property
    def _outcome(self) -> SweepOutcome:
        with accept_changes(self._accepts_changes):
            return read_outcome(self.folder)

    @property
    def sentences(self) -> list[str]:
        """The outcome in words, as the terminal shows it."""
        return sentences(self._outcome)

    def __repr__(self) -> str:
        return f"Sweep({self.name}, {len(self._outcome.finished)} finished trials)"

    def _repr_html_(self) -> str:
        return _page(f"Sweep {self.name}", self.sentences, _formatted(self.leaderboard))


@dataclass(frozen=True, eq=False)
class Comparison:
    """A leaderboard for each set of runs that share rows and folds."""

    boards: tuple[Leaderboard, ...]

    @cached_property
    def leaderboard(self) -> pd.DataFrame:
        """One line for each run with all its figures; sets differ in `data_sha256` or
        `split_sha256`.
        """
        return pd.DataFrame(row for board in self.boards for row in rows(board))

    @property
    def recommended(self) -> list[Run]:
        """The run that each leaderboard recommends, where it does; a configuration that stands for
        several trials is not a run.
        """
        lines = (board.recommended for board in self.boards)
        return [Run(line.record) for line in lines if line and line.record.kind != REPEATS]

    def __repr__(self) -> str:
        return f"Comparison({'; '.join(map(heading, self.boards))})"

    def _repr_html_(self) -> str:
        parts = []
        for board in self.boards:
            table = pd.DataFrame(rows(board))[["run", "mean", "ci95_low", "ci95_high", "tied"]]
            parts.append(_page(heading(board), closing(board, _SHOWN), _formatted(table)))
        return "".join(parts)


def _figures(record: RunRecord, metric: str) -> dict[str, float]:
    estimate, test = record.estimate(metric), record.test_estimate(metric)
    return {
        "mean": estimate.mean,
        "low": estimate.low,
        "high": estimate.high,
        "dummy": record.dummy(metric),
        "train": record.train(metric),
        "test": float("nan") if test is None else test.mean,
    }


def _formatted(table: pd.DataFrame) -> pd.DataFrame:
    shown = table.head(_SHOWN)
    return shown.map(lambda value: f"{value:.3f}" if isinstance(value, float) else value)


def _page(title: str, lines: list[str], table: pd.DataFrame) -> str:
    html = table.to_html(index=table.index.name is not None)
    return render("notebook.html.j2", title=title, lines=lines, table=html)
