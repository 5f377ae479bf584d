"""The door for Python: experiments from a notebook, a script or a test, with tables as results.

    from student_perf.api import compare, load_run, run, sweep

    grades = run("model=xgb", data=table, target="grade")
    grades.estimates            # each metric with its interval, the dummy's and the training score
    grades.predictions          # every held-out prediction
    grades.model.predict(rows)  # a fitted scikit-learn estimator

    tree = sweep("search=tree", {"hydra.sweeper.n_trials": 40})
    tree.leaderboard            # the trials, ranked, with intervals and what each drew
    compare(tree.name, grades)

Overrides are those of the command line, as strings or as a dict. What runs is what the command line
runs: the same folders, the same records, the same MLflow. Nothing of Hydra's, MLflow's or logging's
global state is left behind, and several threads may call these functions at a time.

>>> quick = {"split": "holdout", "tracking": "off", "report.importance": False}
>>> result = run("model=dummy", quick)
>>> result.metric, list(result.estimates.columns)[:3]
('accuracy', ['mean', 'low', 'high'])
>>> load_run("latest").record.model
'dummy'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from student_perf.api.results import Comparison, Run, Sweep
from student_perf.api.words import as_overrides, keep_table
from student_perf.atomic import write_atomic
from student_perf.compare.leaderboard import make_leaderboards
from student_perf.config.explain import explain_composition_error
from student_perf.config.load import hydra_node, register_resolvers, serving_task, validate
from student_perf.config.names import check_unused
from student_perf.config.search_path import hydra_ready, source_of, without_hydra
from student_perf.errors import ConfigError
from student_perf.experiment.run import run_experiment
from student_perf.masking import learn_environment, learn_words, logging_to, masked
from student_perf.runs.layout import LOG_FILE
from student_perf.runs.record import load_record
from student_perf.runs.seal import accept_changes as accepting
from student_perf.store.find import find_group, find_run
from student_perf.sweep.start import start_sweep
from student_perf.terminal import Terminal, make_console, silent

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Comparison", "Run", "Sweep", "compare", "load_run", "load_sweep", "run", "sweep"]

_NOT_FOR_HYDRA = ("_target_", "_recursive_", "_convert_")


def run(
    *overrides: str | Mapping[str, Any],
    data: pd.DataFrame | None = None,
    target: str | None = None,
    show: bool | None = None,
) -> Run:
    """Run one experiment, as `python -m student_perf.train` does.

    Args:
        overrides: For example `"model=xgb"`, or `{"model": "xgb", "model.max_depth": 3}`.
        data: A table of your own, instead of `dataset=`. It is kept as a parquet file in the
            workspace, named by its hash, so that the run can be repeated.
        target: Its column to predict.
        show: Whether to print what the command line prints; by default in a notebook only.

    Returns:
        The finished run.

    Raises:
        StudentPerfError: Config, data or store cannot be used; nothing has been fitted.
    """
    words = as_overrides(overrides) + keep_table(data, target)
    config = _composed(words)
    folder = Path(config.hydra.run.dir)
    check_unused("hydra.run.dir", folder)
    folder.mkdir(parents=True, exist_ok=True)
    _write_words(folder, words)
    with silent(not _is_shown(show)), logging_to(folder / LOG_FILE):
        source = source_of(config)
        with hydra_node(config):
            terminal = Terminal()
            valid = serving_task(validate(without_hydra(config)), words, source)
        terminal.title(
            str(valid.model.get("name")), valid.dataset.name, valid.split.kind, valid.seed
        )
        return Run(run_experiment(valid, folder, terminal).record)


def sweep(
    *overrides: str | Mapping[str, Any],
    data: pd.DataFrame | None = None,
    target: str | None = None,
    show: bool | None = None,
) -> Sweep | Run:
    """Run a sweep, as `python -m student_perf.train -m` does; the same words continue it.

    Args:
        overrides: For example `"search=tree"`, `"model.max_depth=2,4,8"`,
            `{"hydra.sweeper.n_trials": 40}`. A list in a dict is one value; to try several, write
            them in a string, as on the command line.
        data: A table of your own, as for `run`.
        target: Its column to predict.
        show: Whether to print what the command line prints; by default in a notebook only.

    Returns:
        The sweep with its trials and its winner, which a sweep over seeds, splits or datasets does
        not have; with `split=nested` the joint result, a run.

    Raises:
        StudentPerfError: The plan does not hold, or no trial has finished.
    """
    words = as_overrides(overrides) + keep_table(data, target)
    parsed = _parsed(words)
    fixed = [str(override.input_line) for override in parsed if not override.is_sweep_override()]
    own = [str(override.input_line) for override in parsed if not override.is_hydra_override()]
    with hydra_ready() as loader:
        config = _composed(fixed)
    options: Any = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    node = {name: value for name, value in options.items() if name not in _NOT_FOR_HYDRA}
    with silent(not _is_shown(show)):
        folder = start_sweep(config, node, own, loader)
    if folder is None:
        raise ConfigError(
            f"{' '.join(words)}: no trial has finished, or only a preview was asked; call it again "
            "without hydra.sweeper.preview"
        )
    match load_record(folder).kind:
        case "nested":
            return load_run(str(folder))
        case "sweep":  # without a winner
            return load_sweep(str(folder))
    return load_sweep(str(folder.parent))


def compare(
    *runs: str | Run | Sweep,
    metric: str | None = None,
    rope: float | None = None,
    store: str | None = None,
    accept_changes: bool = False,
) -> Comparison:
    """Rank runs on the same rows and folds, as `python -m student_perf compare` does.

    Args:
        runs: Words that name runs, sweeps, folders or experiments, or results of these functions;
            by default all runs and sweeps on the rows and folds of the latest.
        metric: What to rank by; by default the objective of the latest run.
        rope: Differences below it do not matter.
        store: The tracking URI to ask instead of the disk.
        accept_changes: Whether to go on with files that were changed after their run.

    Raises:
        ChangedError: A file is not as its run left it.
        ConfigError: A word names nothing, or the runs have no such metric.
    """
    words = [one if isinstance(one, str) else str(one.folder) for one in runs]
    with accepting(accept_changes):
        records = find_group(words, store, metrics=[metric] if metric else [])
        return Comparison(tuple(make_leaderboards(records, metric, rope, store or "")))


def load_run(word: str, store: str | None = None, accept_changes: bool = False) -> Run:
    """The finished run that a word means: a folder, `latest`, the beginning of an id, its name, the
    name of a sweep (its winner), `runs:/ID`.

    Args:
        word: One of `student_perf.store.words`.
        store: The tracking URI to ask instead of the disk.
        accept_changes: Whether to go on with files that were changed after the run.

    Raises:
        ChangedError: A file is not as the run left it; also later, when the file is first read.
        ConfigError: There is no such run.
        TrackingError: The store does not answer.
    """
    return Run.find(word, store, accept_changes)


def load_sweep(word: str, accept_changes: bool = False) -> Sweep:
    """The sweep on this disk that a word means.

    Args:
        word: One of `student_perf.store.words`.
        accept_changes: Whether to go on with files that were changed after the sweep.

    Raises:
        ChangedError: A file is not as the sweep left it.
        ConfigError: There is no such sweep.
    """
    with accepting(accept_changes):
        record = find_run(word)
    if record.kind != "sweep":
        raise ConfigError(f"{word}: is a run, not a sweep; load it by load_run")
    return Sweep(record, accept_changes)


def _parsed(words: list[str]) -> list[Override]:
    """The words in Hydra's grammar. Raises ConfigError in one line."""
    try:
        return OverridesParser.create().parse_overrides(words)
    except HydraException as error:
        raise explain_composition_error(error, words) from error


def _composed(words: Sequence[str]) -> DictConfig:
    """What the words compose to, with Hydra's own node. Raises ConfigError in one line."""
    register_resolvers()
    learn_environment()
    learn_words(words)
    with hydra_ready():
        try:
            return compose("config", list(words), return_hydra_config=True)
        except Exception as error:  # Hydra's, of many kinds
            raise explain_composition_error(error, list(words)) from error


def _write_words(folder: Path, words: Sequence[str]) -> None:
    """The overrides where Hydra leaves them on the command line."""
    (folder / ".hydra").mkdir(exist_ok=True)
    write_atomic(folder / ".hydra" / "overrides.yaml", masked(OmegaConf.to_yaml(list(words))))


def _is_shown(show: bool | None) -> bool:
    return make_console().is_jupyter if show is None else show
