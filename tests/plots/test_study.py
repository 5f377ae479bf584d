import numpy as np
import pytest
from matplotlib.figure import Figure

from student_perf.plots.study import (
    difference_figure,
    fold_scores_figure,
    history_figure,
    make_dimension,
    parallel_figure,
    parameter_importance_figure,
    pareto_figure,
    prediction_pair_figure,
    slice_figure,
)
from student_perf.scoring.metrics import FIT_SECONDS, METRICS

ACCURACY, LOSS = METRICS["accuracy"], METRICS["log_loss"]
WORDS = ("accuracy", "grades, n = 40 finished trials, 5 folds")
RNG = np.random.default_rng(5)
VALUES = RNG.uniform(0.4, 0.6, 40)


def dimensions(n=40):
    drawn = 10 ** RNG.uniform(-3, 2, n)
    return [
        make_dimension("model.C", [str(value) for value in drawn], log=True),
        make_dimension("model", ["a", None] * (n // 2)),
    ]


def lines_of(axes, label):
    return [line for line in axes.get_lines() if line.get_label() == label]


def test_numbers_lie_on_a_scale_and_logarithms_on_theirs():
    plain = make_dimension("x", ["1", "10", None, "100"])
    np.testing.assert_allclose(plain.place, [1, 10, np.nan, 100])
    log = make_dimension("x", ["1", "10", None, "100"], log=True)
    np.testing.assert_allclose(log.place, [0, 1, np.nan, 2])
    assert log.labels == ["1", "10", "100"]
    assert list(make_dimension("x", ["0", "10"], log=True).place) == [0, 10]


def test_choices_have_a_place_each_numbers_by_size_first():
    found = make_dimension("depth", ["12", "None", "6", None, "12"])
    assert list(found.labels) == ["6", "12", "None"]
    np.testing.assert_allclose(found.place, [1, 2, 0, np.nan, 1])


def test_words_that_python_reads_as_numbers_are_choices():
    assert list(make_dimension("x", ["inf", "1"]).place) == [1, 0]
    assert len(make_dimension("x", [None, None]).labels) == 0


@pytest.mark.parametrize("metric", [ACCURACY, LOSS])
def test_history_shows_the_best_so_far(metric):
    figure = history_figure(np.arange(40), VALUES, metric, 0.3, 0, WORDS[1])
    (line,) = lines_of(figure.axes[0], "best so far")
    expected = [(max if metric is ACCURACY else min)(VALUES[: i + 1]) for i in range(40)]
    np.testing.assert_allclose(line.get_ydata(), expected)


def test_a_hopeless_trial_is_counted_instead_of_drawn():
    values = np.append(VALUES, -1.0)
    figure = history_figure(np.arange(41), values, ACCURACY, np.nan, None, WORDS[1])
    assert "1 far worse, not shown" in " ".join(figure.get_suptitle().split())
    assert figure.axes[0].get_ylim()[0] > 0.3
    as_loss = history_figure(np.arange(41), values, LOSS, np.nan, None, WORDS[1])
    assert "far worse" not in as_loss.get_suptitle()


def test_a_far_baseline_is_named_and_leaves_room():
    figure = history_figure(np.arange(40), VALUES, ACCURACY, -5.0, None, WORDS[1])
    assert figure.axes[0].get_ylim()[0] > 0.3
    assert lines_of(figure.axes[0], "dummy -5, not shown")


def test_fold_scores_have_a_point_each_and_their_mean():
    scores = RNG.uniform(0.4, 0.6, (3, 5))
    figure = fold_scores_figure(["a", "b", "c"], scores, 0.35, WORDS)
    folds, means = figure.axes[0].collections
    np.testing.assert_allclose(np.sort(folds.get_offsets()[:, 0]), np.sort(scores.ravel()))
    np.testing.assert_allclose(means.get_offsets()[:, 0], scores.mean(axis=1))


def test_differences_mark_who_is_tied():
    tied = np.array([True, True, False])
    mean, width = np.array([0, -0.01, -0.2]), np.array([0, 0.05, 0.05])
    figure = difference_figure(["a", "b", "c"], mean, mean - width, mean + width, tied, WORDS)
    assert figure.get_suptitle().startswith("2 of 3 shown are tied")
    _, names = figure.axes[0].get_legend_handles_labels()
    assert sorted(names) == ["tied with the best", "worse"]


def test_importances_are_ranked_and_carry_their_share():
    figure = parameter_importance_figure({"model.tol": 0.1, "model.C": 0.9}, WORDS[1])
    axes = figure.axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.9, 0.1]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["model.C", "model.tol"]


def test_parallel_coordinates_draw_a_bounded_number_with_the_best_on_top():
    n = 1000
    values = RNG.uniform(0, 1, n)
    figure = parallel_figure(dimensions(n), values, ACCURACY, WORDS[1])
    (collection,) = figure.axes[0].collections
    drawn = collection.get_array()
    assert len(drawn) == 300
    assert drawn[-1] == values.max()
    assert "300 of them drawn" in " ".join(figure.get_suptitle().split())
    assert "not set" in [text.get_text() for text in figure.axes[0].texts]


def test_slices_have_a_picture_for_each_parameter():
    figure = slice_figure(dimensions(), VALUES, ACCURACY, WORDS[1])
    assert [axes.get_title() for axes in figure.axes] == ["C", "model"]
    np.testing.assert_allclose(figure.axes[0].collections[0].get_offsets()[:, 1], VALUES)


@pytest.mark.parametrize("names", [["best"], ["defaults", "best"]])
def test_predictions_share_their_scale(names):
    pairs = {name: (RNG.normal(50, 9, 60), RNG.normal(50, 5, 60)) for name in names}
    figure = prediction_pair_figure(pairs, "score", "grades, n = 60")
    assert len({axes.get_xlim() for axes in figure.axes}) == 1
    assert len(figure.axes) == len(names)


def test_every_picture_says_what_it_shows_and_n():
    scores = RNG.uniform(0.4, 0.6, (2, 5))
    zero, tied = np.zeros(2), np.array([True, True])
    figures: list[Figure] = [
        history_figure(np.arange(40), VALUES, ACCURACY, 0.3, 0, WORDS[1]),
        fold_scores_figure(["a", "b"], scores, 0.3, WORDS),
        difference_figure(["a", "b"], zero, zero - 1, zero + 1, tied, WORDS),
        parameter_importance_figure({"a": 1.0}, WORDS[1]),
        parallel_figure(dimensions(), VALUES, LOSS, WORDS[1]),
        slice_figure(dimensions(), VALUES, LOSS, WORDS[1]),
    ]
    for figure in figures:
        assert "n = 40" in " ".join(figure.get_suptitle().split())


def test_a_front_is_joined_and_named_and_the_far_worse_are_counted():
    values = np.array([[0.5, 1.0], [0.6, 2.0], [0.55, 3.0], [0.52, 1.5], [0.53, 2.5], [0.0, 90.0]])
    values = np.vstack([values, np.tile([[0.51, 2.2]], (8, 1))])
    front = np.zeros(len(values), dtype=bool)
    front[[0, 1]] = True
    labels = [str(i) for i in range(len(values))]
    objectives = [ACCURACY, FIT_SECONDS]
    figure = pareto_figure(labels, values, front, objectives, "grades")
    (axes,) = figure.axes
    (line,) = axes.lines
    assert line.get_xydata().tolist() == [[0.5, 1.0], [0.6, 2.0]]
    assert [text.get_text() for text in axes.texts] == ["0", "1"]
    assert len(axes.collections[0].get_offsets()) == len(values) - 3
    assert "1 far worse, not shown" in figure.get_suptitle()
    assert axes.get_ylabel() == "seconds of fitting, less is better"
