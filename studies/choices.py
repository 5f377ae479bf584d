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
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from student_perf.atomic import write_atomic
from student_perf.data.dataset import Dataset
from student_perf.evaluation.cross_validation import CVResult, result_of
from student_perf.evaluation.splits import Fold, Split
from student_perf.inspection.subgroups import subgroup_table
from student_perf.paths import PACKAGE_DIR, workspace
from student_perf.scoring.paired import ALPHA
from student_perf.text import markdown_table

PAGE = PACKAGE_DIR.parent / "docs" / "choices.md"
N_FOLDS = 5

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


def questions() -> list[Question]:
    """Those of the study, in their order; stored samples count on it."""
    return [Question("groups", name, groups_sample(*case)) for name, case in GROUPS.items()]


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
            figures = (f"{known[column].mean():.3f}" for column in columns)
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
"""


def write_page(folder: Path) -> None:
    """docs/choices.md, from the stored samples."""
    named = ["outside", "named", "first"]
    text = TEXT.format(
        groups=table_of(folder, "groups", ["outside", "named", "the other one"], named),
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
