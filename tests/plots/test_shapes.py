import numpy as np
import pandas as pd

from student_perf.plots.shapes import shape_figure
from student_perf.plots.style import png

NAN = np.nan


def curves(n, outputs):
    rows = []
    for i in range(n):
        for output in outputs:
            rows += [
                (f"c{i}", n - i, output, "0 to 1", 0.0, 1.0, 5, 0.1),
                (f"c{i}", n - i, output, "1 to 3", 1.0, 3.0, 5, -0.4),
                (f"c{i}", n - i, output, "missing", NAN, NAN, 0, 0.0),
            ]
    rows.append(("c0 x c1", 0.1, None, None, NAN, NAN, NAN, NAN))
    names = ["column", "importance", "output", "bin", "low", "high", "n", "score"]
    return pd.DataFrame(rows, columns=names)


def test_the_most_important_columns_have_a_curve_each():
    figure = shape_figure(curves(11, [""]), "accuracy", "the rows")
    assert [axes.get_title() for axes in figure.axes] == [f"c{i}" for i in range(9)]
    edges = figure.axes[0].patches[0].get_data()
    np.testing.assert_allclose(edges.edges, [0, 1, 3])
    np.testing.assert_allclose(edges.values, [0.1, -0.4])
    assert "in the target's unit: 9 of 11 columns" in figure.get_suptitle().replace("\n", " ")
    assert not figure.legends


def test_classes_share_a_picture_and_words_are_points():
    table = curves(1, ["low", "mid", "high"])
    words = table[table["bin"].notna()].assign(column="s", low=NAN, high=NAN, importance=0.5)
    figure = shape_figure(pd.concat([table, words]), "accuracy", "")
    assert len(figure.axes[0].patches) == 3
    labels = [label.get_text() for label in figure.axes[1].get_xticklabels()]
    assert labels == ["0 to 1", "1 to 3"]  # no row of the fit misses the word
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["low", "mid", "high"]
    assert "log-odds" in figure.get_suptitle()
    assert png(figure).startswith(b"\x89PNG")


def test_of_two_classes_the_title_names_the_one_with_a_score():
    assert "log-odds of yes" in shape_figure(curves(1, ["yes"]), "accuracy", "").get_suptitle()
