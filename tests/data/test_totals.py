import pytest

from student_perf.data.totals import sums_up


@pytest.mark.parametrize(
    "cell", ["Total", "MEDIA:", "média", " Total general ", "Grand total", "Suma"]
)
def test_words_of_sums_and_means(cell):
    assert sums_up(cell)


@pytest.mark.parametrize(
    "cell", ["totally", "Mediana", "", 3.0, None, "it was a total loss", "a b c"]
)
def test_other_cells(cell):
    assert not sums_up(cell)
