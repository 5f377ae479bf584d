"""model=auto beside AutoML frameworks and single models, on small real tables.

    .venv/bin/python studies/field.py --data FOLDER --flaml PYTHON --autogluon PYTHON
    .venv/bin/python studies/field.py --report-only

Five outer folds (twice for tables under 500 rows), the same for all; each fit may use `--seconds`
on two cores. The rivals run in environments of their own, whose interpreters are named; those that
are not named are left out. What was answered is kept by table, fold and method, so that the study
can be ended and go on. Writes docs/field.md. With 60 seconds a fold it takes a day.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from hydra import compose, initialize_config_dir
from scipy.stats import rankdata
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.model_selection import KFold, ParameterSampler, StratifiedKFold
from sklearn.pipeline import Pipeline

from student_perf.config.load import register_resolvers, validate
from student_perf.models.build import build_estimator
from student_perf.models.preprocess import build_preprocessor, build_steps
from student_perf.paths import CONF_DIR, PACKAGE_DIR, workspace
from student_perf.scoring.answers import Answers
from student_perf.scoring.influence import RowScores, row_scores
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import ALPHA, row_difference
from student_perf.text import markdown_table
from studies.field_rival import TARGET
from studies.small_tables import FIELD, SmallTable

PAGE = PACKAGE_DIR.parent / "docs" / "field.md"
RIVAL = Path(__file__).with_name("field_rival.py")
N_FOLDS, FEW_ROWS, REPEATS = 5, 500, 2
OURS = "auto"
SUMMARY = ("method", "tables", "mean rank", "normalised", "auto wins / ties / losses",
           "no answer", "fit, s", "predict, s")  # fmt: skip
OWN = (OURS, "tuned xgb", "linear")
RIVALS = {"flaml": "flaml", "autogluon": "autogluon", "autogluon best": "autogluon"}
INNER_FOLDS = 3  # by which xgboost alone is tuned
XGB = {  # as conf/search/xgb.yaml
    "n_estimators": range(50, 401, 25),
    "learning_rate": np.geomspace(0.01, 0.3, 30),
    "max_depth": range(2, 8),
    "min_child_weight": np.geomspace(1, 60, 20),
    "subsample": np.linspace(0.5, 1.0, 11),
    "colsample_bytree": np.linspace(0.3, 1.0, 15),
    "reg_lambda": np.geomspace(0.01, 100, 30),
}


@dataclass(frozen=True)
class Fold:
    """A table divided once, with the time that each method may use."""

    table: SmallTable
    number: int
    x: pd.DataFrame
    y: np.ndarray
    train: np.ndarray
    test: np.ndarray
    seconds: float

    @property
    def is_class(self) -> bool:
        """Whether classes are predicted."""
        return self.table.kind != "numbers"

    def file(self, place: Path, method: str) -> Path:
        """Where the answers of a method are kept."""
        name = self.table.name.replace(" ", "_").replace("/", "_")
        return place / name / f"{self.number:02d}_{method.replace(' ', '_')}.npz"


def folds_of(table: SmallTable, folder: Path | None, seconds: float) -> Iterator[Fold]:
    """The outer folds of a table, none if its file is not there."""
    loaded = table.load(folder)
    if loaded is None:
        return
    x, y = loaded
    parts = KFold if table.kind == "numbers" else StratifiedKFold
    for repeat in range(REPEATS if len(y) < FEW_ROWS else 1):
        divided = parts(N_FOLDS, shuffle=True, random_state=repeat).split(x, y)
        for number, (train, test) in enumerate(divided):
            yield Fold(table, repeat * N_FOLDS + number, x, y, train, test, seconds)


def pipeline(fold: Fold, *overrides: str) -> Pipeline:
    """An unfitted model of conf/ with its preprocessing, for the columns of a table."""
    register_resolvers()
    task = "classification" if fold.is_class else "regression"
    with initialize_config_dir(str(CONF_DIR), version_base="1.3"):
        data = ["dataset=econmath" if fold.is_class else "dataset=econmath_score"]
        config = validate(compose("config", ["tracking=off", *data, *overrides]))
    numeric = list(fold.x.select_dtypes("number").columns)
    words = [str(name) for name in fold.x if name not in numeric]
    steps = build_preprocessor(build_steps(config.preprocess), numeric, words)
    return Pipeline([("preprocess", steps), ("model", build_estimator(config.model, task))])


def tuned_xgb(fold: Fold) -> BaseEstimator:
    """Of xgboost alone: random search on inner folds until four fifths of the time are used up."""
    began, best, lowest = time.perf_counter(), None, np.inf
    x, y = fold.x.iloc[fold.train], fold.y[fold.train]
    parts = (StratifiedKFold if fold.is_class else KFold)(INNER_FOLDS, shuffle=True, random_state=0)
    base = pipeline(fold, "model=xgb")
    for drawn in ParameterSampler(XGB, 10_000, random_state=0):
        if best is not None and time.perf_counter() - began > 0.8 * fold.seconds:
            break
        model = clone(base).set_params(**{f"model__{k}": v for k, v in drawn.items()})
        losses = [
            loss_of(answer(clone(model).fit(x.iloc[a], y[a]), x.iloc[b], fold), y[b])
            for a, b in parts.split(x, y)
        ]
        if np.mean(losses) < lowest:
            best, lowest = model, float(np.mean(losses))
    return best


def answer(fitted: BaseEstimator, x: pd.DataFrame, fold: Fold) -> np.ndarray:
    """Probabilities of all classes of the table, or numbers."""
    if not fold.is_class:
        numbers: np.ndarray = fitted.predict(x)
        return numbers
    full = np.zeros((len(x), int(fold.y.max()) + 1))
    full[:, fitted.classes_] = fitted.predict_proba(x)
    return full


def loss_of(output: np.ndarray, y: np.ndarray) -> float:
    """Log loss, or RMSE."""
    name = "log_loss" if output.ndim == 2 else "root_mean_squared_error"
    return METRICS[name].of(Answers(y, output))


def run_own(fold: Fold, method: str, file: Path) -> None:
    """Fit and ask one of our models."""
    makers: Mapping[str, Callable[[], BaseEstimator]] = {
        OURS: lambda: pipeline(fold, "model=auto", f"model.time={fold.seconds}"),
        "tuned xgb": lambda: tuned_xgb(fold),
        "linear": lambda: pipeline(fold, "model=ridge"),
    }
    began = time.perf_counter()
    fitted = clone(makers[method]()).fit(fold.x.iloc[fold.train], fold.y[fold.train])
    fit_seconds, began = time.perf_counter() - began, time.perf_counter()
    output = answer(fitted, fold.x.iloc[fold.test], fold)
    times = {"fit_seconds": fit_seconds, "predict_seconds": time.perf_counter() - began}
    np.savez(file, output=output, **times)  # type: ignore[arg-type]


def run_rival(fold: Fold, method: str, python: str, file: Path) -> None:
    """Fit and ask a rival in its own environment; one that has no answer gets that of the dummy."""
    with tempfile.TemporaryDirectory() as place:
        train, test = Path(place) / "train.parquet", Path(place) / "test.parquet"
        known = fold.x.iloc[fold.train].assign(**{TARGET: fold.y[fold.train]})
        known.to_parquet(train)
        fold.x.iloc[fold.test].to_parquet(test)
        words = [method, *map(str, (train, test, file, fold.seconds, int(fold.is_class)))]
        done = subprocess.run([python, str(RIVAL), *words], cwd=place, capture_output=True)
    if done.returncode:
        print(f"{fold.table.name}, fold {fold.number}: {method} has no answer", flush=True)
        output = answer(_dummy_of(fold), fold.x.iloc[fold.test], fold)
        none = {"fit_seconds": fold.seconds, "predict_seconds": np.nan}
        np.savez(file, output=output, **none)  # type: ignore[arg-type]


def _dummy_of(fold: Fold) -> BaseEstimator:
    dummy = DummyClassifier() if fold.is_class else DummyRegressor()
    return dummy.fit(fold.x.iloc[fold.train], fold.y[fold.train])


def run(place: Path, tables: Sequence[SmallTable], chosen: argparse.Namespace) -> None:
    """Everything that is not there yet."""
    pythons = {name: getattr(chosen, env) for name, env in RIVALS.items() if getattr(chosen, env)}
    for table in tables:
        for fold in folds_of(table, chosen.data, chosen.seconds):
            for method in (*OWN, *pythons):
                file = fold.file(place, method)
                if file.is_file():
                    continue
                file.parent.mkdir(parents=True, exist_ok=True)
                if method in pythons:
                    run_rival(fold, method, pythons[method], file)
                else:
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")  # of libraries, about single fits
                        run_own(fold, method, file)
        print(table.name, flush=True)


@dataclass(frozen=True)
class Scored:
    """What the methods reached on a table: loss by row, seconds of fits and of predictions, and the
    number of folds without an answer.
    """

    table: SmallTable
    scores: dict[str, RowScores]
    dummy: float
    fit: dict[str, float]
    predict: dict[str, float]
    without: dict[str, int]

    @property
    def ranks(self) -> dict[str, float]:
        """1 is the lowest loss."""
        return dict(zip(self.scores, rankdata([s.mean for s in self.scores.values()]), strict=True))

    def normalised(self, method: str) -> float:
        """1 for the best of the methods, 0 for the dummy."""
        best = min(one.mean for one in self.scores.values())
        return (self.dummy - self.scores[method].mean) / (self.dummy - best)


def scored(place: Path, table: SmallTable, folder: Path | None) -> Scored | None:
    """A table that all methods have finished; None for another."""
    folds = list(folds_of(table, folder, 0.0))
    files = (
        {p.stem[3:].replace("_", " ") for p in folds[0].file(place, "").parent.glob("*.npz")}
        if (folds)
        else set()
    )
    methods = [m for m in (*OWN, *RIVALS) if m in files]
    if not methods or not all(f.file(place, m).is_file() for f in folds for m in methods):
        return None
    row = np.concatenate([fold.test for fold in folds])
    number = np.repeat([fold.number for fold in folds], [len(fold.test) for fold in folds])
    metric = METRICS["root_mean_squared_error" if table.kind == "numbers" else "log_loss"]
    scores, fit, predict, without = {}, {}, {}, {}
    for method in methods:
        found = [dict(np.load(fold.file(place, method))) for fold in folds]
        answers = Answers(folds[0].y[row], np.concatenate([one["output"] for one in found]))
        means = [metric.of(answers.take(number == fold.number)) for fold in folds]
        scores[method] = row_scores(metric, answers, row, number, float(np.mean(means)))
        fit[method] = float(np.mean([one["fit_seconds"] for one in found]))
        known = [float(t) for one in found if np.isfinite(t := one["predict_seconds"])]
        without[method] = len(found) - len(known)
        predict[method] = float(np.mean(known or [np.nan]))
    return Scored(table, scores, _dummy(folds), fit, predict, without)


def _dummy(folds: Sequence[Fold]) -> float:
    losses = []
    for fold in folds:
        output = answer(_dummy_of(fold), fold.x.iloc[fold.test], fold)
        losses.append(loss_of(output, fold.y[fold.test]))
    return float(np.mean(losses))


def page(tables: Sequence[Scored], seconds: float) -> str:
    """The Markdown page."""
    methods = list(dict.fromkeys(method for one in tables for method in one.scores))
    by_table = [[one.table.name, *(_cell(one, method) for method in methods)] for one in tables]
    return "\n".join(
        [
            "# Beside the field",
            "",
            f"Generated by `studies/field.py`: {len(tables)} real tables that had no part in",
            f"choosing the portfolio, five outer folds (twice under {FEW_ROWS} rows), {seconds:g}",
            "seconds a fit on two cores for every method; no figure is typed by hand. Log loss for",
            "classes, RMSE for numbers. *Normalised* is 1 for the best method of a table and 0 for",
            "the dummy. Wins, ties and losses of `model=auto` follow from paired intervals on the",
            "same rows, as in `compare`. Times are means of a fit, and the median of answering the",
            "rows of a fold. A fold in which a method has no answer counts as that of the dummy.",
            "",
            markdown_table(SUMMARY, [_line(tables, one) for one in methods], set(SUMMARY[1:])),
            "",
            "By table; bold is the lowest loss, - significantly worse than auto, + better:",
            "",
            markdown_table(["table", *methods], by_table, set(methods)),
            "",
        ]
    )


def _line(tables: Sequence[Scored], method: str) -> list[object]:
    """What a method reached over all tables."""
    of = [one for one in tables if method in one.scores]
    verdicts = [_verdict(one, method) for one in of]
    won, lost = verdicts.count(1), verdicts.count(-1)
    return [
        method,
        len(of),
        f"{np.mean([one.ranks[method] for one in of]):.2f}",
        f"{np.mean([one.normalised(method) for one in of]):.3f}",
        "-" if method == OURS else f"{won} / {len(of) - won - lost} / {lost}",
        sum(one.without[method] for one in of),
        f"{np.mean([one.fit[method] for one in of]):.1f}",
        f"{np.median([one.predict[method] for one in of]):.3f}",
    ]


def _verdict(one: Scored, method: str) -> int:
    """1 if auto is better on the same rows beyond chance, -1 if it is worse, 0 for a tie."""
    change = row_difference(one.scores[OURS], one.scores[method])
    return int(-np.sign(change.mean)) if change.p_value < ALPHA else 0


def _cell(one: Scored, method: str) -> str:
    if method not in one.scores:
        return ""
    shown = f"{one.scores[method].mean:.4g}"
    if one.ranks[method] == min(one.ranks.values()):
        shown = f"**{shown}**"
    sign = {1: " -", -1: " +", 0: ""}[_verdict(one, method) if method != OURS else 0]
    return shown + sign


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the files of students' tables")
    parser.add_argument("--seconds", type=float, default=60.0, help="of one fit")
    parser.add_argument("--tables", type=int, default=len(FIELD), help="only the first so many")
    for env in sorted(set(RIVALS.values())):
        parser.add_argument(f"--{env}", metavar="PYTHON", help=f"the interpreter that has {env}")
    parser.add_argument("--report-only", action="store_true")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page to write")
    chosen = parser.parse_args()
    place = workspace() / "field" / f"{chosen.seconds:g}s"
    if not chosen.report_only:
        run(place, FIELD[: chosen.tables], chosen)
    found = [one for table in FIELD if (one := scored(place, table, chosen.data)) is not None]
    if not found:
        sys.exit(f"{place}: holds no table that all methods have finished")
    chosen.page.write_text(page(found, chosen.seconds), encoding="utf-8")
    print(chosen.page)


if __name__ == "__main__":
    main()
