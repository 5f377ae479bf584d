"""A model's answers for rows whose truth is known, and what the metrics are made of.

Everything is computed once, when a metric first asks for it: all metrics of a fold cost one
confusion matrix. This gives scikit-learn's figures at a fraction of the time that its scorers take
on small data.

>>> answers = Answers(np.array([0, 1, 1]), np.array([[0.8, 0.2], [0.4, 0.6], [0.7, 0.3]]))
>>> answers.counts.table.tolist()
[[1, 0], [1, 1]]
>>> round(answers.scores()["accuracy"], 3)
0.667
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from student_perf.scoring.metrics import METRICS, metrics_of


class Answers:
    """What a model says of n rows.

    Args:
        y_true: Class codes 0..K-1 or numbers, shape (n,).
        output: Probabilities, shape (n, K), rows summing to 1, or numbers, shape (n,).
        weights: Of the rows, shape (n,), above 0; None counts each once. A row of weight 2 counts
            as two equal rows would.
        groups: Number of each row's group, shape (n,); rows of a group are not independent, so the
            bootstrap draws whole groups. None draws rows.
    """

    def __init__(
        self,
        y_true: np.ndarray,
        output: np.ndarray,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> None:
        self.y_true, self.output, self.weights, self.groups = y_true, output, weights, groups

    def __len__(self) -> int:
        return len(self.y_true)

    @property
    def task(self) -> str:
        """`classification` or `regression`."""
        return "classification" if self.output.ndim == 2 else "regression"

    def scores(self, ordered: bool = False) -> dict[str, float]:
        """Every metric of the target by name; `ordered` adds those of classes with an order."""
        n_classes = self.output.shape[1] if self.output.ndim == 2 else None
        return {name: METRICS[name].of(self) for name in metrics_of(self.task, ordered, n_classes)}

    def take(self, rows: np.ndarray | slice) -> Answers:
        """The answers for some rows by position, mask or slice; a row may come several times."""
        weights, groups = (
            None if known is None else known[rows] for known in (self.weights, self.groups)
        )
        return Answers(self.y_true[rows], self.output[rows], weights, groups)

    def total(self, of_rows: np.ndarray) -> float:
        """Sum of a figure of each row, shape (n,), by weight."""
        return float(of_rows.sum() if self.weights is None else of_rows @ self.weights)

    def mean(self, of_rows: np.ndarray) -> float:
        """Mean of a figure of each row, shape (n,), by weight."""
        return float(of_rows.mean() if self.weights is None else self.total(of_rows) / self.weight)

    def median(self, of_rows: np.ndarray) -> float:
        """Median of a figure of each row, shape (n,), by weight: half of the weight lies on each
        side, and where a gap lies there, its middle.
        """
        order = of_rows.argsort()
        weights = np.ones(len(self)) if self.weights is None else self.weights
        reached = weights[order].cumsum()
        ends = [reached.searchsorted(reached[-1] / 2, side) for side in ("left", "right")]
        return float(of_rows[order][np.minimum(ends, len(self) - 1)].mean())

    @property
    def weight(self) -> float:
        """Sum of the weights; without any, the number of rows."""
        return float(len(self) if self.weights is None else self.weights.sum())

    @cached_property
    def cells(self) -> np.ndarray:
        """Each row's cell of the confusion matrix, row by row, shape (n,)."""
        n_classes = self.output.shape[1]
        cells: np.ndarray = self.y_true * n_classes + self.output.argmax(axis=1)
        return cells

    @cached_property
    def counts(self) -> Counts:
        """The confusion matrix."""
        n_classes = self.output.shape[1]
        counts = np.bincount(self.cells, self.weights, minlength=n_classes**2)
        return Counts(counts.reshape(n_classes, n_classes))

    @cached_property
    def of_true_class(self) -> np.ndarray:
        """Probability of each row's true class, shape (n,)."""
        chosen: np.ndarray = self.output[np.arange(len(self)), self.y_true]
        return chosen

    @property
    def log_losses(self) -> np.ndarray:
        """Log loss of each row, shape (n,)."""
        eps = np.finfo(self.of_true_class.dtype).eps
        losses: np.ndarray = -np.log(self.of_true_class.clip(eps, 1 - eps))
        return losses

    @property
    def brier_losses(self) -> np.ndarray:
        """Squared distance of each row's probabilities to the truth, shape (n,): the sum over the
        classes (Brier 1950), halved for two classes as scikit-learn does.
        """
        distance: np.ndarray = (self.output**2).sum(axis=1) - 2 * self.of_true_class + 1
        return distance / (2 if self.output.shape[1] == 2 else 1)

    @property
    def ranked_losses(self) -> np.ndarray:
        """Ranked probability score of each row, shape (n,): the mean over the K - 1 thresholds of
        the squared distance of the cumulative probability to the truth (Epstein 1969; 0 is perfect,
        1 the worst).
        """
        cumulative = self.output.cumsum(axis=1)[:, :-1]
        reached = self.y_true[:, None] <= np.arange(cumulative.shape[1])
        losses: np.ndarray = ((cumulative - reached) ** 2).mean(axis=1)
        return losses

    @property
    def roc_auc_ovr(self) -> float:
        """Macro mean of one-vs-rest AUCs; for two classes the AUC of the second. NaN if a class is
        absent from `y_true`.
        """
        n_classes = self.output.shape[1]
        codes = range(n_classes) if n_classes > 2 else (1,)
        areas = [roc_auc(self.y_true == k, self.output[:, k], self.weights) for k in codes]
        return float(np.mean(areas))

    @property
    def average_precision(self) -> float:
        """Of the second of two classes: the mean precision over the positive rows, each at the
        threshold that just takes it in. NaN if no row is positive.
        """
        positive, (_, taken, hits) = self.y_true == 1, self.thresholds
        if not positive.any():
            return float("nan")
        return self.take(positive).mean((hits / taken)[positive])

    @property
    def thresholds(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Each row's probability of the second of two classes as a threshold, shape (n,) each: its
        number from the highest on, the weight of the rows that reach it, and of the positive ones
        among them.
        """
        weights = np.ones(len(self)) if self.weights is None else self.weights
        _, place = np.unique(-self.output[:, 1], return_inverse=True)
        taken = np.bincount(place, weights).cumsum()
        hits = np.bincount(place, weights * (self.y_true == 1)).cumsum()
        return place, taken[place], hits[place]

    @cached_property
    def errors(self) -> np.ndarray:
        """Truth minus predicted number, shape (n,)."""
        errors: np.ndarray = self.y_true - self.output
        return errors

    @property
    def relative_errors(self) -> np.ndarray:
        """Each absolute error as a share of the truth, shape (n,); NaN where that is 0."""
        truth = np.abs(self.y_true)
        shares: np.ndarray = np.abs(self.errors) / np.where(truth > 0, truth, np.nan)
        return shares

    @property
    def spread(self) -> float:
        """Sum of the truth's squared distances to its mean, by weight."""
        return self.total((self.y_true - self.mean(self.y_true)) ** 2)

    @property
    def squared_error(self) -> float:
        """Sum of the squared errors, by weight."""
        return self.total(self.errors**2)

    @property
    def rank_correlation(self) -> float:
        """Spearman's; NaN for fewer than two rows, and if truth or prediction is constant."""
        ranks = np.stack([self._ranks(self.y_true), self._ranks(self.output)])
        ranks -= np.array([[self.mean(one)] for one in ranks])
        norms = np.sqrt([self.total(one**2) for one in ranks])
        product = self.total(ranks[0] * ranks[1])
        return product / float(norms.prod()) if norms.all() else float("nan")

    def _ranks(self, values: np.ndarray) -> np.ndarray:
        """Mean rank of each row; a rank counts the weight below it, as if rows were repeated."""
        # Imported here: scipy.stats takes a second, and comparing recorded figures needs no ranks.
        from scipy.stats import rankdata

        if self.weights is None:
            ranks: np.ndarray = rankdata(values)
            return ranks
        _, of_row = np.unique(values, return_inverse=True)
        weight = np.bincount(of_row, self.weights)
        return (weight.cumsum() - weight / 2)[of_row]


class Counts:
    """A confusion matrix, or many: `table` has shape (..., K, K), true classes in rows.

    Every figure has the shape of what comes before the classes. As in scikit-learn, divisions by
    zero count as 0.
    """

    def __init__(self, table: np.ndarray) -> None:
        self.table = table
        self.hits: np.ndarray = table.diagonal(0, -2, -1).astype(np.float64)
        self.support: np.ndarray = table.sum(axis=-1)
        self.predicted: np.ndarray = table.sum(axis=-2)

    @cached_property
    def n(self) -> np.ndarray:
        """Number of rows."""
        n: np.ndarray = self.support.sum(axis=-1)
        return n

    @cached_property
    def precision(self) -> np.ndarray:
        """Of each predicted class, shape (..., K)."""
        return _ratio(self.hits, self.predicted)

    @cached_property
    def recall(self) -> np.ndarray:
        """Of each true class, shape (..., K)."""
        return _ratio(self.hits, self.support)

    @cached_property
    def f1(self) -> np.ndarray:
        """Of each class, shape (..., K)."""
        return _ratio(2 * self.hits, self.support + self.predicted)

    def macro(self, of_class: np.ndarray) -> np.ndarray:
        """Mean of `of_class`, shape (..., K), over the classes that are true somewhere.

        scikit-learn also counts classes that are only predicted, each as 0. Then two models are
        averaged over different classes on the same rows: a dummy that never predicts an absent
        class has one class less to fail in.
        """
        mean: np.ndarray = np.vecdot(of_class, self._present) / self._present.sum(axis=-1)
        return mean

    def positive(self, of_class: np.ndarray) -> np.ndarray:
        """`of_class`, shape (..., 2), of the second of two classes; NaN if no row is of it."""
        return np.where(self.support[..., 1] > 0, of_class[..., 1], np.nan)

    def weighted(self, of_class: np.ndarray) -> np.ndarray:
        """Mean of `of_class`, shape (..., K), over the rows by their true class."""
        mean: np.ndarray = np.vecdot(of_class, self._weights)
        return mean

    @cached_property
    def distance(self) -> np.ndarray:
        """Number of grades between the true and the predicted class, shape (K, K)."""
        grades = np.arange(self.table.shape[-1])
        distance: np.ndarray = np.abs(grades[:, None] - grades)
        return distance

    def total(self, of_cell: np.ndarray) -> np.ndarray:
        """Sum over the rows of a figure of their cell, shape (K, K)."""
        total: np.ndarray = (of_cell * self.table).sum(axis=(-2, -1))
        return total

    def total_by_chance(self, of_cell: np.ndarray) -> np.ndarray:
        """The same if truth and prediction had nothing to do with each other; NaN if there is only
        one true class, which nothing can agree with better than by chance.
        """
        total = np.vecdot(self.support, self.predicted @ of_cell.T) / self.n
        return np.where(self._present.sum(axis=-1) > 1, total, np.nan)

    @cached_property
    def by_chance(self) -> Counts:
        """The same rows and answers if they had nothing to do with each other."""
        n = self.n[..., None, None]
        table = self.support[..., :, None] * self.predicted[..., None, :]
        return Counts(np.divide(table, n, out=np.zeros(table.shape), where=n > 0))

    @cached_property
    def _present(self) -> np.ndarray:
        """1 for a class that is true somewhere, else 0; shape (..., K)."""
        present: np.ndarray = self.support > 0
        return present.astype(np.float64)

    @cached_property
    def _weights(self) -> np.ndarray:
        weights: np.ndarray = self.support / self.support.sum(axis=-1, keepdims=True)
        return weights


def roc_auc(positive: np.ndarray, score: np.ndarray, weights: np.ndarray | None = None) -> float:
    """Area under the ROC curve of `score` for the boolean `positive`, both of shape (n,), as are
    the weights of the rows, if there are any.

    It is the Mann-Whitney U statistic over n_positive * n_negative (Hanley and McNeil 1982): the
    share of pairs in which the positive scores higher, ties counting half. NaN if one side is empty
    or a score is NaN.
    """
    above, below = score[positive], score[~positive]
    n_pairs = len(above) * len(below)
    if n_pairs == 0 or np.isnan(score).any():
        return float("nan")
    if weights is not None:
        return _weighted_auc(above, below, weights[positive], weights[~positive])
    # Counts, which are exact, take a fifth of the time that ranks of all scores would take.
    below.sort()
    n_lower, n_not_higher = below.searchsorted(above), below.searchsorted(above, "right")
    return float((n_lower.sum() + n_not_higher.sum()) / 2 / n_pairs)


def _weighted_auc(
    above: np.ndarray, below: np.ndarray, of_above: np.ndarray, of_below: np.ndarray
) -> float:
    """The same share, where a pair counts as the product of its weights."""
    order = below.argsort()
    below = below[order]
    reached = np.concatenate([[0.0], of_below[order].cumsum()])
    lower, not_higher = below.searchsorted(above), below.searchsorted(above, "right")
    won = (reached[lower] + reached[not_higher]) / 2
    return float(of_above @ won / (of_above.sum() * reached[-1]))


def effective_number(
    weights: np.ndarray, part: np.ndarray | None = None, n_parts: int = 1
) -> np.ndarray:
    """How many rows of equal weight some rows are worth: the square of the sum of their weights
    over the sum of their squares (Kish 1965, "Survey Sampling").

    Args:
        weights: Of the rows, shape (n,).
        part: The number of each row's part, shape (n,); by default all are of one.
        n_parts: How many parts there are.

    Returns:
        Of each part, shape (n_parts,); 0 for one without rows.
    """
    part = np.zeros(len(weights), dtype=np.int64) if part is None else part
    total, squares = (np.bincount(part, one, n_parts) for one in (weights, weights**2))
    return _ratio(total**2, squares)


def once_each(row: np.ndarray, answers: Answers) -> tuple[np.ndarray, Answers]:
    """Each row number once, ascending, with the mean of the outputs that repeats gave for it."""
    numbers, first, of_row = np.unique(row, return_index=True, return_inverse=True)
    one, output = answers.take(first), answers.output
    total = np.zeros((len(numbers), *output.shape[1:]))
    np.add.at(total, of_row, output)
    times = np.bincount(of_row).reshape(-1, *[1] * (output.ndim - 1))
    return numbers, Answers(one.y_true, total / times, one.weights, one.groups)


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
    return ratio
