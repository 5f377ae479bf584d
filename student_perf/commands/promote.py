"""`python -m student_perf promote`: let a model take the champion's place if the gate holds."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from student_perf.commands.arguments import (
    MODELS,
    add_limits,
    add_registry,
    add_run,
    model_name,
    reading,
    store_of,
)
from student_perf.config.names import check_folder_name
from student_perf.config.search_path import find_config
from student_perf.config.typed import load_limits
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.promotion.limits import GATE_CONFIG, GateLimits
from student_perf.shell import own_line
from student_perf.terminal import Terminal

if TYPE_CHECKING:
    from student_perf.promotion.gate import Check
    from student_perf.promotion.promotion import Decision
    from student_perf.runs.record import Recorded

HELP = "make a run's model the champion if the gate holds"
GROUP = MODELS
PARENTS = (reading(),)
CODES = {ExitCode.FINDING: "finding: gate closed, the champion stays"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, under which name, and the limits of the gate."""
    add_run(parser)
    add_registry(parser, takes_run=True)
    parser.add_argument("--force", action="store_true", help="promote although the gate fails")
    add_limits(parser, GateLimits, GATE_CONFIG)


def run(chosen: argparse.Namespace) -> int:
    """Decide and show why; FINDING if the gate is closed."""
    if chosen.force and not chosen.why:
        raise ConfigError(
            "--force: a forced promotion is recorded with its reason; add --why and your reason"
        )
    name = model_name(chosen)
    check_folder_name("--name", name)
    limits = load_limits(GateLimits, find_config(GATE_CONFIG), vars(chosen))
    from student_perf.store.find import open_run

    terminal = Terminal()
    with open_run(chosen.run, chosen.store) as recorded:
        # Before the gate, which makes the run again.
        terminal.heading(f"{recorded.record.name}: is to be the champion of {name}")
        with terminal.waiting("checking"):
            decision = _decided(chosen, recorded, name, limits)
        _show(terminal, decision, name)
    return ExitCode.DONE if decision.promoted else ExitCode.FINDING


def _decided(
    chosen: argparse.Namespace, recorded: Recorded, name: str, limits: GateLimits
) -> Decision:
    from student_perf.promotion.promotion import promote
    from student_perf.runs.provenance import user_name
    from student_perf.store.registry import Registry

    shows_user = recorded.composed["tracking"]["host_and_user"]
    by = chosen.by or (user_name() if shows_user else None)
    force = chosen.why if chosen.force else None
    registry = Registry(store_of(chosen, recorded.record), name)
    return promote(recorded, registry, limits, by, force, _reproducible)


def _reproducible(run: Recorded) -> Check:
    from student_perf.promotion.gate import Check
    from student_perf.reproduction.reproduce import reproduce

    verdict = reproduce(run, run.folder, check_only=True)
    return Check("reproducible", verdict.is_same, verdict.sentence)


def _show(terminal: Terminal, decision: Decision, name: str) -> None:
    held = f"version {decision.champion.number}" if decision.champion else "no champion yet"
    terminal.lines(f"version {decision.version.number} of {name}, against {held}")
    terminal.facts(
        {c.name: f"{'passed' if c.passed else 'FAILED'}: {c.reason}" for c in decision.checks}
    )
    sentences = {
        "promoted": "Promoted: it is the champion now.",
        "forced": "Promoted by force: it is the champion now; the reason is recorded.",
        "champion already": "It is the champion already; nothing moved.",
        "refused": "Refused: it stays challenger. To promote anyway: --force --why REASON",
    }
    terminal.heading(sentences[decision.outcome])
    if decision.promoted:
        terminal.places({"use": own_line("predict", f"models:/{name}@champion", "IN", "OUT")})
