"""How often is a verdict wrong that was drawn from many figures at once?

    .venv/bin/python studies/choices.py --samples 500
    .venv/bin/python studies/choices.py --only groups --samples 100
    .venv/bin/python studies/choices.py --report-only

Simulated answers whose truth is known. Every sample is one line of a file for its question, so that
the study can be ended and go on. Writes docs/choices.md.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from student_perf.atomic import write_atomic
from student_perf.compare.tuning import bias_corrected
from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult, result_of
from student_perf.evaluation.splits import Fold, Split
from student_perf.inspection.calibration import calibration_p, reliability
from student_perf.inspection.subgroups import subgroup_table
from student_perf.paths import PACKAGE_DIR, workspace
from student_perf.runs.predictions import Predictions, row_scores
from student_perf.scoring import influence
from student_perf.scoring.answers import Answers
from student_perf.scoring.best import may_be_best
from student_perf.scoring.chance import chance_p
from student_perf.scoring.metrics import METRICS
from student_perf.scoring.paired import ALPHA, against_best, by_rows, row_difference
from student_perf.terminal import MetricRow, verdict
from student_perf.text import NO_VALUE, markdown_table

PAGE = PACKAGE_DIR.parent / "docs" / "choices.md"
N_FOLDS = 5
N_TRIES = 20
MEASURED = ("accuracy", "balanced_accuracy", "f1_macro", "roc_auc_ovr", "log_loss")
FRESH = 2000  # rows that give the truth

Found = dict[str, float]


@dataclass(frozen=True)
class Question:
    """One line of a table: `sample(rng)` says what one simulated case has shown."""

    table: str
    name: str
    sample: Callable[[np.random.Generator], Found]


def dataset_of(target: np.ndarray, groups: np.ndarray, n_classes: int) -> Dataset:
    """Rows that know their target and the group that they belong to."""
    features = pd.DataFrame({"group": [f"g{group:02}" for group in groups]}, dtype="str")
    task = "classification" if n_classes else "regression"
    return Dataset("made", "1", task, "target", features, target, tuple(range(n_classes)), "0" * 64)


def evaluated(dataset: Dataset, output: np.ndarray, rng: np.random.Generator) -> CVResult:
    """Answers as if five folds had given them."""
    every = np.arange(len(output))
    parts = [np.sort(part) for part in np.array_split(rng.permutation(every), N_FOLDS)]
    folds = tuple(Fold(np.setdiff1d(every, part), part) for part in parts)
    split = Split("kfold", np.zeros(0, dtype=np.int64), every, folds)
    return result_of(dataset, split, [output[part] for part in parts], 0.0)


def classified(
    share: np.ndarray, n_classes: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Classes, and probabilities whose largest is right with each row's `share`."""
    target = rng.integers(0, n_classes, len(share))
    wrong = (target + rng.integers(1, n_classes, len(share))) % n_classes
    said = np.where(rng.random(len(share)) < share, target, wrong)
    output = rng.dirichlet(np.ones(n_classes), len(share)) + np.eye(n_classes)[said]
    return target, output / 2


def groups_sample(
    sizes: Sequence[int], share: float, lower: float, objective: str
) -> Callable[[np.random.Generator], Found]:
    """Groups of these sizes that are right equally often, the first less by `lower`."""

    def sample(rng: np.random.Generator) -> Found:
        groups = np.repeat(np.arange(len(sizes)), sizes)
        shares = np.where(groups == 0, share - lower, share)
        if objective == "accuracy":
            target, output = classified(shares, 4, rng)
        else:
            target = rng.normal(size=len(groups))
            output = target + rng.standard_t(3, size=len(groups))
        dataset = dataset_of(target, groups, 4 if objective == "accuracy" else 0)
        result = evaluated(dataset, output, rng)
        table = subgroup_table(dataset, result, ["group"], objective, 20)
        mine = table[table["metric"] == objective]
        figure, of_groups = float(mine["value"].iloc[0]), mine.iloc[1:]
        outside = (of_groups["low"] > figure) | (of_groups["high"] < figure)
        named = of_groups["p"] < ALPHA
        return {
            "outside": float(outside.any()),
            "named": float(named.any()),
            "first": float(named.iloc[0]),
        }

    return sample


EQUAL = [57] * 12
UNEQUAL = [20] * 6 + [100] * 6
GROUPS = {
    "accuracy 0.43, 12 groups of 57": (EQUAL, 0.43, 0.0, "accuracy"),
    "accuracy 0.43, 6 of 20 and 6 of 100": (UNEQUAL, 0.43, 0.0, "accuracy"),
    "accuracy 0.95, 6 of 20 and 6 of 100": (UNEQUAL, 0.95, 0.0, "accuracy"),
    "MAE, 6 of 20 and 6 of 100": (UNEQUAL, 0.0, 0.0, "mean_absolute_error"),
    "accuracy 0.60, one of 12 at 0.40": (EQUAL, 0.60, 0.20, "accuracy"),
    "accuracy 0.60, one of 12 at 0.30": (EQUAL, 0.60, 0.30, "accuracy"),
    "accuracy 0.60, one of 4 at 0.45 (170 rows)": ([171] * 4, 0.60, 0.15, "accuracy"),
}


def board_of(
    rng: np.random.Generator, n: int, tells: Sequence[float]
) -> tuple[list[Predictions], np.ndarray]:
    """Linear models of a class, cross-validated on the same folds, each with three columns of its
    own that tell so much of it; and their accuracies on fresh rows.
    """
    told = np.asarray(tells)
    x = rng.normal(size=(n + FRESH, len(told), 3))
    rest = np.sqrt(1 - (told**2).sum()) * rng.normal(size=n + FRESH)
    y = (x.sum(axis=2) @ told / np.sqrt(3) + rest > 0).astype(np.int64)
    row = rng.permutation(n)
    fold = np.sort(np.arange(n) % N_FOLDS)
    made, fresh = [], []
    for k in range(len(told)):
        said, right = np.empty(n), []
        for number in range(N_FOLDS):
            train, held = row[fold != number], row[fold == number]
            weights = np.linalg.lstsq(x[train, k], 2.0 * y[train] - 1, rcond=None)[0]
            said[fold == number] = x[held, k] @ weights
            right.append(((x[n:, k] @ weights > 0) == y[n:]).mean())
        sure = 1 / (1 + np.exp(-4 * said))
        output = np.column_stack([1 - sure, sure])
        made.append(Predictions("classification", row, fold, y[row], output, ("no", "yes")))
        fresh.append(float(np.mean(right)))
    return made, np.array(fresh)


def board_sample(n: int, tells: Sequence[float]) -> Callable[[np.random.Generator], Found]:
    """Ten models of which the first is the best, or as good as any."""

    def sample(rng: np.random.Generator) -> Found:
        made, fresh = board_of(rng, n, tells)
        scores = [row_scores(one, "accuracy") for one in made]
        best = int(np.argmax([one.mean for one in scores]))
        is_in = may_be_best(scores, sign=1) > ALPHA
        by_pairs = against_best(by_rows(scores, scores[best]), best) > ALPHA
        corrected = bias_corrected(made, "accuracy", 200)
        worse = np.asarray(tells) < tells[0] - 0.1
        return {
            "in": float(is_in[0]),
            "size": float(is_in.sum()),
            "pairs": float(by_pairs.sum()),
            "told": float((~is_in[worse]).mean()) if worse.any() else math.nan,
            "apparent": corrected.apparent,
            "corrected": corrected.mean,
            "truth": float(fresh[best]),
            "low": corrected.low,
            "high": corrected.high,
        }

    return sample


BOARDS = {
    "all equal": [0.3] * 10,
    "from good to bad": list(np.linspace(0.42, 0.1, 10)),
    "one is better": [0.42] + [0.25] * 9,
    "two are better": [0.4, 0.4] + [0.2] * 8,
}


def calibration_sample(n: int, bias: float) -> Callable[[np.random.Generator], Found]:
    """Two classes whose probabilities lie `bias` beyond the truth, away from a half."""

    def sample(rng: np.random.Generator) -> Found:
        said = rng.beta(3, 2, n)
        true = np.clip(said - bias * np.sign(said - 0.5), 0, 1)
        target = (rng.random(n) < true).astype(np.int64)
        output = np.column_stack([1 - said, said])
        known = reliability(target, output)
        bands = np.clip(known.confidence - bias * np.sign(known.confidence - 0.5), 0, 1)
        return {
            "truth": bias,
            "expected": known.error,
            "debiased": known.debiased.mean,
            "holds": float(known.debiased.low <= bias <= known.debiased.high),
            "width": known.debiased.high - known.debiased.low,
            "rejected": float(calibration_p(target, output, np.arange(n)) < ALPHA),
            "bands": float(((known.low <= bands) & (bands <= known.high)).all()),
        }

    return sample


def auc_sample(
    n: int, shares: Sequence[float], knows: float
) -> Callable[[np.random.Generator], Found]:
    """A linear model of classes with these shares on five stratified folds; the first of six
    columns tells the class by `knows` standard deviations.
    """

    def sample(rng: np.random.Generator) -> Found:
        metric, n_classes = METRICS["roc_auc_ovr"], len(shares)
        y = np.sort(rng.choice(n_classes, n, p=shares))
        y[: N_FOLDS * n_classes] = np.repeat(np.arange(n_classes), N_FOLDS)  # each in every fold
        y = rng.permutation(y)
        x = np.column_stack([np.ones(n), rng.normal(size=(n, 6))])
        x[:, 1] += knows * y
        folds = StratifiedKFold(N_FOLDS, shuffle=True, random_state=int(rng.integers(2**31)))
        parts = [(train, held) for train, held in folds.split(x, y)]
        said = [
            x[b] @ np.linalg.lstsq(x[a], np.eye(n_classes)[y[a]], rcond=None)[0] for a, b in parts
        ]
        row = np.concatenate([held for _, held in parts])
        fold = np.repeat(np.arange(N_FOLDS), [len(held) for _, held in parts])
        answers = Answers(y[row], np.concatenate(said))
        of_folds = [metric.of(answers.take(fold == number)) for number in range(N_FOLDS)]
        mine = influence.row_scores(metric, answers, row, fold, float(np.mean(of_folds)))
        dummy = replace(mine, mean=0.5, moved=np.zeros(len(mine.moved)))
        change = row_difference(mine, dummy)
        by_influences = change.p_value if change.mean > 0 else 1.0
        by_chance = chance_p(metric, answers, row, fold)
        return {
            "influences": float(by_influences < ALPHA),
            "both": float(max(by_influences, by_chance) < ALPHA),
        }

    return sample


SHARES = {"1:1": [0.5, 0.5], "9:1": [0.9, 0.1], "19:1": [0.95, 0.05], "5:3:2": [0.5, 0.3, 0.2]}


def user_sample(rng: np.random.Generator) -> Found:
    """A user whose data are noise, and who tries twenty times and reports the best verdict."""
    n = int(rng.choice([100, 200, 400]))
    y = (rng.random(n) < rng.choice([0.5, 0.65])).astype(np.int64)
    x = rng.normal(size=(n, 8))
    alone, counted = False, False
    for n_tries in range(1, N_TRIES + 1):
        row = one_try(x, y, rng)
        alone |= verdict(row, "accuracy").startswith("Better")
        counted |= verdict(row, "accuracy", n_tries).startswith("Better")
    return {"alone": float(alone), "counted": float(counted)}


def one_try(x: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> MetricRow:
    """Another seed, split, choice and preprocessing of columns, model and metric on the same rows:
    what a run shows of its gain over the dummy.
    """
    chosen = rng.permutation(x.shape[1])[: int(rng.integers(2, 9))]
    made = (x[:, chosen], np.abs(x[:, chosen]), np.sign(x[:, chosen]), x[:, chosen] ** 2)
    features = made[int(rng.integers(len(made)))]
    model = (
        LogisticRegression(C=float(10 ** rng.uniform(-3, 2))),
        DecisionTreeClassifier(max_depth=int(rng.integers(1, 7)), random_state=0),
        KNeighborsClassifier(int(rng.integers(3, 30))),
    )[int(rng.integers(3))]
    n_folds = int(rng.choice([3, 5, 10]))
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=int(rng.integers(2**31)))
    metric = str(rng.choice(MEASURED))
    rows, fold, said = [], [], []
    for number, (train, held) in enumerate(folds.split(features, y)):
        rows.append(held)
        fold.append(np.full(len(held), number))
        share = np.bincount(y[train], minlength=2) / len(train)
        fitted = clone(model).fit(features[train], y[train])
        said.append((fitted.predict_proba(features[held]), np.tile(share, (len(held), 1))))
    row, places = np.concatenate(rows), np.concatenate(fold)
    both = (np.concatenate(one) for one in zip(*said, strict=True))
    mine, dummy = (
        row_scores(Predictions("classification", row, places, y[row], one), metric) for one in both
    )
    change = row_difference(*((mine, dummy) if METRICS[metric].maximizes else (dummy, mine)))
    gain = {"gain": change.mean, "gain_low": change.low, "gain_high": change.high}
    answers = Answers(y[row], np.concatenate([one for one, _ in said]))
    p_value = max(change.p_value, chance_p(METRICS[metric], answers, row, places))
    return {"mean": mine.mean, "dummy": dummy.mean, **gain, "gain_p": p_value}


def questions() -> list[Question]:
    """Those of the study, in their order; stored samples count on it."""
    groups = [Question("groups", name, groups_sample(*case)) for name, case in GROUPS.items()]
    boards = [
        Question("boards", f"{name}, n = {n}", board_sample(n, tells))
        for name, tells in BOARDS.items()
        for n in (200, 684)
    ]
    areas = [
        Question("auc", f"{name}, n = {n}, {what}", auc_sample(n, shares, knows))
        for what, knows in (("noise", 0.0), ("0.5 deviations apart", 0.5))
        for name, shares in SHARES.items()
        for n in (60, 100, 400)
    ]
    users = [Question("users", "pure noise, 100 to 400 rows, 20 tries", user_sample)]
    calibration = [
        Question("calibration", f"{bias:g} beyond, n = {n}", calibration_sample(n, bias))
        for bias in (0.0, 0.05, 0.1, 0.2)
        for n in (100, 172, 700)
    ]
    return groups + boards + users + calibration + areas


def file_of(folder: Path, question: Question) -> Path:
    """Where its samples are."""
    words = "".join(c if c.isalnum() else "_" for c in f"{question.table} {question.name}")
    return folder / f"{words}.jsonl"


def stored(folder: Path, question: Question) -> pd.DataFrame:
    """The samples so far, a line each."""
    file = file_of(folder, question)
    if not file.exists():
        return pd.DataFrame()
    return pd.DataFrame([json.loads(line) for line in file.read_text().splitlines()])


def run(folder: Path, only: str | None, n_samples: int) -> None:
    """Draw and store what is not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for question in questions():
        if only not in (None, question.table):
            continue
        seed = list(question.name.encode())
        with file_of(folder, question).open("a", encoding="utf-8") as file:
            for number in range(len(stored(folder, question)), n_samples):
                found = question.sample(np.random.default_rng([number, *seed]))
                file.write(json.dumps(found) + "\n")
                file.flush()


def table_of(folder: Path, table: str, header: Sequence[str], columns: Sequence[str]) -> str:
    """The means of some columns for each question of a table."""
    lines = []
    for question in questions():
        known = stored(folder, question)
        if question.table == table and len(known):
            means = [known[column].mean() for column in columns]
            figures = (NO_VALUE if math.isnan(one) else f"{one:.3f}" for one in means)
            lines.append([question.name, str(len(known)), *figures])
    head = ["case", "samples", *header]
    return markdown_table(head, lines, figures=head[1:])


TEXT = """\
# Many figures at once

Generated by `studies/choices.py`; no figure of a table is typed by hand. A share of 500 samples is
uncertain by 0.02 near 0.05 and by 0.04 near 0.5.
[How sure a single figure is](statistics.md) has a page of its own.

## Groups of rows

A run shows every group of `dataset.subgroups`. Among twelve equal groups some interval of 95 % each
misses the figure of all rows in 40 % of runs. So the intervals of a table hold together
(Bonferroni), and a group is named only if a permutation test says that it differs from the other
rows, corrected for all groups (Westfall and Young 1993). `scoring/groups.py`

*outside*: some interval misses the figure of all rows. *named*: the sentence below the table names
some group; 0.05 is right at most where the groups are equal. *the other one*: it names the group
that differs. The last three cases have one.

{groups}

## Which model may be the best

`compare` marks the models that may be the best of a board: a set that holds the best with 95 %,
whichever looks best (Lei 2020, cross-validation with confidence). `scoring/best.py` Ten linear
models on columns of their own, whose rows are the same; five folds.

*best is in*: the truly best model, or one of ten equal ones, is in the set; aim 0.95 or more.
*left*: size of the set; *left by Holm*: by pairs with the best seen and Holm's correction, as
before. *worse told*: share of the clearly worse models that are left out.

{boards}

## The best of a sweep

The same boards, as if they were sweeps of ten configurations. *best seen* is too good; *corrected*
is what `compare --tuning` says (BBC-CV), with the interval of the best configuration's rows around
it; *truth* is the accuracy on fresh rows of the models that were chosen, *holds* how often the
interval holds it, *width* its mean width. `compare/tuning.py`

{sweeps}

## Calibration

Probabilities that lie by so much beyond the truth, away from a half. *ECE*: the expected
calibration error over ten bins, which chance raises; *debiased*: the root of the mean squared
distance without what chance adds to it (Kumar, Liang and Ma 2019), *holds* how often its interval
holds the truth, *width* its mean width. *test*: how often the test says that the probabilities
cannot be taken at their word (Broecker and Smith 2007); 0.05 is right where they can. *bands*: how
often the intervals of the reliability picture hold in all bins. `inspection/calibration.py`

{calibration}

## Twenty tries on pure noise

Users whose target has nothing to do with the columns try twenty configurations on the same rows:
seed, folds, columns, preprocessing, model and metric vary, and the best verdict is reported. How
many get a "Better than the dummy baseline"? *p alone*: as if each try were the first. *p counted*:
as a workspace says it, which multiplies p by n (1 + 1/2 + ... + 1/n) for the n configurations
tried so far; at most 0.05 is right. `runs/looks.py` A dummy that answers one class has the lowest
macro F1, which every guess beats; so no p is below that of the same answers dealt to the rows by
chance. `scoring/chance.py` These samples were drawn before ROC AUC had its test by chance, and some
metrics their larger factors ([the rule](statistics.md)), which can only lower the shares.

{users}

## ROC AUC of a rare class

The area under the curve of a constant dummy is 0.5. How often is a linear model on six columns
called better than that at p = 0.05? *by influences*: the paired t-test alone, whose error is too
small where a class has few rows in a fold. *both*: as built, no p below that of classes dealt to
the rows by chance (Hoeffding 1951). At most 0.05 is right for noise; in the other cases one column
tells the classes. `scoring/chance.py`

{areas}
"""


def sweeps_table(folder: Path) -> str:
    """The best of each board as if it were a sweep: before and after the correction."""
    header = ["case", "samples", "best seen", "corrected", "truth", "holds", "width"]
    lines = []
    for question in questions():
        known = stored(folder, question)
        if question.table == "boards" and len(known):
            truth = known["truth"].mean()
            holds = ((known["low"] <= truth) & (truth <= known["high"])).mean()
            width = (known["high"] - known["low"]).mean()
            figures = [known["apparent"].mean(), known["corrected"].mean(), truth, holds, width]
            lines.append([question.name, str(len(known)), *(f"{one:.3f}" for one in figures)])
    return markdown_table(header, lines, figures=header[1:])


def write_page(folder: Path) -> None:
    """docs/choices.md, from the stored samples."""
    named = ["outside", "named", "first"]
    text = TEXT.format(
        groups=table_of(folder, "groups", ["outside", "named", "the other one"], named),
        boards=table_of(
            folder,
            "boards",
            ["best is in", "left", "left by Holm", "worse told"],
            ["in", "size", "pairs", "told"],
        ),
        sweeps=sweeps_table(folder),
        calibration=table_of(
            folder,
            "calibration",
            ["truth", "ECE", "debiased", "holds", "width", "test", "bands"],
            ["truth", "expected", "debiased", "holds", "width", "rejected", "bands"],
        ),
        users=table_of(folder, "users", ["p alone", "p counted"], ["alone", "counted"]),
        areas=table_of(folder, "auc", ["by influences", "both"], ["influences", "both"]),
    )
    write_atomic(PAGE, text.encode())


def main() -> None:
    """Run the study and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=500, help="of each case")
    parser.add_argument("--only", default=None, help="a single table, such as groups")
    parser.add_argument("--folder", type=Path, default=None, help="where samples are kept")
    parser.add_argument("--report-only", action="store_true", help="only write the page again")
    chosen = parser.parse_args()
    folder = chosen.folder or workspace() / "choices"
    if not chosen.report_only:
        run(folder, chosen.only, chosen.samples)
    write_page(folder)


if __name__ == "__main__":
    main()
