"""What a sweep has left in its folder, read for its report; needs neither Optuna nor MLflow."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from student_perf.compare.leaderboard import Leaderboard, Line, make_leaderboards
from student_perf.errors import ConfigError
from student_perf.runs.record import RECORD_FILE, RunRecord, begun_run_id, load_record
from student_perf.scoring.metric import METRICS

CONFIGURATION_TAG = "student_perf.configuration"
_NUMBER_TAG = "student_perf.trial_number"
_SWEPT = "swept."
_SPACE = "space."


@dataclass(frozen=True, eq=False)
class SweepFolder:
    """A sweep's own record, those of its trials by number, and its winner's where there is one.

    `importances` are the shares of the parameters, empty where they are not known.
    """

    record: RunRecord
    trials: list[RunRecord]
    winner: RunRecord | None
    importances: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def board(self) -> Leaderboard | None:
        """The largest leaderboard of its runs; None where nothing is finished."""
        runs = [*self.trials, *([self.winner] if self.winner else [])]
        try:
            return make_leaderboards(runs, self.metric)[0]
        except ConfigError:
            return None

    @property
    def metric(self) -> str:
        """Name of the metric that the sweep optimises."""
        return self.record.params["objective.metric"]

    @property
    def maximizes(self) -> bool:
        """Whether more of it is better."""
        return METRICS[self.metric].direction == "maximize"

    @property
    def lines(self) -> list[Line]:
        """The finished trials with their figures, best first."""
        lines = self.board.lines if self.board else []
        return [line for line in lines if line.record.kind == "trial"]

    @property
    def best(self) -> Line | None:
        """The trial that became the winner, otherwise the one with the best mean: under constraints
        they may differ.
        """
        chosen = self.winner.tags.get(_NUMBER_TAG) if self.winner else None
        same = (line for line in self.lines if line.record.tags[_NUMBER_TAG] == chosen)
        return next(same, self.lines[0] if self.lines else None)

    @property
    def defaults(self) -> Line | None:
        """The trial that ran the model's defaults; a grid has none."""
        return next((line for line in self.lines if is_default(line.record)), None)

    @property
    def states(self) -> dict[str, int]:
        """Number of trials by state, in lower case, the most frequent first."""
        return dict(Counter(trial.status.lower() for trial in self.trials).most_common())

    @property
    def space(self) -> dict[str, str]:
        """The values of each parameter, described."""
        params = self.record.params.items()
        return {key.removeprefix(_SPACE): text for key, text in params if key.startswith(_SPACE)}

    @property
    def parameters(self) -> list[str]:
        """Every key that a trial drew, the most important first, else as the space has them."""
        keys = dict.fromkeys(name.split(" (")[0] for name in self.space)
        keys |= dict.fromkeys(key for line in self.lines for key in swept(line.record))
        share = Counter[str]()
        for name, value in self.importances.items():
            share[name.split(" (")[0]] += value  # type: ignore[assignment]
        return sorted(keys, key=lambda key: -share[key])

    def is_log(self, key: str) -> bool:
        """Whether a parameter was drawn on a logarithmic scale."""
        texts = (text for name, text in self.space.items() if name.split(" (")[0] == key)
        return any(text.endswith("log scale") for text in texts)


def load_sweep(folder: Path, importances: Mapping[str, float] | None = None) -> SweepFolder:
    """Read a sweep's folder. Raises ConfigError where it is none."""
    if not (folder / RECORD_FILE).is_file():
        raise ConfigError(f"{folder}: holds no {RECORD_FILE}; name the folder of a sweep")
    record = load_record(folder)
    if record.kind != "sweep":
        raise ConfigError(f"{folder}: is a {record.kind} run; name the folder of a sweep")
    numbers = sorted(int(entry.name) for entry in os.scandir(folder) if entry.name.isdigit())
    paths = [folder / str(number) for number in numbers]
    trials = [load_record(path) for path in paths if (path / RECORD_FILE).is_file()]
    place = folder / "winner"
    winner = load_record(place) if (place / RECORD_FILE).is_file() else None
    if winner is not None and winner.status != "FINISHED":
        winner = None
    if winner is not None and winner.mlflow_run_id is None:
        winner.mlflow_run_id = begun_run_id(place)  # on its way
    return SweepFolder(record, trials, winner, importances or {})


def swept(record: RunRecord) -> dict[str, str]:
    """What a trial drew, by key."""
    params = record.params.items()
    return {key.removeprefix(_SWEPT): value for key, value in params if key.startswith(_SWEPT)}


def trial_number(record: RunRecord) -> int:
    """Number of a trial in its sweep."""
    return int(record.tags[_NUMBER_TAG])


def is_default(record: RunRecord) -> bool:
    """Whether a trial ran the model's defaults."""
    return record.tags.get(CONFIGURATION_TAG) == "defaults"


def short_value(text: str) -> str:
    """A drawn value with four digits where it is a fraction."""
    try:
        return f"{float(text):.4g}" if "." in text or "e" in text else text
    except ValueError:
        return text


def described(record: RunRecord) -> str:
    """`model.C=0.03434, model.class_weight=None`."""
    pairs = (f"{key}={short_value(value)}" for key, value in swept(record).items())
    return ", ".join(pairs) or "the defaults"
