"""`python -m student_perf promote`: let a model take the champion's place if the gate holds."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from student_perf.commands.reproduce import add_run
from student_perf.config.limits import GATE_FILE, GateLimits, load_limits
from student_perf.errors import ConfigError
from student_perf.paths import default_store
from student_perf.terminal import Terminal

if TYPE_CHECKING:
    from student_perf.promotion.promotion import Decision

HELP = "make a run's model the champion if the gate holds; exit code 2 where it does not"
REFUSED = 2
NAME = "student-perf"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which run, under which name, and the limits of the gate."""
    add_run(parser, "run")
    add_registry(parser)
    parser.add_argument("--force", action="store_true", help="promote although the gate fails")
    words = {
        "margin": "how much worse it may be",
        "risk": "most probability that it is worse by more",
        "calibration": "most expected calibration error",
    }
    for name in asdict(GateLimits()):
        parser.add_argument(
            f"--{name}", type=float, help=f"{words[name]} (default: conf/promote.yaml)"
        )


def add_registry(parser: argparse.ArgumentParser) -> None:
    """The registered model, and who moves its aliases why."""
    parser.add_argument("--name", default=NAME, help="the registered model (%(default)s)")
    parser.add_argument("--why", help="the reason, kept with the decision; --force needs one")
    parser.add_argument("--by", help="who decides (default: the login name)")


def run(chosen: argparse.Namespace) -> int:
    """Decide, show why; 0 where the model is the champion now, 2 where the gate refused it."""
    if chosen.force and not chosen.why:
        raise ConfigError(
            "--force: a forced promotion is recorded with its reason; add --why '...'"
        )
    given = {name: getattr(chosen, name) for name in asdict(GateLimits())}
    limits = load_limits(GateLimits, GATE_FILE, given)
    from student_perf.promotion.promotion import promote
    from student_perf.runs.provenance import user_name
    from student_perf.store.find import opened
    from student_perf.store.registry import Registry

    store = chosen.store or default_store()
    with opened(chosen.run, store) as recorded:
        shows_user = recorded.composed["tracking"]["host_and_user"]
        by = chosen.by or (user_name() if shows_user else None)
        force = chosen.why if chosen.force else None
        decision = promote(recorded, Registry(store, chosen.name), limits, by, force)
        _show(Terminal(), decision, chosen.name, recorded.record.name)
    return 0 if decision.promoted else REFUSED


def _show(terminal: Terminal, decision: Decision, name: str, run_name: str) -> None:
    held = f"version {decision.champion.number}" if decision.champion else "no champion yet"
    terminal.heading(f"{run_name}: version {decision.version.number} of {name}, against {held}")
    terminal.facts(
        {c.name: f"{'passed' if c.passed else 'FAILED'}: {c.reason}" for c in decision.checks}
    )
    sentences = {
        "promoted": "Promoted: it is the champion now.",
        "forced": "Promoted by force: it is the champion now; the reason is recorded.",
        "champion already": "It is the champion already; nothing moved.",
        "refused": "Refused: it stays challenger. To promote it all the same: --force --why '...'",
    }
    terminal.heading(sentences[decision.outcome])
    if decision.promoted:
        terminal.places({"use": f"python -m student_perf predict models:/{name}@champion IN OUT"})
