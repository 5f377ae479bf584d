"""Promotion with evidence: the gate's checks on two records, and the aliases that follow from them.

The decision and its reasons become an artifact of the run (`promotion.json`) and the description of
the model's version: whoever finds a champion also finds why it is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from student_perf.data import load_dataset
from student_perf.data.contract import contract_from_yaml
from student_perf.errors import ConfigError, DataError, StudentPerfError, one_line
from student_perf.experiment.rebuild import rebuild_config
from student_perf.inspection.subgroups import group_codes
from student_perf.promotion.gate import (
    WAY,
    Check,
    PairedRows,
    check_calibration,
    check_gain,
    check_groups,
    check_performance,
    pair,
)
from student_perf.promotion.limits import GateLimits
from student_perf.render import render
from student_perf.runs import tags
from student_perf.runs.layout import CONTRACT_FILE, PREDICTIONS_FILE, TEST_PREDICTIONS_FILE
from student_perf.runs.predictions import load_predictions
from student_perf.runs.record import Recorded
from student_perf.scoring.intervals import FIXED_MODEL
from student_perf.shell import own_line
from student_perf.store.find import open_run, refuse_nested
from student_perf.store.registry import CHALLENGER, CHAMPION, PREVIOUS, Registry, Version

PROMOTION_FILE = "promotion.json"
# What they are, and the factor on their standard error, None for that of the metric.
_ROWS = {
    TEST_PREDICTIONS_FILE: ("test rows", FIXED_MODEL),
    PREDICTIONS_FILE: ("held-out rows of cross-validation", None),
}


@dataclass(frozen=True)
class Decision:
    """What became of a challenger, and why; `champion` is the version it was compared with."""

    outcome: str
    version: Version
    champion: Version | None
    metric: str
    checks: list[Check]
    by: str | None = None
    why: str | None = None

    @property
    def promoted(self) -> bool:
        """Whether the challenger is the champion now."""
        return self.outcome != "refused"


def promote(
    run: Recorded,
    registry: Registry,
    limits: GateLimits,
    by: str | None,
    force: str | None,
    check_reproducible: Callable[[Recorded], Check],
) -> Decision:
    """Register the run's model as challenger and, if the gate opens, make it the champion.

    Args:
        run: The run to promote.
        registry: The versions and aliases of the registered model.
        limits: Those of the gate.
        by: Who decides.
        force: The reason to promote although the gate stays closed; None does not force.
        check_reproducible: Whether the run can be made again, a check like the others.

    Raises:
        ChangedError: A file is not as the run left it; then nothing has moved.
        ConfigError: The run is not in the store or has no model; nothing has moved either.
    """
    run_id = _checked_id(run)
    metric = str(run.composed["objective"]["metric"])
    champion = registry.holder(CHAMPION)
    if champion is not None and champion.run_id == run_id:
        return Decision("champion already", champion, champion, metric, [])
    checks = _checks(run, champion, registry.store, metric, limits)
    checks.append(_answered("reproducible", lambda: check_reproducible(run)))
    version = registry.register(run_id)
    registry.move({CHALLENGER: version})
    passed = all(check.passed for check in checks)
    outcome = "promoted" if passed else "forced" if force else "refused"
    decision = Decision(outcome, version, champion, metric, checks, by, force)
    _keep(decision, registry, limits)
    if decision.promoted:
        registry.move({PREVIOUS: champion, CHAMPION: version, CHALLENGER: None})
    return decision


def _checked_id(run: Recorded) -> str:
    """Id in MLflow of a run that has a model and is as it was left."""
    refuse_nested(run.record)
    run_id = run.record.mlflow_run_id
    if run_id is None:
        raise ConfigError(
            f"{run.folder}: the run is not in MLflow; send it with {own_line('sync')}"
        )
    if run.record.kind == "trial":
        raise ConfigError(f"{run.folder}: a trial keeps no model; promote its sweep's winner")
    run.record.check_files()
    return run_id


def _checks(
    run: Recorded, champion: Version | None, store: str, metric: str, limits: GateLimits
) -> list[Check]:
    # A champion may be no better than the dummy itself, and "not worse" leaves a margin.
    beats = _answered("better than the dummy", lambda: check_gain(run, metric))
    calibrated = _answered("calibrated", lambda: _check_calibration(run, limits))
    if champion is None:
        return [beats, calibrated]
    with open_run(champion.run_id, store) as theirs:
        try:
            rows = _pair(run, theirs)
        except StudentPerfError as error:
            compared = [Check("not worse", False, one_line(error))]
        else:
            compared = [
                check_performance(rows, metric, limits),
                _answered("no group worse", lambda: _check_groups(run, rows, metric, limits)),
            ]
        return [beats, *compared, calibrated, _check_contract(run, theirs)]


def _answered(name: str, check: Callable[[], Check]) -> Check:
    """The result of a check; failed, with the reason, if what it needs is missing."""
    try:
        return check()
    except StudentPerfError as error:
        return Check(name, False, one_line(error))


def _pair(run: Recorded, champion: Recorded) -> PairedRows:
    if run.record.data_sha256 != champion.record.data_sha256:
        raise ConfigError(
            "the champion was trained on other data, so no rows can be compared; train its config "
            f"on these data, {WAY}, or give a model for other data a --name of its own"
        )
    if run.record.encoding != champion.record.encoding:
        raise ConfigError(
            "the champion answers with other classes, so no rows can be compared; train its config "
            f"with these dataset.bands and dataset.classes, {WAY}, or give a model for other "
            "classes a --name of its own"
        )
    problem = "the two models have no predictions of the same kind of rows"
    for file, (what, factor) in _ROWS.items():
        both = (run.record.file(file), champion.record.file(file))
        if not all(path.is_file() for path in both):
            continue
        if file == PREDICTIONS_FILE:
            _check_same_folds(run, champion)
        try:
            mine, theirs = map(load_predictions, both)
            return pair(mine, theirs, what, factor)
        except ConfigError as error:  # if the test rows differ, the held-out ones may agree
            problem = str(error)
    raise ConfigError(problem)


def _check_same_folds(run: Recorded, champion: Recorded) -> None:
    """What a held-out row has in the rows that a model was trained on, such as others of its group,
    decides its answer too.
    """
    if run.record.split_sha256 != champion.record.split_sha256:
        kind = champion.record.split_kind or "unknown"
        raise ConfigError(
            f"the champion's held-out rows are of other folds (split={kind}), so they say more of "
            f"the folds than of the models; train its config with split={run.record.split_kind} "
            f"and the seed of this run, {WAY}"
        )


def _check_calibration(run: Recorded, limits: GateLimits) -> Check:
    file = run.record.file(PREDICTIONS_FILE)
    if not file.is_file():
        raise ConfigError(f"{run.folder}: holds no {PREDICTIONS_FILE}; train the model again")
    return check_calibration(load_predictions(file), limits)


def _check_groups(run: Recorded, rows: PairedRows, metric: str, limits: GateLimits) -> Check:
    config = rebuild_config(run.composed)
    groups: dict[str, np.ndarray] = {}
    if config.dataset.subgroups:
        dataset = load_dataset(config.dataset)
        if dataset.sha256 != run.record.data_sha256:
            raise DataError(
                f"dataset={config.dataset.name}: its rows are no longer those of the run, so its "
                "groups are unknown; restore the data"
            )
        for column in config.dataset.subgroups:
            codes, names = group_codes(dataset.column(column, "dataset.subgroups"))
            mine = codes[rows.row]
            groups |= {f"{column}={name}": mine == code for code, name in enumerate(names)}
    return check_groups(rows, metric, groups, config.report.min_group_size, limits)


def _check_contract(run: Recorded, champion: Recorded) -> Check:
    """The same columns, kinds, categories and classes; ranges, read off rows, may move."""
    mine, theirs = (_rules(one) for one in (run, champion))
    differ = [name for name in {**mine, **theirs} if mine.get(name) != theirs.get(name)]
    reason = "the same columns, kinds, categories and classes"
    if differ:
        reason = f"differs from the champion's in {', '.join(differ)}"
    return Check("same contract", not differ, reason)


def _rules(run: Recorded) -> dict[str, object]:
    contract = contract_from_yaml(run.text(CONTRACT_FILE) or "")
    rules: dict[str, object] = {
        name: (column.kind, column.may_be_missing, column.categories)
        for name, column in contract.columns.items()
    }
    return {"the target": (contract.target, contract.classes), **rules}


def _keep(decision: Decision, registry: Registry, limits: GateLimits) -> None:
    """The decision as an artifact of the run, and on the version's page."""
    content = {
        "model": registry.name,
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        **asdict(decision),
        "limits": asdict(limits),
    }
    registry.log_json(decision.version.run_id, PROMOTION_FILE, content)
    registry.describe(decision.version, _words(decision))
    registry.tag(decision.version, {tags.DECISION: decision.outcome})


def _words(decision: Decision) -> str:
    rows = [("passed" if c.passed else "FAILED", c.name, c.reason) for c in decision.checks]
    return render("promotion.md.j2", decision=decision, rows=rows)
