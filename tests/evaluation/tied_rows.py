"""Tables whose rows have something to do with each other, as files of courses have."""

from __future__ import annotations

import numpy as np
import pandas as pd

from student_perf.data import Dataset


def made(features, target, dropped=None):
    classes = ("no", "yes") if target.dtype == np.int64 else ()
    return Dataset(
        name="made",
        version="1",
        task="classification" if classes else "regression",
        target_name="passed",
        features=pd.DataFrame(features),
        target=target,
        classes=classes,
        sha256="0",
        dropped=pd.DataFrame(dropped or {}, index=range(len(target))),
    )


def independent(n=600, seed=0):
    """Clean rows: numbers, a small category, and a target that follows from them."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 4))
    school = pd.Series(rng.choice(["a", "b", "c"], n), dtype="str")
    target = (x[:, 0] + rng.normal(size=n) > 0).astype(np.int64)
    return made({**{f"x{i}": x[:, i] for i in range(4)}, "school": school}, target)


def of_pupils(n_pupils=60, each=10, seed=0):
    """Rows of pupils in no order, who differ in level and in how they answer."""
    rng = np.random.default_rng(seed)
    pupil = rng.permutation(np.repeat(np.arange(n_pupils), each))
    traits, level = rng.normal(size=(n_pupils, 4)), rng.normal(size=n_pupils) * 2
    features = traits[pupil] + 0.1 * rng.normal(size=(len(pupil), 4))
    target = (level[pupil] + rng.normal(size=len(pupil)) > 0).astype(np.int64)
    columns = {f"x{i}": features[:, i] for i in range(4)}
    return made(columns, target, {"student_id": pupil + 1000})


def in_time(n=600, seed=0):
    """Rows of twenty years, in which the use of a column changes sign."""
    rng = np.random.default_rng(seed)
    year, x = rng.integers(2005, 2025, n), rng.normal(size=(n, 4))
    target = (year - 2015) / 5 * x[:, 0] + 0.3 * rng.normal(size=n)
    columns = {f"x{i}": x[:, i] for i in range(4)}
    return made({**columns, "year": year.astype(float)}, target)


def copied(n=300, seed=0):
    """Rows of which each stands twice."""
    one = independent(n, seed)
    features = pd.concat([one.features, one.features], ignore_index=True)
    return made(features, np.concatenate([one.target, one.target]))


def in_file_order(dataset, order):
    """The same rows in another order of the file, without what was left out."""
    return made(dataset.features.iloc[order].reset_index(drop=True), dataset.target[order])
