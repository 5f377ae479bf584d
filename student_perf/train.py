"""`python -m student_perf.train`: compose the config, check it, run the experiment.

Kept light: pandas, scikit-learn, xgboost and MLflow are imported only once a valid experiment is
about to run, so that `--help` and `--cfg job` answer at once.
"""

from __future__ import annotations

import gc
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from student_perf.atomic import disk_errors, explain_disk_error, write_atomic
from student_perf.config.explain import explain_composition_error
from student_perf.config.load import register_resolvers, serving_task, validate
from student_perf.config.names import check_unused
from student_perf.config.overrides import accepted
from student_perf.config.search_path import source_of
from student_perf.config.trusted import refuse_pickles
from student_perf.config.typed import iter_leaves
from student_perf.errors import ChangedError, StudentPerfError, one_line
from student_perf.exit_codes import ExitCode
from student_perf.masking import (
    MaskedStream,
    learn_environment,
    learn_secrets,
    learn_words,
    masked_yaml,
    print_masked,
)
from student_perf.paths import CONF_DIR, workspace
from student_perf.signals import exit_code, raising
from student_perf.terminal import Terminal, print_error, say_unused_conf

FULL_ERROR = "HYDRA_FULL_ERROR"


class UnusedFolder(Callback):
    """Hydra's callback that refuses the folder of an earlier run, before anything is written."""

    def on_run_start(self, config: DictConfig, **_: object) -> None:
        """Leave, since Hydra makes warnings of other errors in a callback."""
        folder = Path(config.hydra.run.dir)
        try:
            with disk_errors(folder):
                check_unused("hydra.run.dir", folder)
        except StudentPerfError as error:
            print_error(error)
            raise SystemExit(ExitCode.ERROR) from error


def run(cfg: DictConfig) -> float:
    """Run a composed config in the folder Hydra made for it; returns the objective's mean."""
    # Relative paths count from where the command was given, also with hydra.job.chdir.
    with chdir(HydraConfig.get().runtime.cwd):
        return _run(cfg)


def _run(cfg: DictConfig) -> float:
    folder = Path(HydraConfig.get().runtime.output_dir)
    plain = OmegaConf.to_container(cfg, resolve=False)
    assert isinstance(plain, dict)
    learn_secrets(iter_leaves({str(key): value for key, value in plain.items()}))
    _mask_files(folder)  # a config that is not valid stays on disk, too
    composed: Any = HydraConfig.instance().cfg  # with `-cn` and `--config-dir`
    words = list(HydraConfig.get().overrides.task)
    config = serving_task(validate(cfg), words, source_of(composed))
    terminal = Terminal()
    terminal.title(
        str(config.model.get("name")), config.dataset.name, config.split.kind, config.seed
    )
    from student_perf.experiment.beside import companion

    logging.captureWarnings(True)  # a library's warnings go to the log file
    try:
        # The other process starts before scikit-learn is imported, which only this one needs.
        with disk_errors(folder), companion(config.tracking) as beside:
            from student_perf.experiment.run import run_experiment

            return run_experiment(config, folder, terminal, companion=beside).objective
    finally:
        logging.captureWarnings(False)


def _kept_alive(cfg: DictConfig) -> float:
    """`run`, which no module of the user's own can leave as if all had gone well."""
    try:
        return run(cfg)
    except (SystemExit, GeneratorExit) as error:
        raise StudentPerfError(
            f"{one_line(error)} was raised where nothing may end the process; see the traceback "
            f"with {FULL_ERROR}=1"
        ) from error


def _mend_words() -> None:
    """Write the overrides as Hydra's grammar takes them, before Hydra parses them, and those on
    both sides of a flag (`model=rf -m seed=1,2`) on one side, since argparse takes one only.
    """
    parser = get_args_parser()
    given, apart = parser.parse_known_args()
    if apart and not any(word.startswith("-") for word in apart):
        words = [*given.overrides, *apart]
        sys.argv[1:] = [*words, *(word for word in sys.argv[1:] if word not in words)]
    overrides = set(parser.parse_args().overrides)
    sys.argv[1:] = [accepted(word) if word in overrides else word for word in sys.argv[1:]]


def _mask_files(folder: Path) -> None:
    """Take the secrets out of what Hydra itself has written about the run."""
    for path in (folder / ".hydra").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        if (clean := masked_yaml(text)) != text:
            write_atomic(path, clean.encode())


def main() -> int:
    """Command line: exit code 0, or 1 with one line on standard error (130 on Ctrl-C).

    HYDRA_FULL_ERROR=1 gives the traceback instead of the line.
    """
    refuse_pickles()
    say_unused_conf()
    register_resolvers()
    learn_environment()
    learn_words(sys.argv[1:])
    _mend_words()
    wants_traceback = os.environ.get(FULL_ERROR) == "1"

    def task(cfg: DictConfig) -> float:
        try:
            return _kept_alive(cfg)
        except Exception as error:
            if wants_traceback or HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            # Hydra would add lines of its own; leaving here keeps the one line.
            print_error(error)
            raise SystemExit(ExitCode.ERROR) from error

    launch = hydra.main(version_base="1.3", config_path=str(CONF_DIR), config_name="config")(task)
    # With the traceback Hydra prints the overrides as they were typed.
    with _hydra_raises(), redirect_stderr(MaskedStream(sys.stderr)):
        try:
            with raising():
                launch()
        except KeyboardInterrupt as error:
            print_error(error if str(error) else KeyboardInterrupt("stopped by the user"))
            return exit_code(error)
        except Exception as error:
            if wants_traceback:
                raise
            given = get_args_parser().parse_args()
            shown = explain_composition_error(error, given.overrides, given.config_dir)
            print_error(explain_disk_error(shown, workspace()) or shown)
            return ExitCode.FINDING if isinstance(error, ChangedError) else ExitCode.ERROR
    return ExitCode.DONE


@contextmanager
def _hydra_raises() -> Iterator[None]:
    """Hydra prints errors itself, over several lines, unless this variable is set."""
    before = os.environ.get(FULL_ERROR)
    os.environ[FULL_ERROR] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[FULL_ERROR]
        else:
            os.environ[FULL_ERROR] = before


def run_process() -> int:
    """`main` in a process that ends with it; returns the exit code."""
    # The imports make millions of objects that live to the end. Looking for garbage among them,
    # while they are made and once more at exit, takes two of a short run's seven seconds.
    gc.set_threshold(200_000, 10, 10)
    sys.excepthook = print_masked
    exit_code = main()
    gc.freeze()
    return exit_code


if __name__ == "__main__":
    sys.exit(run_process())
