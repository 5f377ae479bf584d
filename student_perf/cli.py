"""`python -m student_perf <command>`, or `student-perf <command>`; training is `train.py`."""

from __future__ import annotations

import argparse
import os
import pkgutil
import sys
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from student_perf import __version__, commands
from student_perf.atomic import explain_disk_error
from student_perf.commands.arguments import CHANGED, GROUPS, HelpFormatter
from student_perf.config.trusted import import_trusted, refuse_pickles
from student_perf.errors import ChangedError, ConfigError, StudentPerfError
from student_perf.exit_codes import MEANINGS, OF_EVERY_COMMAND, ExitCode
from student_perf.masking import learn_environment
from student_perf.paths import WORKSPACE_VARIABLE, workspace
from student_perf.runs.seal import accept_changes
from student_perf.shell import with_workspace
from student_perf.terminal import print_error, say_unused_conf
from student_perf.warned import warnings_kept

# What starts `student_perf.train`: its first words, and a line for the help.
_TRAINING: dict[str, tuple[list[str], str]] = {
    "train": ([], "run one experiment: train model=xgb seed=7"),
    "sweep": (["--multirun"], "run several, or search: sweep search=xgb"),
}
_WIDTH = 80  # of a terminal
_SHARED = "arguments"  # the only module of `commands` that is not a command


class Command(Protocol):
    """What a module of `commands` offers; `CODES` only if it has exit codes of its own, and
    `USES_METRICS = False` if it needs none of the user's modules, unless a model file names them.
    """

    HELP: str
    GROUP: str
    PARENTS: Sequence[argparse.ArgumentParser]

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's own arguments."""

    def run(self, chosen: argparse.Namespace) -> int:
        """Do it; returns the exit code."""


def load_commands() -> dict[str, Command]:
    """Every command by name, from the modules in the folder `commands`."""
    names = (module.name for module in pkgutil.iter_modules(commands.__path__))
    modules: dict[str, Any] = {
        name: import_module(f"{commands.__name__}.{name}") for name in names if name != _SHARED
    }
    return cast("dict[str, Command]", modules)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; an error is one line on standard error."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    if words and words[0] in _TRAINING:
        return _train(words[0], words[1:])
    known = load_commands()
    chosen = _make_parser(known).parse_args(words)
    refuse_pickles()
    learn_environment()
    say_unused_conf()
    try:
        if getattr(known[chosen.command], "USES_METRICS", True):
            import_trusted()  # records may hold metrics of the user's own
        with (
            warnings_kept(),
            _in_workspace(getattr(chosen, "workspace", None)),
            accept_changes(getattr(chosen, "accept_changes", False)),
        ):
            return known[chosen.command].run(chosen)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except ChangedError as error:
        print_error(error)
        return ExitCode.FINDING
    except StudentPerfError as error:
        print_error(error)
        return ExitCode.ERROR
    except OSError as error:
        if (explained := explain_disk_error(error, workspace())) is None:
            raise
        print_error(explained)
        return ExitCode.ERROR


def _train(command: str, words: Sequence[str]) -> int:
    """Hand the words on to Hydra untouched, which reads them from `sys.argv`."""
    from student_perf import train

    sys.argv = [train.__file__, *_TRAINING[command][0], *words]
    return train.run_process()


def _make_parser(known: dict[str, Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m student_perf",
        description="Train models, and work with what came of it.",
        epilog=_overview(known),
        formatter_class=HelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"student_perf {__version__}")
    # Without a help of their own, the commands are listed by groups in the epilog only.
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="command")
    for name in _TRAINING:  # for the list of choices only: `main` never lets argparse see them
        subparsers.add_parser(name, add_help=False)
    for name, module in known.items():
        subparser = subparsers.add_parser(
            name,
            description=f"{module.HELP[0].upper()}{module.HELP[1:]}.",
            epilog=_exit_codes(_codes_of(module)),
            parents=list(module.PARENTS),
            formatter_class=HelpFormatter,
        )
        module.add_arguments(subparser)
    return parser


def _overview(known: dict[str, Command]) -> str:
    """Commands by group, then the exit codes."""
    training = [f"  {name:<10} {line}" for name, (_, line) in _TRAINING.items()]
    parts = ["\n".join(["Training (python -m student_perf.train):", *training])]
    for group in GROUPS:
        lines = [f"  {name:<10} {c.HELP}" for name, c in known.items() if group == c.GROUP]
        parts.append("\n".join([f"{group}:", *lines]))
    return "\n\n".join(
        [*parts, "python -m student_perf COMMAND --help shows more.", _exit_codes(MEANINGS)]
    )


def _codes_of(module: Command) -> dict[ExitCode, str]:
    """The exit codes that a command can give, with what they mean there."""
    own: dict[ExitCode, str] = dict(getattr(module, "CODES", {}))
    meanings = {code: MEANINGS[code] for code in OF_EVERY_COMMAND}
    if any(parent.get_default("accept_changes") is not None for parent in module.PARENTS):
        finding = own.get(ExitCode.FINDING)
        own[ExitCode.FINDING] = f"{finding}, or {CHANGED}" if finding else f"finding: {CHANGED}"
    return dict(sorted({**meanings, **own}.items()))


def _exit_codes(meanings: Mapping[ExitCode, str]) -> str:
    lines = [
        textwrap.fill(f"  {code:<3d} {meaning}", _WIDTH, subsequent_indent=" " * 6)
        for code, meaning in meanings.items()
    ]
    return "\n".join(["exit codes:", *lines])


@contextmanager
def _in_workspace(folder: Path | None) -> Iterator[None]:
    """Read and write in another workspace for the time of one command."""
    if folder is None:
        yield
        return
    if not folder.is_dir():
        raise ConfigError(f"--workspace {folder}: is not a folder; name one that exists")
    before = os.environ.get(WORKSPACE_VARIABLE)
    os.environ[WORKSPACE_VARIABLE] = str(folder)
    try:
        with with_workspace(folder):
            yield
    finally:
        if before is None:
            del os.environ[WORKSPACE_VARIABLE]
        else:
            os.environ[WORKSPACE_VARIABLE] = before
