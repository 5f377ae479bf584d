import pytest

from student_perf.compare.apart import apart_lines, deciding_keys, set_name
from student_perf.compare.leaderboard import make_leaderboards


@pytest.fixture
def boards(make_record):
    """Two models on each of two numbers of folds."""
    records = []
    for n_splits in (3, 5):
        for model, score in (("tree", 0.4), ("rf", 0.6)):
            folds = [score, score + 0.1, score]
            number = len(records)
            record = make_record(
                f"{model}-{number}", folds, model, study="s", split=f"{number // 2}"
            )
            record.params |= {
                "split.n_splits": str(n_splits),
                "swept.split.n_splits": str(n_splits),
            }
            record.params["swept.model"] = model
            records.append(record)
    return records, make_leaderboards(records)


def test_each_set_has_its_own_best_and_the_reason_is_said(boards):
    records, sets = boards
    assert deciding_keys(sets) == ["split.n_splits"]
    assert [set_name(board, ["split.n_splits"]) for board in sets] == [
        "split.n_splits=3",
        "split.n_splits=5",
    ]
    first, *lines = apart_lines(records, sets)
    assert first == (
        "Side by side: the trials differ in folds (split.n_splits), so there is no best among them "
        "all."
    )
    assert lines[0].startswith("split.n_splits=3: Best: rf-1, accuracy 0.633 (95 % interval ")
    assert lines[0].endswith("; 0 of 1 other tied with it.")
