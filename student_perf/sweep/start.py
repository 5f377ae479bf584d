"""A sweep from Hydra's config and overrides, however they came: by `-m` or from Python.

What plans and runs a sweep is imported only once it is known that something is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from student_perf.config.overrides import make_parser
from student_perf.config.search_path import ConfigSource, source_of
from student_perf.errors import ConfigError
from student_perf.masking import learn_secrets
from student_perf.sweep.finished import command_of, find_finished
from student_perf.sweep.options import SweepOptions, make_options
from student_perf.sweep.samplers import NAMES
from student_perf.terminal import Terminal, make_console

if TYPE_CHECKING:
    from student_perf.sweep.finished import Command, Note
    from student_perf.sweep.plan import SweepPlan

_SUBDIR = "${hydra.job.num}"  # Hydra's default
_SAMPLERS = "hydra/sweeper/sampler"


def start_sweep(
    config: DictConfig,
    node: Mapping[str, Any],
    arguments: Sequence[str],
    loader: ConfigLoader,
    launch: Callable[[SweepPlan], None] | None = None,
) -> Path | None:
    """Run the sweep that the overrides describe.

    Args:
        config: What the overrides that do not sweep compose to, with Hydra's own node.
        node: The options `hydra.sweeper.*`, resolved.
        arguments: The overrides as they were typed.
        loader: Of the configs in `conf/`.
        launch: Starts the workers elsewhere; by default they run on this machine.

    Returns:
        The folder of the winner or of the nested result, or the sweep's own if its trials cannot be
        ranked; None if no trial has finished, or for a preview.

    Raises:
        StudentPerfError: The plan does not hold, or the sweep had to stop.
    """
    learn_secrets([("hydra.sweeper.storage", node.get("storage"))])
    options = make_options(node)
    _refuse_other_sampler(options, config)
    overrides = make_parser(loader).parse_overrides(list(arguments))
    _say_unused(config)
    own = [override for override in overrides if not override.is_hydra_override()]
    is_known = options.resume == "auto" and not _is_nested(config)  # `never` is to refuse
    command = command_of(config, node, arguments) if is_known else None
    root = Path(config.hydra.sweep.dir)
    if command is not None and (known := find_finished(root, command, options.storage)):
        folder, note, changed = known
        if not changed:
            return _shown(folder, note)
        Terminal().lines(f"{folder.name} had ended and lacked nothing; since then {changed}.")
    return _started(config, options, own, launch, command)


def _refuse_other_sampler(options: SweepOptions, config: DictConfig) -> None:
    """Raise ConfigError if a sampler was chosen by its group and a key of a file says another."""
    chosen = str(config.hydra.runtime.choices.get(_SAMPLERS))
    typed = f"{_SAMPLERS}={chosen}"
    if typed in config.hydra.overrides.hydra and chosen in NAMES and options.sampler != chosen:
        raise ConfigError(
            f"{typed}: another line sets hydra.sweeper.sampler={options.sampler}, which wins; take "
            f"it out, or write it in the defaults of its file: override /{_SAMPLERS}: "
            f"{options.sampler}"
        )


def _shown(folder: Path, note: Note) -> Path:
    """What came of a sweep that lacks nothing; returns the folder of its result."""
    terminal = Terminal()
    terminal.lines(*note.lines)
    terminal.places(note.places)
    return folder / note.result


def _started(
    config: DictConfig,
    options: SweepOptions,
    own: Sequence[Override],
    launch: Callable[[SweepPlan], None] | None,
    command: Command | None,
) -> Path | None:
    with Terminal().waiting("planning"):
        from student_perf.sweep.nested import run_nested
        from student_perf.sweep.plan import find_base
        from student_perf.sweep.run import run_sweep

    source = source_of(config)
    of_source = reading(source) | {"source": source}
    run: Callable[[SweepOptions, Sequence[Override]], Path | None] = partial(
        run_sweep,
        **of_source,
        root=Path(config.hydra.sweep.dir),
        hydra_config=OmegaConf.to_yaml(config.hydra),
        launch=launch,
        command=command,
    )
    if not _is_nested(config):
        return run(options, own)
    return run_nested(options, own, find_base(options, own, **of_source)[1], run)


def reading(source: ConfigSource) -> dict[str, Any]:
    """How a plan asks for the options of groups, and for search files, by its argument."""
    from student_perf.sweep.plan import load_search

    return {
        "is_group": lambda key: bool(source.group_options(key)),
        "load_search": partial(load_search, folders=source.folders()),
    }


def _is_nested(config: DictConfig) -> bool:
    """Whether there are outer folds to go through."""
    return bool(config.split.kind == "nested" and config.split.outer_fold is None)


def _say_unused(config: DictConfig) -> None:
    """Say which settings of Hydra's own sweeper do nothing here."""
    node: Any = OmegaConf.to_container(config.hydra, resolve=False)
    if node["sweep"]["subdir"] != _SUBDIR:
        make_console().print(
            "  hydra.sweep.subdir has no effect: each trial's folder is its number in the sweep's"
        )
    if node["job"]["chdir"]:
        make_console().print(
            "  hydra.job.chdir has no effect: trials share processes, which stay in this folder"
        )
