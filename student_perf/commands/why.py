"""`python -m student_perf why RUN_A RUN_B`: what two runs differ in."""

from __future__ import annotations

import argparse

from student_perf.commands.reproduce import add_run, told
from student_perf.terminal import Terminal

HELP = "say what two runs differ in: config, data, code, environment, and score"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which two runs."""
    add_run(parser, "run_a", "run_b")


def run(chosen: argparse.Namespace) -> int:
    """Print the four differences and that of the scores."""
    from student_perf.reproduction.why import explain
    from student_perf.store.find import open_run

    store = chosen.store
    with open_run(chosen.run_a, store) as first, open_run(chosen.run_b, store) as second:
        found = explain(first, second)
        names = first.record.name, second.record.name
    terminal = Terminal()
    terminal.heading(f"{names[0]} -> {names[1]}")
    facts = {part.part: told(part) for part in found.differences}
    terminal.facts(facts | {"score": found.score})
    return 0
