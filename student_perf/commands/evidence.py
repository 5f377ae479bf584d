"""`python -m student_perf evidence`: environment, packages and last runs in one table."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from student_perf.commands.arguments import CHECKS, accepting, formats, in_workspace
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.terminal import Terminal
from student_perf.text import markdown_table

if TYPE_CHECKING:
    from student_perf.reproduction.evidence import Facts, RunLine

HELP = "show environment, packages and last runs, for an audit"
GROUP = CHECKS
PARENTS = (in_workspace(), accepting(), formats("text", "markdown"))
USES_METRICS = False
_COLUMNS = ("run", "kind", "status", "commit", "experiment", "mlflow", "artifacts")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much."""
    parser.add_argument("--last", type=int, default=10, metavar="N", help="number of runs")
    parser.add_argument(
        "--all-packages", action="store_true", help="list every package, not the main ones only"
    )


def run(chosen: argparse.Namespace) -> int:
    """Print the evidence; FINDING if a file of one of the runs was changed.

    Raises ConfigError for a negative number of runs.
    """
    from student_perf.reproduction.evidence import environment_facts, last_runs, package_versions

    if chosen.last < 0:
        raise ConfigError(f"--last {chosen.last}: must be 0 or more; try --last 10")
    facts, packages = environment_facts(), package_versions(chosen.all_packages)
    show = _markdown if chosen.format == "markdown" else _text
    runs = last_runs(chosen.last)
    show(facts, packages, runs)
    is_finding = any(one.changed for one in runs) and not chosen.accept_changes
    return ExitCode.FINDING if is_finding else ExitCode.DONE


def _text(facts: Facts, packages: Facts, runs: list[RunLine]) -> None:
    terminal = Terminal()
    terminal.heading("Environment")
    terminal.facts(facts)
    terminal.heading("Packages")
    terminal.facts({"": ", ".join(f"{name} {version}" for name, version in packages.items())})
    terminal.heading(f"Last runs: {len(runs)}")
    for line in runs:
        terminal.console.print(f"  {line.name}")
        terminal.facts(
            {
                "": f"{line.kind}, {line.status}, commit {line.commit}, experiment "
                f"{line.experiment}, mlflow {line.mlflow}, files {line.artifacts}"
            }
        )


def _markdown(facts: Facts, packages: Facts, runs: list[RunLine]) -> None:
    cells = [
        (r.name, r.kind, r.status, r.commit, r.experiment, r.mlflow, r.artifacts) for r in runs
    ]
    parts = [
        "## Environment\n",
        markdown_table(("fact", "value"), list(facts.items())),
        "\n## Packages\n",
        markdown_table(("package", "version"), list(packages.items())),
        "\n## Last runs\n",
        markdown_table(_COLUMNS, cells),
    ]
    print("\n".join(parts))
