"""Arguments that several commands share, as parent parsers and small functions."""

from __future__ import annotations

import argparse
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from student_perf.runs.record import RunRecord

from student_perf.errors import ConfigError
from student_perf.store.words import ANY_WORD

RESULTS, CHECKS, MODELS, TRACKING = "Results", "Checks and evidence", "Models in use", "Tracking"
GROUPS = (RESULTS, CHECKS, MODELS, TRACKING)
RUN = f"a run: {ANY_WORD}"
MODEL_NAME = "student-perf"
CHANGED = "a file of the run was changed"


class HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Shows every default in one way, at the end of the argument's help."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        text = action.help or ""
        has_default = action.default not in (None, False, "", argparse.SUPPRESS)
        if has_default and action.nargs != 0 and "default:" not in text:
            return f"{text} (default: %(default)s)".strip()
        return text


def in_workspace() -> argparse.ArgumentParser:
    """Parent with `--workspace`, for commands that read run folders only."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--workspace",
        type=Path,
        metavar="FOLDER",
        help="folder that holds outputs/ and multirun/ "
        "(default: STUDENT_PERF_WORKSPACE, the checkout, or the current folder)",
    )
    return parent


def accepting() -> argparse.ArgumentParser:
    """Parent with `--accept-changes`, for commands that read what a run has left."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument(
        "--accept-changes",
        action="store_true",
        help="go on with files that were changed after the run, each named in a warning",
    )
    return parent


def reading() -> argparse.ArgumentParser:
    """Parent of every command that reads runs: `--workspace`, `--store`, `--accept-changes`."""
    parent = argparse.ArgumentParser(add_help=False, parents=[in_workspace(), accepting()])
    parent.add_argument(
        "--store",
        metavar="URI",
        help="MLflow tracking store to ask instead of the disk (default: the disk, then the store "
        "of conf/tracking/default.yaml)",
    )
    return parent


def store_of(chosen: argparse.Namespace, record: RunRecord | None = None) -> str:
    """The store that was named, that for which a run was made, or the default one."""
    from student_perf.masking import MASK
    from student_perf.store.address import default_tracking

    made_for = record.tracking_uri if record is not None else ""
    if chosen.store or not made_for or MASK in made_for:
        return chosen.store or default_tracking().uri
    return made_for


def model_name(chosen: argparse.Namespace) -> str:
    """The registered model that was named, by itself or in the address of the run.

    Raises ConfigError for an empty name, as an unset variable of a shell gives it.
    """
    from student_perf.store.words import model_of

    if chosen.name == "":
        raise ConfigError("--name: is empty; name the registered model, or leave it out")
    return chosen.name or model_of(getattr(chosen, "run", "")) or MODEL_NAME


def formats(*names: str) -> argparse.ArgumentParser:
    """Parent with `--format`; the first name is the default."""
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--format", choices=names, default=names[0], help="form of what is printed")
    return parent


def add_run(parser: argparse.ArgumentParser, name: str = "run", default: str | None = None) -> None:
    """A positional argument that names a run; with a `default` it may be left out."""
    nargs = None if default is None else "?"
    parser.add_argument(name, nargs=nargs, default=default, help=RUN)


def add_data(parser: argparse.ArgumentParser) -> None:
    """`--data`, for a data file that is elsewhere on this machine."""
    parser.add_argument("--data", metavar="FILE", help="the data file, if it is elsewhere here")


PAGE = b"<!doctype html>"  # how a page begins


def check_port(port: int, lowest: int = 1) -> None:
    """Raise ConfigError for a number that cannot be a port of this machine."""
    if not lowest <= port <= 65_535:
        raise ConfigError(f"--port {port}: must be {lowest} to 65535; leave it out")


def add_html(parser: argparse.ArgumentParser) -> None:
    """`--html`, for a page beside what is printed."""
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page to this file, too")


def add_read(parser: argparse.ArgumentParser) -> None:
    """`--read KEY=VALUE`, which says how files of new rows are written."""
    parser.add_argument(
        "--read",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="how the file is written, if not as the training file: separator, decimal, thousands, "
        "encoding, sheet or missing_words; may be repeated (default: as in training, or as the "
        "file shows)",
    )


def named_options(chosen: argparse.Namespace) -> dict[str, Any]:
    """What `--read` names. Raises DataError for another key."""
    from student_perf.tables.options import parse_named

    return parse_named(chosen.read)


def add_limits(parser: argparse.ArgumentParser, schema: type, config: str) -> None:
    """An option for each limit of a dataclass, whose values stand in a config of `conf/`."""
    for one in fields(schema):
        words = f"{one.metadata['help']} (default: conf/{config}.yaml)"
        parser.add_argument(f"--{one.name}", type=type(one.default), help=words)


def add_registry(parser: argparse.ArgumentParser, takes_run: bool = False) -> None:
    """The registered model, and who moves its aliases why. Where the command `takes_run`, an
    address `models:/NAME@ALIAS` names the model too: `model_name` says which it is.
    """
    default = f"that of models:/NAME, else {MODEL_NAME}" if takes_run else MODEL_NAME
    parser.add_argument("--name", help=f"the registered model (default: {default})")
    needed = "; --force needs one" if takes_run else ""
    parser.add_argument("--why", help=f"the reason, kept with the decision{needed}")
    parser.add_argument("--by", help="who decides (default: the login name)")
