import pytest

from student_perf.data import load_dataset
from student_perf.errors import ConfigError
from student_perf.profile.declare import write_dataset
from student_perf.profile.report import make_report


@pytest.mark.slow
def test_the_written_file_is_a_dataset_that_loads(grades, tmp_path, monkeypatch):
    text = grades.read_text().replace("north", "North", 3).replace(",low\n", ",\n", 2)
    grades.write_text(text.replace("grade\n", "grade\n", 1))
    report = make_report(str(grades), ["dataset.target=grade"])
    path = tmp_path / "conf/dataset/mine.yaml"
    write_dataset(path, report)
    written = path.read_text()
    assert "classes: [low, mid, high]" not in written  # `mid` is no word of a scale known here
    assert "  school: [north, south]" in written
    assert "  absences: [0, 28]" in written
    assert "clean: [normalise_text, drop_missing_target]" in written
    monkeypatch.chdir(tmp_path)
    from student_perf.config.load import compose_config, register_resolvers, validate

    register_resolvers()
    config = validate(compose_config(["dataset=mine", "tracking=off"])).dataset
    dataset = load_dataset(config)
    assert config.name == "mine"
    assert dataset.n_rows == 118
    assert set(dataset.features["school"].dropna()) == {"north", "south"}


@pytest.mark.slow
def test_classes_that_look_like_grades_are_written_in_their_order(grades, tmp_path):
    grades.write_text(grades.read_text().replace(",mid\n", ",medium\n"))
    write_dataset(tmp_path / "a.yaml", make_report(str(grades), ["dataset.target=grade"]))
    assert "# Lowest first.\nclasses: [low, medium, high]\n" in (tmp_path / "a.yaml").read_text()


@pytest.mark.slow
def test_what_cannot_be_written_is_refused(grades, tmp_path):
    whole = make_report(str(grades), ["dataset.target=grade"])
    write_dataset(tmp_path / "a.yaml", whole)
    for path, report, message in (
        (tmp_path / "a.yaml", whole, "exists"),
        (tmp_path / "a.txt", whole, "must end with .yaml"),
        (tmp_path / "b.yaml", make_report(str(grades)), "needs a file and its target"),
        (tmp_path / "b.yaml", make_report("attend"), "needs a file and its target"),
    ):
        with pytest.raises(ConfigError, match=message):
            write_dataset(path, report)
