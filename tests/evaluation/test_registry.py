import pytest

from student_perf.config.schema import FORMER_GUARDS
from student_perf.evaluation.guards import MODULES
from student_perf.evaluation.registry import CHECKS, SOME_ROWS, Subject, check
from student_perf.evaluation.splits import make_split
from tests.conftest import SMALL_CONFIG
from tests.evaluation.checked import KFOLD


def test_every_check_of_the_modules_has_a_code_and_a_page():
    assert {CHECKS[code].find.__module__ for code in CHECKS} == {m.__name__ for m in MODULES}
    for code, one in CHECKS.items():
        assert code == one.code
        assert all(text.endswith(".") for text in (one.what, one.why, one.fix)), code
        assert not one.title.endswith(".")
    assert set(FORMER_GUARDS.values()) <= set(CHECKS)


def test_a_code_is_given_once():
    with pytest.raises(AssertionError, match="SP101"):
        check("SP101", "again", what="", why="", fix="")(lambda _: iter(()))


def test_some_rows_come_from_all_over_the_development_rows(small_dataset):
    subject = Subject(small_dataset, make_split(small_dataset, KFOLD), SMALL_CONFIG, KFOLD)
    assert len(subject.some) == len(subject.rows) < SOME_ROWS
    assert not set(subject.some_rows) & set(subject.split.test)
