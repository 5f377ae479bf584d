"""100 trials of 5-fold cross-validation on econmath: a bare Optuna loop, our tracked sweep, peers.

    .venv/bin/python benchmarks/sweep.py [--trials 100] [--repeats 3] [--peers-env FOLDER]
        [--models xgb logreg] [--workers 1 2] [--only ours] [--quick]

(a) is what people write without a framework: Optuna, `cross_validate` with the same metrics as
scorers, nothing tracked, in one process or in two that share a journal. On few rows the threads of
its linear algebra fight for the cores; (a2) is the same loop with one thread, as whoever knows that
would start it. (b) is `-m` with one and two workers, every trial on disk and in MLflow on sqlite.
(c) is Hydra 1.4 with its Optuna sweeper,
(d) hydra-optuna-mlflow-sweeper, both running peers/app.py with MLflow on sqlite, in environments
that are made in FOLDER. All draw from one space and score one set of rows, folds and metrics; that
they give the same score for a model's defaults is checked first. MLflow's database exists before
each run, as wherever it has been used: two workers of (c) that make it at the same time fail.

Each side runs in processes of its own, alternating; medians. `wall` and `CPU` are milliseconds a
trial from the first trial's start to the last one's end, CPU of all processes; `first` is the
seconds from the command to the first finished trial; `whole` and `all CPU` are seconds of the whole
command with imports, plan, winner (ours only) and the end of publishing. `x a` and `x a2` are
ratios to (a) and (a2) with as many workers. TARGETS are those of a tracked trial's wall time beside
(a2). On a busy machine the ratio of CPU times says more. `--quick` takes under five minutes: 40
trials, one worker, no peers.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from evaluate import CLASS_SCORERS
from peers.environments import PACKAGES, python_of
from peers.sweeps import Peer
from processes import Measured, run_measured

SPACES = {
    "xgb": {
        "model.n_estimators": "range(40,81)",
        "model.max_depth": "range(2,5)",
        "model.learning_rate": "tag(log,interval(0.02,0.3))",
        "model.subsample": "interval(0.6,1.0)",
    },
    "logreg": {"model.C": "tag(log,interval(0.001,100))"},
}
TARGETS = {"xgb": 0.55, "logreg": 0.35}
COLUMNS = ("wall", "CPU", "first", "whole", "all CPU")
# What numpy, scipy, scikit-learn and xgboost read when they are imported.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
Row = dict[str, float]
Side = Callable[[], Row]
Times = list[tuple[float, float]]  # start and end of each finished trial, seconds since the epoch


def bare(model: str, n_trials: int, journal: str | None) -> None:
    """The usual loop; prints start and end of its trials. A journal is shared with others."""
    import optuna
    from evaluate import prepared
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from optuna.storages.journal import JournalFileBackend
    from sklearn.base import clone
    from sklearn.model_selection import cross_validate

    from student_perf.sweep.grammar import parse_parameter

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    case = prepared(model, [])
    parser = OverridesParser.create()
    space = [parse_parameter(parser.parse_override(f"{k}={v}")) for k, v in SPACES[model].items()]
    folds = [(fold.train, fold.validation) for fold in case.split.folds]
    mine = []

    def objective(trial: optuna.Trial) -> float:
        mine.append(trial.number)
        values = {p.key.removeprefix("model."): p.suggest(trial) for p in space}
        pipeline = clone(case.pipeline).set_params(**{f"model__{k}": v for k, v in values.items()})
        features, target = case.dataset.features, case.dataset.target
        scored = cross_validate(pipeline, features, target, cv=folds, scoring=CLASS_SCORERS)
        return float(scored["test_accuracy"].mean())

    storage = None
    if journal:
        backend = JournalFileBackend(journal)
        storage = optuna.storages.JournalStorage(backend)
    study = optuna.create_study(
        study_name="bare",
        storage=storage,
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=os.getpid() if journal else 0),
        load_if_exists=True,
    )
    full = optuna.study.MaxTrialsCallback(n_trials)
    study.optimize(objective, callbacks=[full])
    trials = [study.trials[number] for number in mine]
    print(
        json.dumps(
            [
                (t.datetime_start.timestamp(), t.datetime_complete.timestamp())
                for t in trials
                if t.datetime_start and t.datetime_complete
            ]
        )
    )


def run_bare(model: str, n_trials: int, n_jobs: int, threads: dict[str, str]) -> Row:
    """One bare study in `n_jobs` fresh processes; `threads` are variables that limit theirs."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--bare", model, "--trials", str(n_trials)]
        if n_jobs > 1:
            command += ["--journal", f"{folder}/journal.log"]
        measured = run_measured([command] * n_jobs, os.environ | threads)
    lines = [line for line in measured.output.splitlines() if line.startswith("[[")]
    return figures([(a, b) for line in lines for a, b in json.loads(line)], measured)


def run_ours(model: str, n_trials: int, n_jobs: int, used: Path) -> Row:
    """One tracked sweep in a copy of a workspace that has been used before."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(used, folder, dirs_exist_ok=True)
        space = [f"{key}={value}" for key, value in SPACES[model].items()]
        options = [f"hydra.sweeper.n_trials={n_trials}", f"hydra.sweeper.n_jobs={n_jobs}"]
        command = [sys.executable, "-m", "student_perf.train", "-m", f"model={model}"]
        environment = os.environ | {"STUDENT_PERF_WORKSPACE": folder}
        measured = run_measured([[*command, *space, *options]], environment)
        files = Path(folder).glob("multirun/*/[0-9]*/record.json")
        records = [json.loads(file.read_text()) for file in files]
    assert len(records) == n_trials
    return figures([(r["started"], r["ended"]) for r in records], measured)


def run_peer(peer: Peer, model: str, n_trials: int, n_jobs: int) -> Row:
    """One sweep of a peer."""
    space = [f"{key}={value}" for key, value in SPACES[model].items()]
    trials, measured = peer.sweep([f"model={model}", *space], n_trials, n_jobs)
    return figures(trials, measured)


def figures(trials: Times, measured: Measured) -> Row:
    """What the table shows of one run."""
    first, last = min(start for start, _ in trials), max(end for _, end in trials)
    return {
        "wall": 1000 * (last - first) / len(trials),
        "CPU": 1000 * measured.cpu_between(first, last) / len(trials),
        "first": min(end for _, end in trials) - measured.started,
        "whole": measured.ended - measured.started,
        "all CPU": measured.cpu,
    }


def write_data(folder: Path) -> None:
    """Rows and folds for the peers, as ours has them."""
    from evaluate import prepared

    case = prepared("logreg", [])
    case.dataset.features.to_parquet(folder / "features.parquet")
    arrays: dict[str, Any] = {"target": case.dataset.target, "n_folds": len(case.split.folds)}
    for number, fold in enumerate(case.split.folds):
        arrays |= {f"train_{number}": fold.train, f"validation_{number}": fold.validation}
    np.savez(folder / "rows.npz", **arrays)


def check_same_work(peer: Peer, model: str) -> None:
    """Raise AssertionError unless the app scores a model's defaults as this project does."""
    from evaluate import prepared, theirs

    found = peer.scores(model)
    case = prepared(model, [])
    for name, scores in theirs(case.pipeline, case, train_scores=False).items():
        np.testing.assert_allclose(found[name], scores.mean(), rtol=1e-9, err_msg=name)


def make_workspace(folder: Path) -> None:
    """A workspace with a store that holds one run."""
    command = [sys.executable, "-m", "student_perf.train", "model=dummy"]
    run_measured([command], os.environ | {"STUDENT_PERF_WORKSPACE": str(folder)})


def sides(
    model: str, n_trials: int, workers: list[int], used: Path, peers: list[Peer]
) -> dict[str, Side]:
    """What is compared: name -> one run of it. `used` is a workspace with a store."""
    found: dict[str, Side] = {}
    for n_jobs in workers:
        suffix = "1 worker" if n_jobs == 1 else f"{n_jobs} workers"
        loop = partial(run_bare, model, n_trials, n_jobs)
        found[f"(a) bare, {suffix}"] = partial(loop, {})
        found[f"(a2) one thread, {suffix}"] = partial(loop, ONE_THREAD)
        found[f"(b) ours, {suffix}"] = partial(run_ours, model, n_trials, n_jobs, used)
        for letter, peer in zip("cd", peers, strict=False):
            name = f"({letter}) {peer.name}, {suffix}"
            found[name] = partial(run_peer, peer, model, n_trials, n_jobs)
    return found


def show(model: str, runs: dict[str, list[Row]]) -> None:
    """Lines of one model, with ratios to the bare loops on as many workers."""
    medians = {
        name: {key: statistics.median(r[key] for r in rows) for key in COLUMNS}
        for name, rows in runs.items()
    }
    for name, row in medians.items():
        suffix = name.rpartition(", ")[2]
        bare, pinned = medians[f"(a) bare, {suffix}"], medians[f"(a2) one thread, {suffix}"]
        cells = [
            f"{row[key]:>8.{0 if key in ('wall', 'CPU') else 1}f}"
            f"{row[key] / bare[key]:>6.2f}{row[key] / pinned[key]:>6.2f}"
            for key in COLUMNS
        ]
        verdict = ""
        if name.startswith("(b)"):
            is_met = row["wall"] / pinned["wall"] <= TARGETS[model]
            verdict = f"  <= {TARGETS[model]} of (a2): {'met' if is_met else 'MISSED'}"
        print(f"{model:<7}{name:<38}{''.join(cells)}{verdict}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--workers", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="40 trials, one worker, no peers")
    parser.add_argument("--only", choices=["ours"], help="without the peers")
    default = Path(tempfile.gettempdir()) / "student_perf_peers"
    parser.add_argument("--peers-env", type=Path, default=default)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    parser.add_argument("--journal", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.bare:
        bare(chosen.bare, chosen.trials, chosen.journal)
        return
    if chosen.quick:
        chosen.trials, chosen.workers, chosen.only = 40, [1], "ours"
    with tempfile.TemporaryDirectory() as name:
        data, used = Path(name) / "data", Path(name) / "used"
        data.mkdir()
        write_data(data)
        make_workspace(used)
        made = [] if chosen.only else [python_of(p, chosen.peers_env.absolute()) for p in PACKAGES]
        peers = [Peer(*each, data) for each in zip(PACKAGES, made, strict=False)]
        load = os.getloadavg()[0]  # (a) leaves threads to the libraries, so a busy machine slows it
        repeats = f"medians of {chosen.repeats}"
        print(f"{chosen.trials} trials, {repeats}, {os.cpu_count()} cores, load {load:.1f}")
        heads = "".join(f"{name:>8}{'x a':>6}{'x a2':>6}" for name in COLUMNS)
        print(f"{'':<45}{heads}")
        for model in chosen.models:
            for peer in peers:
                check_same_work(peer, model)
            compared = sides(model, chosen.trials, chosen.workers, used, peers)
            runs: dict[str, list[Row]] = {name: [] for name in compared}
            for _ in range(chosen.repeats):
                for name, run in compared.items():
                    runs[name].append(run())
            show(model, runs)


if __name__ == "__main__":
    main()
