"""Everything a run shows beyond its metrics, gathered as its `report` options ask for."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd
from sklearn.base import BaseEstimator

from student_perf.config.schema import ExperimentConfig
from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult
from student_perf.evaluation.splits import Fold, Split
from student_perf.inspection.importance import PermutationImportance
from student_perf.inspection.learning_curve import learning_curve
from student_perf.inspection.subgroups import subgroup_table


@dataclass(frozen=True)
class Findings:
    """Tables of the inspection modules; None if one was not asked for, and `shapes` also if the
    kept model has no curves. `metric` is the one that importance and learning curve are measured
    by.
    """

    metric: str
    importance: pd.DataFrame | None = None
    learning_curve: pd.DataFrame | None = None
    subgroups: pd.DataFrame | None = None
    shapes: pd.DataFrame | None = None

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """Those that were asked for, by name."""
        return {
            name: table for name, table in vars(self).items() if isinstance(table, pd.DataFrame)
        }


@dataclass
class Inspector:
    """Looks on while the folds are fitted (`on_fitted`), then gathers the `findings`."""

    config: ExperimentConfig
    dataset: Dataset
    split: Split
    importance: PermutationImportance = field(init=False)

    def __post_init__(self) -> None:
        self.importance = PermutationImportance(
            self.dataset,
            self.config.objective.metric,
            self.config.report.importance_repeats,
            self.config.seed,
        )

    def on_fitted(self, number: int, fold: Fold, fitted: BaseEstimator) -> None:
        """The callback of `evaluation.cross_validate`."""
        if self.config.report.importance:
            self.importance.add_fold(number, fold, fitted)

    def findings(self, pipeline: BaseEstimator, result: CVResult) -> Findings:
        """The tables of a finished cross-validation of the unfitted `pipeline`."""
        report, seed = self.config.report, self.config.seed
        metric, groups = self.config.objective.metric, self.config.dataset.subgroups
        data, split = self.dataset, self.split
        return Findings(
            metric=metric,
            importance=self.importance.table() if report.importance else None,
            learning_curve=learning_curve(pipeline, data, split, result, metric, seed)
            if report.learning_curve
            else None,
            subgroups=subgroup_table(data, result, groups, metric, report.min_group_size)
            if groups
            else None,
        )
