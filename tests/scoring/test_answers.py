import warnings

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn import metrics as reference

from student_perf.scoring.answers import Answers, effective_number, once_each


def draw(n_classes, n, seed, ties=False):
    rng = np.random.default_rng(seed)
    y = np.concatenate([np.arange(n_classes), rng.integers(0, n_classes, n - n_classes)])
    logits = rng.normal(0, 1, (n, n_classes)) + np.eye(n_classes)[y]
    p = np.exp(logits)
    p /= p.sum(axis=1, keepdims=True)
    if ties:
        p = np.round(p, 1) + 1e-3
        p /= p.sum(axis=1, keepdims=True)
    return y, p


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_classification_scores_are_scikit_learns(n_classes, seed, ties):
    y, p = draw(n_classes, 57, seed, ties)
    hard = p.argmax(axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's notes on classes never predicted
        expected = {
            "accuracy": reference.accuracy_score(y, hard),
            "balanced_accuracy": reference.balanced_accuracy_score(y, hard),
            "log_loss": reference.log_loss(y, p),
            "brier_score": reference.brier_score_loss(y, p if n_classes > 2 else p[:, 1]),
            "roc_auc_ovr": reference.roc_auc_score(
                y, p if n_classes > 2 else p[:, 1], multi_class="ovr"
            ),
        }
        for average in ("macro", "weighted"):
            for name in ("precision", "recall", "f1"):
                function = getattr(reference, f"{name}_score")
                expected[f"{name}_{average}"] = function(y, hard, average=average)
        if n_classes == 2:
            expected["average_precision"] = reference.average_precision_score(y, p[:, 1])
            for name in ("precision", "recall", "f1"):
                expected[name] = getattr(reference, f"{name}_score")(y, hard)
    got = Answers(y, p).scores()
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert got[name] == pytest.approx(value, abs=1e-13), name


@pytest.mark.parametrize("n_classes", [3, 5])
@pytest.mark.parametrize("seed", range(4))
def test_scores_of_grades_are_those_of_independent_computations(n_classes, seed):
    y, p = draw(n_classes, 57, seed)
    hard = p.argmax(axis=1)
    got = Answers(y, p).scores(ordered=True)
    kappa = reference.cohen_kappa_score(y, hard, weights="quadratic")
    assert got["quadratic_weighted_kappa"] == pytest.approx(kappa, abs=1e-13)
    mae = reference.mean_absolute_error(y, hard)
    assert got["mean_absolute_grade_error"] == pytest.approx(mae, abs=1e-13)
    assert got["adjacent_accuracy"] == np.mean(
        [abs(a - b) <= 1 for a, b in zip(y, hard, strict=True)]
    )
    # The ranked probability score is the mean Brier score of the K - 1 questions "at most k?".
    questions = [
        reference.brier_score_loss(y <= k, np.clip(p[:, : k + 1].sum(axis=1), 0, 1))
        for k in range(n_classes - 1)
    ]
    assert got["ranked_probability_score"] == pytest.approx(np.mean(questions), abs=1e-13)


@pytest.mark.parametrize("answered", [[1, 1, 1], [0, 1, 2]])
def test_kappa_of_a_single_true_class_is_not_defined_whatever_is_answered(answered):
    got = Answers(np.array([1, 1, 1]), np.eye(3)[answered]).scores(ordered=True)
    assert np.isnan(got["quadratic_weighted_kappa"])


# The second answers class 2, which no row has: scikit-learn counts it as one more class, of which
# nothing is right, for this model, and not for the dummy, which never says 2.
@pytest.mark.parametrize("answered", [[0, 0, 0, 0], [0, 0, 1, 2], [2, 2, 2, 2]])
def test_macro_figures_are_means_over_the_classes_that_are_true_in_some_row(answered):
    y, hard = np.array([0, 0, 1, 1]), np.array(answered)
    got = Answers(y, np.eye(3)[hard]).scores()
    for name in ("precision", "recall", "f1"):
        function = getattr(reference, f"{name}_score")
        expected = function(y, hard, labels=[0, 1], average="macro", zero_division=0)
        assert got[f"{name}_macro"] == pytest.approx(expected, abs=1e-15)
    assert got["recall_macro"] == got["balanced_accuracy"]
    assert np.isnan(got["roc_auc_ovr"])


def test_a_model_that_is_right_more_often_in_each_class_never_has_less_macro_recall_than_a_dummy():
    y = np.array([0, 0, 0, 1, 1])
    dummy, model = np.zeros(5, dtype=int), np.array([0, 0, 0, 1, 2])  # 2 occurs in other folds
    figures = [Answers(y, np.eye(3)[hard]).scores()["recall_macro"] for hard in (dummy, model)]
    assert figures == [0.5, 0.75]  # with scikit-learn's classes the model would have 0.5 as well


def test_weighted_and_ordinal_figures_do_not_depend_on_classes_that_no_row_has():
    y = np.array([0, 0, 1, 1])
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]])
    two, four = Answers(y, p).scores(), Answers(y, np.pad(p, ((0, 0), (0, 2)))).scores()
    for name in (two.keys() & four.keys()) - {"brier_score", "roc_auc_ovr"}:  # see Answers for both
        assert two[name] == pytest.approx(four[name], abs=1e-15), name
    assert four["brier_score"] == pytest.approx(2 * two["brier_score"])


def test_confusion_matrix_has_true_classes_in_rows():
    counts = Answers(np.array([0, 0, 2]), np.eye(3)[[0, 2, 2]]).counts
    assert counts.table.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize("seed", range(3))
def test_regression_scores_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    y, predicted = rng.normal(10, 3, 40), rng.normal(10, 3, 40)
    got = Answers(y, predicted).scores()
    expected = reference.root_mean_squared_error(y, predicted)
    assert got["root_mean_squared_error"] == pytest.approx(expected, rel=1e-14)
    for name in (
        "mean_squared_error",
        "mean_absolute_error",
        "median_absolute_error",
        "mean_absolute_percentage_error",
    ):
        assert got[name] == pytest.approx(getattr(reference, name)(y, predicted), rel=1e-14)
    assert got["r2"] == pytest.approx(reference.r2_score(y, predicted), rel=1e-13)
    y, predicted = np.round(y), np.round(predicted)  # with ties
    expected = spearmanr(y, predicted).statistic
    assert Answers(y, predicted).scores()["spearman"] == pytest.approx(expected, rel=1e-13)


def test_an_error_as_a_share_of_nothing_is_not_defined():
    got = Answers(np.array([0.0, 2.0]), np.array([1.0, 1.0])).scores()
    assert np.isnan(got["mean_absolute_percentage_error"])
    assert got["median_absolute_error"] == 1


def test_metrics_of_the_positive_class_are_not_defined_where_no_row_is_positive():
    got = Answers(np.zeros(3, dtype=int), np.eye(2)[[0, 1, 0]]).scores()
    assert all(np.isnan(got[name]) for name in ("f1", "precision", "recall", "average_precision"))
    only = Answers(np.ones(3, dtype=int), np.eye(2)[[0, 1, 1]]).scores()
    assert (only["recall"], only["precision"]) == (pytest.approx(2 / 3), 1)


def test_r2_of_a_constant_target_is_not_defined():
    got = Answers(np.ones(3), np.arange(3.0)).scores()
    assert np.isnan(got["r2"])
    assert np.isnan(got["spearman"])


def test_rows_answered_several_times_count_once_with_the_mean_of_their_outputs():
    row, y_true = np.array([7, 4, 7, 4, 7]), np.array([1, 0, 1, 0, 1])
    output = np.array([[0.2, 0.8], [1, 0], [0.4, 0.6], [0.5, 0.5], [0.3, 0.7]])
    rows, answers = once_each(row, Answers(y_true, output))
    assert rows.tolist() == [4, 7]
    assert answers.y_true.tolist() == [0, 1]
    assert answers.output == pytest.approx(np.array([[0.75, 0.25], [0.3, 0.7]]))
    rows, answers = once_each(row, Answers(y_true.astype(float), output[:, 0]))
    assert answers.output == pytest.approx([0.75, 0.3])


@pytest.mark.parametrize("n_classes", [0, 2, 3])
def test_a_weight_of_two_counts_as_a_row_twice(n_classes):
    rng = np.random.default_rng(3)
    times = rng.integers(1, 4, 40)
    y, output = draw(n_classes or 2, 40, 0, ties=True)
    if not n_classes:
        y, output = rng.integers(0, 8, 40).astype(float), rng.normal(size=40).round(1)
    weighted = Answers(y, output, times.astype(float)).scores(ordered=True)
    repeated = Answers(np.repeat(y, times), np.repeat(output, times, axis=0)).scores(ordered=True)
    assert weighted == pytest.approx(repeated, rel=1e-12, nan_ok=True)
    assert len(weighted) > 3
    alike = Answers(y, output, np.full(40, 0.25)).scores(ordered=True)
    plain = Answers(y, output).scores(ordered=True)
    assert alike == pytest.approx(plain, rel=1e-12, nan_ok=True)


def test_weights_and_groups_follow_the_rows():
    answers = Answers(np.arange(4.0), np.zeros(4), np.arange(1.0, 5.0), np.array([7, 7, 8, 9]))
    numbers, once = once_each(np.array([5, 3, 5, 4]), answers)
    assert numbers.tolist() == [3, 4, 5]
    assert once.weights.tolist() == [2, 4, 1]
    assert once.groups.tolist() == [7, 9, 7]
    assert answers.take(np.array([3, 0])).weights.tolist() == [4, 1]


def test_rows_of_unequal_weight_are_worth_fewer():
    weights = np.array([2.0, 2.0, 1.0, 3.0])
    assert effective_number(weights) == pytest.approx([64 / 18])
    parts = effective_number(weights, np.array([0, 0, 2, 2]), 3)
    assert parts == pytest.approx([2.0, 0.0, 1.6])
