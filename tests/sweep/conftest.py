"""Plans of small sweeps, as the sweeper would make them from a command line."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import optuna
import pytest

from student_perf.compare.outcome import SweepOutcome
from student_perf.config.load import load_node, register_resolvers
from student_perf.config.overrides import make_parser
from student_perf.paths import CONF_DIR
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.options import SweepOptions, make_options
from student_perf.sweep.plan import SweepPlan, load_search, make_plan
from student_perf.sweep.record import start_record
from student_perf.sweep.study import check_contract, fill_queue, open_study, read_outcome
from student_perf.sweep.worker import Worker

MakePlan = Callable[..., tuple[SweepPlan, TrialEvaluator]]
GROUPS = ("model", "split", "preprocess", "dataset", "objective", "search")


def options_of(**changed: Any) -> SweepOptions:
    node = load_node(CONF_DIR / "hydra/sweeper/student_perf.yaml")
    known = {field.name for field in fields(SweepOptions)}
    return make_options({key: node[key] for key in node if key in known} | changed)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for a state, however slow the machine; ten minutes only end a hang."""
    give_up = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < give_up
        time.sleep(0.05)


def opened(plan: SweepPlan) -> optuna.Study:
    """The plan's study with its queue filled, as a sweep leaves it to the workers."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    study = open_study(plan)
    check_contract(study, plan)
    fill_queue(study, plan)
    return study


def run_trials(plan: SweepPlan, evaluator: TrialEvaluator, **options: Any) -> optuna.Study:
    """The study after one worker has done its trials in this process."""
    study = opened(plan)
    Worker(plan, evaluator=evaluator, **options).run()
    return study


def outcome_of(plan: SweepPlan, evaluator: TrialEvaluator) -> SweepOutcome:
    """What came of the trials that are done, as the sweep itself reads it."""
    start_record(plan, evaluator.data(plan.base), "")
    return read_outcome(plan.folder, open_study(plan))


@pytest.fixture
def plan_of(workspace: Path) -> MakePlan:
    """Makes (plan, evaluator) from overrides and options; the data is small and untracked."""

    def make(*overrides: str, **options: Any) -> tuple[SweepPlan, TrialEvaluator]:
        register_resolvers()
        fixed = ["tracking=off", "split.n_splits=3"]
        return make_plan(
            options_of(**options),
            make_parser().parse_overrides([*fixed, *overrides]),
            lambda key: key in GROUPS,
            load_search,
            workspace / "multirun",
        )

    return make
