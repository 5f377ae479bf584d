from student_perf.runs.versions import (
    ABSENT,
    Change,
    changes,
    installed_versions,
    trained_elsewhere,
)
from student_perf.shell import install_line


def test_versions_that_changed_are_named():
    was = installed_versions(["numpy", "scipy", "no-such-package"])
    assert set(was) == {"numpy", "scipy"}
    assert changes(was, ["numpy", "scipy", "no-such-package"]) == []
    older = was | {"numpy": "0.1"}
    assert changes(older, ["scipy", "numpy"]) == [Change("numpy", "0.1", was["numpy"])]
    assert changes(older, ["scipy"]) == []
    assert str(changes(older, ["numpy"])[0]) == f"numpy was 0.1, is {was['numpy']}"


def test_a_package_that_came_or_went_is_absent_on_one_side():
    assert changes({"no-such-package": "1"}, ["no-such-package"])[0].now == ABSENT
    assert changes({}, ["numpy"])[0].was == ABSENT


def test_the_line_names_the_versions_and_how_to_get_them():
    differ = [Change("numpy", "2.1", "2.4"), Change("xgboost", ABSENT, "3.2")]
    assert trained_elsewhere(differ, "answer") == (
        "trained with numpy 2.1, this is 2.4: it cannot answer here; "
        f"environment: {install_line('numpy==2.1')}"
    )
    assert trained_elsewhere(differ[1:], "answer") == ""
