"""`python -m student_perf why RUN_A RUN_B`: what two runs differ in."""

from __future__ import annotations

import argparse

from student_perf.commands.arguments import RESULTS, add_run, reading
from student_perf.commands.reproduce import describe
from student_perf.exit_codes import ExitCode
from student_perf.terminal import Terminal

HELP = "what two runs differ in: config, data, code, environment, score"
GROUP = RESULTS
PARENTS = (reading(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which two runs."""
    add_run(parser, "run_a")
    add_run(parser, "run_b")


def run(chosen: argparse.Namespace) -> int:
    """Print the four differences and that of the scores."""
    from student_perf.store.find import open_run

    with open_run(chosen.run_a, chosen.store) as a, open_run(chosen.run_b, chosen.store) as b:
        from student_perf.reproduction.why import explain

        explanation = explain(a, b)
        names = a.record.name, b.record.name
    terminal = Terminal()
    terminal.heading(f"{names[0]} -> {names[1]}")
    facts = {part.part: describe(part) for part in explanation.differences}
    terminal.facts(facts | {"score": explanation.score})
    return ExitCode.DONE
