"""Plans of small sweeps, as the sweeper would make them from a command line."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from student_perf.config import register_resolvers, typed_node
from student_perf.paths import CONF_DIR
from student_perf.sweep.plan import SweepOptions, load_search, make_plan

GROUPS = ("model", "split", "preprocess", "dataset")


def make_options(**changed: Any) -> SweepOptions:
    node = OmegaConf.to_container(OmegaConf.load(CONF_DIR / "hydra/sweeper/student_perf.yaml"))
    known = {field.name for field in fields(SweepOptions)}
    node = {key: value for key, value in node.items() if key in known}
    return typed_node(SweepOptions, node | changed, "hydra.sweeper")


@pytest.fixture
def plan_of(workspace):
    """Makes (plan, evaluator) from overrides and options; the data is small and untracked."""

    def make(*overrides: str, **options: Any):
        register_resolvers()
        fixed = ["tracking=off", "split.n_splits=3"]
        return make_plan(
            make_options(**options),
            OverridesParser.create().parse_overrides([*fixed, *overrides]),
            lambda key: key in GROUPS,
            lambda name: load_search(CONF_DIR / "search" / f"{name}.yaml"),
            workspace / "multirun",
        )

    return make
