"""`python -m student_perf worker`: help with the trials of a sweep that runs."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING

from student_perf.commands.arguments import TRACKING, in_workspace
from student_perf.errors import ConfigError
from student_perf.exit_codes import ExitCode
from student_perf.text import seconds_of

if TYPE_CHECKING:
    from student_perf.sweep.join import Limits

HELP = "help with the trials of a sweep that runs"
GROUP = TRACKING
PARENTS = (in_workspace(),)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which sweep, and when to leave."""
    parser.add_argument("study", help="name or folder of the sweep, which this machine must see")
    parser.add_argument("--for", dest="time", metavar="2h", help="leave after 90s, 30min, 2h or 1d")
    parser.add_argument("--trials", type=int, metavar="N", help="leave after so many trials")
    parser.add_argument(
        "--storage", metavar="URL", help="address of the study's database, if it has a password"
    )


def run(chosen: argparse.Namespace) -> int:
    """Run trials until none is left. Ctrl-C, or a limit, ends this worker only."""
    from student_perf.store.find import find_run, is_on_disk
    from student_perf.sweep.join import join

    limits = _limits(chosen)
    record = find_run(chosen.study)
    if record.kind != "sweep" or not is_on_disk(record):
        raise ConfigError(
            f"{chosen.study}: is not the folder or name of a sweep on this disk; name one that "
            "`compare multirun` lists"
        )
    join(record, limits, chosen.storage)
    return ExitCode.DONE


def _limits(chosen: argparse.Namespace) -> Limits:
    """Raises ConfigError for a limit that means nothing."""
    from student_perf.sweep.join import Limits

    seconds = math.inf if chosen.time is None else seconds_of(chosen.time)
    if not seconds:
        raise ConfigError(
            f"--for {chosen.time}: must be a time above 0; write it like 90s, 30min, 2h or 1d"
        )
    if chosen.trials is not None and chosen.trials < 1:
        raise ConfigError(f"--trials {chosen.trials}: must be 1 or more; leave it out for no limit")
    trials = math.inf if chosen.trials is None else chosen.trials
    return Limits(seconds, trials, f"--for {chosen.time}")
