"""`python -m student_perf compare`: from many runs to a justified choice."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from student_perf.atomic import check_place, write_atomic
from student_perf.commands.arguments import PAGE, RESULTS, RUN, add_html, formats, reading
from student_perf.errors import ConfigError, TrackingError
from student_perf.exit_codes import ExitCode
from student_perf.paths import workspace

if TYPE_CHECKING:
    from student_perf.compare.leaderboard import Leaderboard
    from student_perf.runs.record import RunRecord

HELP = "rank runs, say which differences are real, recommend one"
GROUP = RESULTS
PARENTS = (reading(), formats("text", "markdown", "csv", "json", "html"))
CODES = {ExitCode.FINDING: "finding: a check that the runs set to `error` has something to say"}
_MOST_TRIALS = 200  # beyond them reading all predictions takes long; ask for it


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which runs, by which metric, in which form."""
    parser.add_argument(
        "runs",
        nargs="*",
        help=f"{RUN}; or a folder of runs, or an MLflow experiment (default: all runs and sweeps "
        "on the rows and folds of the latest)",
    )
    parser.add_argument("--experiment", metavar="NAME", help="all runs of an MLflow experiment")
    parser.add_argument(
        "--filter", metavar="TEXT", help="as in MLflow: \"params.model.name = 'xgb'\""
    )
    parser.add_argument(
        "--metric", help="what to rank by (default: the objective of the latest run)"
    )
    parser.add_argument(
        "--rope", type=float, help="differences below it do not matter (default: 0.01)"
    )
    parser.add_argument("--top", type=int, default=10, help="how many runs to show")
    add_html(parser)
    parser.add_argument(
        "--tuning",
        action=argparse.BooleanOptionalAction,
        help=f"the optimism of sweeps (default: of those with up to {_MOST_TRIALS} trials; if no "
        "run is named, of those that have the best or the recommended run)",
    )
    parser.add_argument(
        "--permuted",
        type=int,
        default=0,
        metavar="N",
        help="refit the recommended model N times with permuted labels",
    )


def run(chosen: argparse.Namespace) -> int:
    """Print the leaderboards. Raises ConfigError if there is no run."""
    from student_perf.store.find import find_group

    _check(chosen)
    metrics = [chosen.metric] if chosen.metric else []
    records = find_group(chosen.runs, chosen.store, chosen.experiment, metrics)
    from student_perf.compare.filter import matching
    from student_perf.compare.leaderboard import make_leaderboards
    from student_perf.compare.show import formatted, has_error

    if chosen.filter and not (records := matching(records, chosen.filter)):
        raise ConfigError(
            f"--filter {chosen.filter}: fits none of the runs; leave a part of it out"
        )
    boards = make_leaderboards(records, chosen.metric, chosen.rope, chosen.store or "")
    needs_page = chosen.html or chosen.format == "html"
    needs_notes = needs_page or chosen.format == "text"
    notes = list(_notes(records, boards, chosen)) if needs_notes else []
    page = _page(records, boards, notes, chosen) if needs_page else ""
    if chosen.html:
        write_atomic(chosen.html, page)
    if chosen.format == "text":
        _show(boards, notes, chosen)
    elif chosen.format == "html":
        print(page, end="")
    else:
        print(formatted(boards, chosen.format, chosen.top), end="")
    return ExitCode.FINDING if has_error(boards) else ExitCode.DONE


def _show(boards: Sequence[Leaderboard], notes: list[str], chosen: argparse.Namespace) -> None:
    from student_perf.compare.show import show_boards
    from student_perf.terminal import Terminal

    terminal = Terminal()
    show_boards(boards, chosen.top, terminal)
    terminal.lines(*notes)
    if chosen.html:
        terminal.places({"report": str(chosen.html)})


def _page(
    records: Sequence[RunRecord],
    boards: Sequence[Leaderboard],
    notes: list[str],
    chosen: argparse.Namespace,
) -> str:
    """The report, with a section for each sweep whose folder is on this disk."""
    from student_perf.pages.report import Comparison, comparison_page
    from student_perf.runs.layout import holds_record
    from student_perf.sweep.study import read_outcome

    sweeps = [record for record in records if record.kind == "sweep"]
    there = [record.folder for record in sweeps if holds_record(record.folder)]
    read = [read_outcome(folder) for folder in there]
    return comparison_page(Comparison(boards, read, notes, chosen.top, chosen.store or ""))


def _check(chosen: argparse.Namespace) -> None:
    if chosen.rope is not None and not chosen.rope >= 0:
        raise ConfigError(f"--rope {chosen.rope}: must be 0 or more; try 0.01")
    if chosen.top < 1:
        raise ConfigError(f"--top {chosen.top}: must be 1 or more; try 10")
    if chosen.html:
        check_place(chosen.html, "--html", PAGE)
    if chosen.permuted < 0:
        raise ConfigError(f"--permuted {chosen.permuted}: must be 0 or more; try 19")


def _control(board: Leaderboard, chosen: argparse.Namespace) -> str:
    """The permuted-label control of the recommended run, or of the best if there is none."""
    from student_perf.compare.permuted import control_line, permuted_control

    line = board.recommended or board.lines[0]
    store = chosen.store or line.record.tracking_uri
    control = permuted_control(line.record, board.metric, line.mean, chosen.permuted, store)
    return control_line(control, line.label)


def _beside(records: Sequence[RunRecord]) -> Iterator[str]:
    """That runs were not named which could be ranked with those that were."""
    from student_perf.shell import own_line
    from student_perf.store.find import count_beside
    from student_perf.text import plural

    counts = zip(("single run", "sweep"), count_beside(records), strict=True)
    if what := " and ".join(plural(n, name) for name, n in counts if n):
        yield (
            f"Not named, on the same rows and folds: {what}. All of them: "
            f"{own_line('compare', *_every_folder())}"
        )


def _notes(
    records: Sequence[RunRecord], boards: Sequence[Leaderboard], chosen: argparse.Namespace
) -> Iterator[str]:
    """The optimism of each sweep, and the permuted-label control if it is asked for."""
    if chosen.tuning is not False:
        yield from _tuning(records, boards, chosen)
    if chosen.permuted > 0:
        yield _control(boards[0], chosen)
    if not (chosen.runs or chosen.experiment or chosen.store):
        yield from _elsewhere(records)
    elif chosen.runs and not (chosen.experiment or chosen.store or chosen.filter):
        yield from _beside(records)


def _elsewhere(records: Sequence[RunRecord]) -> Iterator[str]:
    """That the workspace has runs on other rows or folds, and the line that shows all."""
    from student_perf.shell import own_line
    from student_perf.store.find import count_elsewhere
    from student_perf.text import plural

    singles, sweeps = count_elsewhere(records)
    if others := singles + sweeps:
        counts = {"single run": singles.total(), "sweep": sweeps.total()}
        what = " and ".join(f"{plural(n, name)}" for name, n in counts.items() if n)
        named = ", ".join(f"{n} on {name}" for name, n in others.most_common())
        yield (
            f"On other rows or folds: {what} ({named}). All of them: "
            f"{own_line('compare', *_every_folder())}"
        )


def _every_folder() -> list[str]:
    """The folders of all runs, as words that mean the same from the current folder."""
    places = [place for name in ("outputs", "multirun") if (place := workspace() / name).is_dir()]
    here = Path.cwd()
    return [
        str(place.relative_to(here) if place.is_relative_to(here) else place) for place in places
    ]


def _tuning(
    records: Sequence[RunRecord], boards: Sequence[Leaderboard], chosen: argparse.Namespace
) -> Iterator[str]:
    """Sentences about each sweep among the boards."""
    from student_perf.compare.tuning import trials_on, tuning_lines, tuning_of

    others = [record for record in records if record.kind != "trial"]
    is_named = chosen.runs or chosen.experiment or chosen.store or chosen.tuning
    for board in boards:
        trials = trials_on(board, records)
        sizes = Counter(record.study or "" for record in trials)
        deciding = {line.record.study for line in (board.lines[0], board.recommended) if line}
        for study, n_trials in sizes.items():
            if not is_named and study not in deciding:
                continue
            if n_trials > _MOST_TRIALS and not chosen.tuning:
                yield f"Tuning, {study}: {n_trials} trials; --tuning estimates their luck."
                continue
            try:
                tuning = tuning_of(study, [*trials, *others], board.metric, chosen.store or "")
            except TrackingError as error:
                yield f"Tuning, {study}: unknown ({error})."
                continue
            if tuning is not None:
                yield from tuning_lines(tuning)
