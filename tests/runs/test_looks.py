from concurrent.futures import ThreadPoolExecutor

from student_perf.paths import workspace
from student_perf.runs.looks import TRIES_FILE, count_look, count_looks, count_tries, note_try
from student_perf.runs.record import RunRecord
from student_perf.runs.tags import DATASET, RAW_SHA256


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


def tried(config, raw="file", target="grade", n_tries=None, path="grades.csv"):
    metrics = {} if n_tries is None else {"tries": n_tries}
    params = {"dataset.target": target, "model.C": config, "dataset.path": path, "n_rows": "9"}
    return RunRecord(workspace(), "x", "single", params, {RAW_SHA256: raw}, metrics)


def test_every_configuration_on_a_file_is_a_try_and_an_exact_repeat_is_none():
    assert count_tries(tried("a")) == 1
    for config in ("a", "b", "a", "c"):
        note_try(tried(config))
    note_try(tried("a", path="/home/ada/grades.csv"))  # the same rows
    note_try(tried("a", target="another"))
    note_try(tried("a", raw="other file"))
    assert count_tries(tried("new")) == 3
    assert (count_tries(tried("a", target="another")), count_tries(tried("a", raw="no"))) == (1, 1)


def test_a_trial_and_the_winner_of_its_config_are_one_try():
    trial, winner = tried("a"), tried("a")
    trial.params["swept.model.C"] = "a"
    note_try(trial)
    note_try(winner)
    assert count_tries(winner) == 1


def test_what_a_record_knows_counts_where_the_workspace_knows_less():
    assert count_tries(tried("a", n_tries=7.0)) == 7
    for number in range(9):
        note_try(tried(str(number)))
    assert count_tries(tried("a", n_tries=7.0)) == 9


def test_without_a_file_the_dataset_and_its_version_stand_for_the_rows():
    note_try(RunRecord(workspace(), "x", "single", {}, {DATASET: "econ"}, {}))
    assert '"rows": ["econ ", ""]' in (workspace() / TRIES_FILE).read_text()


def test_a_ledger_that_cannot_be_read_ends_no_run(caplog):
    (workspace() / TRIES_FILE).mkdir()  # as little a file to read as one of another user
    note_try(tried("a"))
    assert count_tries(tried("a", n_tries=2.0)) == 2
    assert [r.levelname for r in caplog.records] == ["WARNING"] * 2
