"""The numbered checks are asked here: what they find, and what a finding of level `error` stops.

The functions stand in `leaks` and the modules called checks, each with its code and its page
(`registry`). Those of rows are asked before any training. Checks of columns look at development
rows only; `SP104` and `SP212` look at features of all sides. None reads a test row's target.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from student_perf.config.schema import GuardsConfig
from student_perf.data.dataset import Dataset
from student_perf.errors import ConfigError, DataError, suggest
from student_perf.evaluation import column_checks, leaks, result_checks, row_checks, split_checks
from student_perf.evaluation.registry import CHECKS, Check, Chosen, Finding, Subject, asked

# They register the checks as they are imported.
MODULES = (leaks, column_checks, row_checks, split_checks, result_checks)


def check_guards(
    subject: Subject | Chosen, guards: GuardsConfig, costly: bool = False
) -> list[Finding]:
    """What the checks that are set to `warn` have found, in the order of their codes.

    Args:
        subject: What they look at.
        guards: The level of each.
        costly: Whether to ask those that fit something, which a command asks once, or the others.

    Raises:
        ConfigError: The config names a check that does not exist.
        DataError: A check that is set to `error` has something to say.
    """
    for code in guards.levels:
        if code not in CHECKS:
            raise ConfigError(f"guards.{code}: no such check; {suggest(code, CHECKS)}")
    findings = []
    for check, lines in asked(subject, guards, costly=costly):
        if lines and guards.level(check.code) == "error":
            more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
            way_on = f"guards.{check.code}=warn goes on anyway"
            raise DataError(f"{check.code}: {lines[0]}{more}; {way_on}")
        findings += [Finding(check.code, line) for line in lines]
    return findings


def all_checks() -> list[Check]:
    """Every check by its code."""
    return [CHECKS[code] for code in sorted(CHECKS)]


def label_noise_limit(dataset: Dataset) -> float:
    """Best accuracy any classifier can reach on these rows, or for numbers the lowest RMSE.

    A fact about the whole table, the test rows included; no model and no choice depends on it.
    Rows with identical features get one answer: the majority of their targets, or the mean. Rows
    count by their weights, if they have some.
    """
    if dataset.weights is not None:
        return _weighted_limit(dataset, dataset.weights)
    groups = dataset.duplicate_groups
    target = pd.Series(dataset.target)
    if dataset.task == "classification":
        counts = target.groupby([groups, dataset.target]).size()
        return float(counts.groupby(level=0).max().sum() / dataset.n_rows)
    residuals = target - target.groupby(groups).transform("mean")
    return float(np.sqrt((residuals**2).mean()))


def _weighted_limit(dataset: Dataset, weights: np.ndarray) -> float:
    groups, weight = dataset.duplicate_groups, pd.Series(weights)
    if dataset.task == "classification":
        of_class = weight.groupby([groups, dataset.target]).sum()
        return float(of_class.groupby(level=0).max().sum() / weight.sum())
    # From the first row of each group on, so that a row alone has a residual of exactly 0.
    beyond = dataset.target - pd.Series(dataset.target).groupby(groups).transform("first")
    means = (weight * beyond).groupby(groups).sum() / weight.groupby(groups).sum()
    residuals = beyond - means.to_numpy()[groups]
    return float(np.sqrt((weight * residuals**2).sum() / weight.sum()))
