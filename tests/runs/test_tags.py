from student_perf.runs import tags

NAMES = {name: value for name, value in vars(tags).items() if name.isupper()}


def test_each_name_stands_once_and_says_whose_it_is():
    assert len(set(NAMES.values())) == len(NAMES)
    for value in NAMES.values():
        assert value.startswith(("student_perf.", "mlflow.", "dataset")) or value == "model"
