"""`python -m student_perf verify WHAT`: is a run, or an exported bundle, as it was left?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.commands.arguments import CHECKS, in_workspace
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.store.words import ANY_WORD
from student_perf.terminal import Terminal
from student_perf.text import plural, visible

if TYPE_CHECKING:
    from student_perf.runs.record import RunRecord

HELP = "check the checksums of a run, a sweep or an exported bundle"
GROUP = CHECKS
PARENTS = (in_workspace(),)
USES_METRICS = False
CODES = {ExitCode.FINDING: "finding: a file was changed, or the signature does not fit"}
_MOST_PROBLEMS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to check, and by whom it must be signed."""
    parser.add_argument(
        "what", help=f"a zip written by: python -m student_perf export; or a run here: {ANY_WORD}"
    )
    parser.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="a bundle must be signed by the owner of this public ssh key",
    )


def run(chosen: argparse.Namespace) -> int:
    """Print every problem; FINDING if there is one. Raises ConfigError if there is nothing."""
    from student_perf.runs.seal import accept_changes
    from student_perf.store.find import find_run, is_on_disk

    if chosen.what.endswith(".zip") or Path(chosen.what).is_file():
        return _verify_bundle(chosen)
    if chosen.key:
        raise ConfigError(f"--key {chosen.key}: only a bundle is signed; name a zip by export")
    with accept_changes(warn=False):
        record = find_run(chosen.what)
    if not is_on_disk(record):
        raise ConfigError(f"{chosen.what}: is in MLflow only; name a run with a folder here")
    return _verify_run(record)


def _verify_run(record: RunRecord) -> int:
    """A run's own files; of a sweep, or a nested result, those of all its parts."""
    from student_perf.reproduction.unchanged import check_folder

    state = check_folder(record.folder)
    terminal = Terminal()
    _show(state.changed, terminal)
    if state.changed:
        terminal.heading(f"{record.name}: not as the run left it")
        return ExitCode.FINDING
    if state.n_files:
        records = plural(state.n_records, "record")
        terminal.heading(f"{record.name}: {records} and {plural(state.n_files, 'file')} unchanged")
    if state.unsealed:
        old = f"{plural(len(state.unsealed), 'record')} without checksums, of an earlier version"
        terminal.warnings([f"{old}, the first in {state.unsealed[0]}: nothing to compare with"])
    if state.added:
        terminal.facts({"added after the run": "\n".join(state.added[:_MOST_PROBLEMS])})
    return ExitCode.DONE


def _verify_bundle(chosen: argparse.Namespace) -> int:
    from student_perf.reproduction.bundle import verify_bundle

    found = verify_bundle(Path(chosen.what), chosen.key)
    terminal = Terminal()
    _show(found.problems, terminal)
    if found.problems:
        terminal.heading(f"{chosen.what}: not as it was exported")
        return ExitCode.FINDING
    terminal.heading(f"{chosen.what}: unchanged")
    signed = {
        (True, True): f"by the key {chosen.key}",
        (True, False): "yes; --key FILE checks by whom",
    }
    said = signed.get((found.is_signed, chosen.key is not None), "no")
    terminal.places({"manifest": f"SHA-256 {found.digest}", "signed": said})
    return ExitCode.DONE


def _show(problems: Sequence[str], terminal: Terminal) -> None:
    for problem in problems[:_MOST_PROBLEMS]:
        terminal.console.print(f"  {visible(problem)}")
    if len(problems) > _MOST_PROBLEMS:
        terminal.console.print(f"  and {len(problems) - _MOST_PROBLEMS} more")
