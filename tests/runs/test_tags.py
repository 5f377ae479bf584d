import re

from student_perf.paths import PACKAGE_DIR
from student_perf.runs import tags

NAMES = {name: value for name, value in vars(tags).items() if name.isupper()}


def test_each_name_stands_once_and_says_whose_it_is():
    assert len(set(NAMES.values())) == len(NAMES)
    for value in NAMES.values():
        assert value.startswith(("student_perf.", "mlflow.", "dataset")) or value == "model"


def test_no_other_module_names_a_tag():
    ours = [re.escape(value) for value in NAMES.values() if "." in value]
    literal = re.compile(rf"[\"'`]({'|'.join(ours)})[\"'`]")
    for path in PACKAGE_DIR.rglob("*.py"):
        place = path.relative_to(PACKAGE_DIR).as_posix()
        if place != "runs/tags.py":
            assert literal.search(path.read_text(encoding="utf-8")) is None, place


def test_nobody_keeps_a_copy_of_a_tags_name():
    for path in PACKAGE_DIR.rglob("*.py"):
        assert not re.search(r"^\w+_TAG = ", path.read_text(encoding="utf-8"), re.M), path
