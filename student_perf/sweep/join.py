"""Guests: workers that another command starts, here or on another machine, for a sweep that runs.

While the sweep's command hands out trials, its folder holds an invitation: what the plan was made
from, and what must come out if it is made again. A guest makes the plan anew from its own configs,
data and code, and refuses if anything differs, so that its trials are comparable with the others.
Nothing in the invitation is code; a secret in it is masked.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from student_perf.atomic import disk_errors
from student_perf.config.load import register_resolvers
from student_perf.config.overrides import make_parser
from student_perf.config.search_path import ConfigSource, hydra_ready, standard_source
from student_perf.errors import ConfigError
from student_perf.locks import is_held
from student_perf.masking import MASK, logging_to
from student_perf.models.libraries import PACKAGES
from student_perf.runs import tags
from student_perf.runs.layout import LOG_FILE, SWEEP_LOCK_FILE
from student_perf.runs.record import RunRecord, write_json
from student_perf.runs.versions import changes, installed_versions
from student_perf.shell import python_command
from student_perf.sweep.evaluate import TrialEvaluator
from student_perf.sweep.local import Guest, run_workers
from student_perf.sweep.options import SweepOptions
from student_perf.sweep.places import reserved_place
from student_perf.sweep.plan import SweepPlan, make_plan, with_total
from student_perf.sweep.start import reading
from student_perf.sweep.study import counts, differences, n_done, n_outside, open_study
from student_perf.terminal import Terminal
from student_perf.text import plural

INVITATION_FILE = "plan.json"  # in the sweep's folder while guests may come
_PACKAGES = ("numpy", "pandas", "scipy", *PACKAGES)  # a figure may depend on their versions
_NO_EFFECT = "tracking."  # words that begin so may hold secrets; guests send nothing


@dataclass(frozen=True)
class Limits:
    """When a guest leaves by itself.

    Attributes:
        seconds: After how long.
        trials: After how many trials.
        text: What set the seconds, in words.
    """

    seconds: float
    trials: float
    text: str


@contextmanager
def inviting(plan: SweepPlan) -> Iterator[None]:
    """Let guests come meanwhile. They leave when this ends, but not if the process is killed."""
    write_json(plan.folder / INVITATION_FILE, _invitation(plan))
    try:
        yield
    finally:
        with suppress(OSError):  # of a folder that somebody has removed
            (plan.folder / INVITATION_FILE).unlink(missing_ok=True)


def _invitation(plan: SweepPlan) -> dict[str, Any]:
    return {
        "words": list(plan.words),
        "options": asdict(replace(plan.options, study_name=plan.study_name)),
        "source": asdict(plan.composer.source),
        "current_folder": str(Path.cwd()),
        "fingerprints": plan.fingerprints,
        "packages": installed_versions(_PACKAGES),
    }


def join(record: RunRecord, limits: Limits, storage: str | None = None) -> None:
    """Work on the trials of a sweep that runs, until none is left or a limit is reached.

    Args:
        record: The sweep's.
        limits: When to leave.
        storage: The address of the study's database, if it holds a password, which is not on disk.

    Raises:
        ConfigError: The sweep does not run, this machine would not run the same trials, or the
            worker could not go on.
    """
    folder = record.folder.resolve()
    known = _read(folder, record)
    register_resolvers()
    with suppress(OSError):  # relative paths count from where the command was given, if it is here
        os.chdir(known["current_folder"])
    plan, evaluator = _plan_of(folder, known, storage)
    until = time.monotonic() + limits.seconds
    guest = Guest(limits.trials, limits.text, lambda: not (folder / INVITATION_FILE).exists())
    study, terminal = open_study(plan), Terminal()
    plan = with_total(plan, n_outside(study))
    first = plan.options.n_jobs  # the places before are the command's own
    with disk_errors(folder), logging_to(folder / LOG_FILE), reserved_place(plan, first) as place:
        terminal.lines(f"Working on {record.name}, in place {place}; {_done(study, plan)}.")
        try:
            run_workers(
                plan,
                evaluator,
                lambda: None,
                terminal.lines,
                until=until,
                places=[place],
                guest=guest,
            )
        finally:
            here = f"{plural(guest.n_ended, 'trial')} ended here"
            if guest.n_given_back:
                here += f", {guest.n_given_back} failed here and went back into the queue"
            terminal.lines(f"{here}; {_done(study, plan)}.")
    if not _is_running(folder):
        terminal.lines("Its command is gone; the same one closes the sweep.")
        terminal.places({"continue": _command(record)})


def _done(study: Any, plan: SweepPlan) -> str:
    return f"{n_done(counts(study))} of {plan.n_trials} trials are done"


def _is_running(folder: Path) -> bool:
    return is_held(folder / SWEEP_LOCK_FILE)


def _command(record: RunRecord) -> str:
    words = record.tags.get(tags.COMMAND)
    if words is None:
        return "the same call of sweep() in Python"
    return f"{python_command()}{words.removeprefix('python')}"


def _read(folder: Path, record: RunRecord) -> dict[str, Any]:
    """The invitation. Raises ConfigError if there is none."""
    if not _is_running(folder):
        raise ConfigError(f"{record.name}: does not run; this continues it: {_command(record)}")
    try:
        known: dict[str, Any] = json.loads((folder / INVITATION_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{record.name}: its command hands out no trials now, since it has just begun or all "
            "have ended; try again in a moment"
        ) from None
    hidden = [w for w in known["words"] if MASK in w and not w.lstrip("+~").startswith(_NO_EFFECT)]
    if hidden:
        raise ConfigError(
            f"{record.name}: {hidden[0]} holds a secret, which is not on disk; start the sweep "
            "with an environment variable in its place: ${oc.env:NAME}"
        )
    return known


def _plan_of(
    folder: Path, known: Mapping[str, Any], storage: str | None
) -> tuple[SweepPlan, TrialEvaluator]:
    """The plan made anew here. Raises ConfigError if it is another one."""
    options = SweepOptions(**known["options"])
    if storage is not None:
        options = replace(options, storage=storage)
    elif options.storage is not None and MASK in options.storage:
        raise ConfigError(
            f"--storage: {options.storage} has a password, which is not on disk; give the whole "
            "address, or start the sweep with an address without it and use PGPASSWORD"
        )
    source = _source(known["source"])
    with hydra_ready() as loader:
        words = make_parser(loader).parse_overrides(known["words"])
        plan, evaluator = make_plan(
            options, words, **reading(source), root=folder.parent, source=source
        )
    differ = [*differences(known["fingerprints"], plan.fingerprints)]
    differ += [str(one) for one in changes(known["packages"], _PACKAGES)]
    if differ:
        raise ConfigError(
            f"{plan.study_name}: trials of this machine would not be comparable "
            f"({'; '.join(differ)}); give it the same data, configs and packages"
        )
    return plan, evaluator


def _source(known: Mapping[str, Any]) -> ConfigSource:
    """What the sweep's command composes from, if its folders are here, else what this one would."""
    places = tuple((str(who), str(address)) for who, address in known["places"])
    source = ConfigSource(known["name"], places, tuple(known["overrides"]))
    if all(folder.is_dir() for folder in source.folders()):
        return source
    return replace(source, places=standard_source().places)
