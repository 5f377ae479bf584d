from concurrent.futures import ThreadPoolExecutor

from student_perf.runs.looks import count_look, count_looks


def test_looks_are_counted_for_each_set_of_rows(tmp_path):
    assert [count_look("data", "rows", tmp_path) for _ in range(3)] == [1, 2, 3]
    assert count_look("data", "other rows", tmp_path) == 1
    assert count_look("other data", "rows", tmp_path) == 1


def test_looks_at_the_same_moment_are_all_counted(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: count_look("data", "rows", tmp_path), range(40)))
    assert sorted(got) == list(range(1, 41))


def test_looks_at_the_rows_that_a_run_opened(tmp_path):
    mine, other, later = (tmp_path / name for name in ("mine", "other", "later"))
    assert count_looks(mine) == 0
    count_look("data", "rows", mine)
    count_look("data", "other rows", other)
    assert count_looks(mine) == 1
    count_look("data", "rows", later)
    assert (count_looks(mine), count_looks(later), count_looks(other)) == (2, 2, 1)
