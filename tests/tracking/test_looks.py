from concurrent.futures import ThreadPoolExecutor

from student_perf.tracking.looks import count_look


def test_looks_are_counted_for_each_set_of_rows(tmp_path):
    assert [count_look("data", "rows", tmp_path) for _ in range(3)] == [1, 2, 3]
    assert count_look("data", "other rows", tmp_path) == 1
    assert count_look("other data", "rows", tmp_path) == 1


def test_looks_at_the_same_moment_are_all_counted(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda _: count_look("data", "rows", tmp_path), range(40)))
    assert sorted(got) == list(range(1, 41))
