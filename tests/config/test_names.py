import pytest

from student_perf import cli
from student_perf.config.names import (
    check_folder_name,
    check_label,
    check_no_twin,
    check_tag,
    safe_name,
    unique_name,
)
from student_perf.errors import ConfigError


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("n" * 300, "n{20}\\.\\.: has 300 characters, 100 are allowed"),
        ("a/b", "must not hold /"),
        ("a\\b", r"must not hold \\"),
        ("a:b", "must not hold :"),
        ("a.", "nor end with a dot"),
        ("..", "must not begin with a dot"),
        ("-m", "must not begin with a dot, a dash"),
        ("a ", "begin or end with a blank"),
        ("", "must not be empty"),
        ("a\nb", r"a\\nb: holds a control character"),
        ("a\0b", "holds a control character"),
        ("CON", "is reserved on Windows"),
        ("nul.txt", "is reserved on Windows"),
        ("com1", "is reserved on Windows"),
        ("e\u0301te\u0301", "writes an accent as a character of its own"),
    ],
)
def test_names_that_no_folder_can_have_are_refused_in_one_line(name, reason):
    with pytest.raises(ConfigError, match=reason) as refused:
        check_folder_name("hydra.sweeper.study_name", name)
    assert "\n" not in str(refused.value)
    assert "; choose another name" in str(refused.value)


@pytest.mark.parametrize("name", ["mine", "grades 2.1", "\u00e9t\u00e9", "console", "a-b_c.d"])
def test_other_names_are_taken(name):
    check_folder_name("hydra.sweeper.study_name", name)


def test_a_store_takes_more_than_a_folder():
    check_label("tracking.experiment", "/Users/ada: grades")
    with pytest.raises(ConfigError, match="has 300 characters, 200 are allowed"):
        check_label("tracking.experiment", "n" * 300)


@pytest.mark.fault(
    "Names",
    "two that differ in upper and lower case only",
    "refused in one line: they are one folder elsewhere",
)
def test_names_that_differ_in_case_only_are_one_folder_elsewhere(tmp_path):
    (tmp_path / "Mine").mkdir()
    check_no_twin("study_name", tmp_path / "Mine")
    check_no_twin("study_name", tmp_path / "other")
    check_no_twin("study_name", tmp_path / "none" / "mine")
    with pytest.raises(ConfigError, match=r"study_name=mine: differs only in .* from Mine"):
        check_no_twin("study_name", tmp_path / "mine")


def test_any_word_becomes_a_part_of_a_name():
    assert safe_name("econmath") == "econmath"
    assert safe_name("../up") == "_up"
    assert len(safe_name("n" * 300)) == 50


@pytest.mark.fault(
    "Names",
    "one that a file system or a store cannot take: 300 characters, `/`, `:`, reserved on Windows",
    "refused in one line before training",
)
@pytest.mark.parametrize(
    "word",
    [
        f"hydra.sweeper.study_name={'n' * 300}",
        "hydra.sweeper.study_name=a/b",
        "hydra.sweeper.study_name=NUL",
        "hydra.sweeper.register=a/b",
        f"tracking.experiment={'n' * 300}",
        f"dataset.name={'n' * 300}",
        f"model.name={'n' * 300}",
        f"+tags={{{'n' * 300}: 1}}",
        f"+tags.{'n' * 300}=1",
        f"model.{'n' * 300}=1",
        "+tags={'a?b': 1}",
        "+tags={'a//b': 1}",
        '+tags.x=1 "dataset.name=a\tb"',
    ],
)
def test_nothing_is_trained_under_such_a_name(word, train, workspace):
    words = [part.strip('"') for part in word.split(" ", 1)]
    done = train("-m", "model.C=0.1,1", *words)
    assert done.code == 1
    (line,) = done.err.splitlines()
    assert "; choose another name" in line or "is not an override" in line
    assert not [*workspace.glob("multirun/*/[0-9]*")]


@pytest.mark.slow
def test_a_name_with_slashes_of_a_dataset_leads_nowhere_else(train, workspace):
    words = ("-m", "tracking=off", "split.n_splits=2", "model.C=0.1", "dataset.name=../../up/x")
    assert train(*words, "report.importance=false").code == 0
    (folder,) = (workspace / "multirun").iterdir()
    assert folder.name.startswith("_.._up_x-logreg-")


@pytest.mark.parametrize("name", ["a?b", "/a", "a//b", "../a", "a/", "", "a\nb", "n" * 300])
def test_a_tag_that_mlflow_would_refuse_is_refused_before_training(name):
    with pytest.raises(ConfigError, match="choose another name"):
        check_tag(name)


def test_a_tag_that_mlflow_would_cut_is_refused_before_training():
    check_tag("note", "v" * 8000)
    with pytest.raises(
        ConfigError, match=r"^tags.note=v{20}\.\.: has 10,000 characters, 8,000 are"
    ):
        check_tag("note", "v" * 10_000)


@pytest.mark.fault(
    "Names",
    "a path, an option or a word of a command that is longer than a file system takes",
    "one line with its beginning, exit code 1",
)
@pytest.mark.parametrize(
    "words",
    [
        ["check", "n" * 300],
        ["drift", "n" * 300, "b.csv"],
        ["check", "latest", "--store", f"sqlite:////{'n' * 300}"],
        ["-cn", "n" * 300],
        [f"hydra.run.dir={'n' * 300}", "tracking=off"],
        [f"tracking.uri=sqlite:////{'n' * 300}/mlflow.db"],
        ["dataset=csv", f"dataset.path={'n/' * 3000}", "dataset.target=x"],
        ["-m", "dataset=csv", f"dataset.path={'n' * 300}", "dataset.target=x"],
    ],
)
def test_a_word_that_is_too_long_for_a_path_is_one_line(words, train, capsys):
    is_command = words[0] in ("check", "drift")
    code = cli.main(words) if is_command else (done := train(*words)).code
    assert code == 1
    (line,) = (capsys.readouterr().err if is_command else done.err).splitlines()
    assert "is longer than the file system takes; name a shorter one" in line
    assert len(line) < 200


def test_tags_that_mlflow_takes_are_taken():
    from mlflow.utils.validation import _validate_tag_name

    for name in ("team", "mlflow.note.content", "a/b", "a b", "a-b:c", "\u00e9t\u00e9"):
        check_tag(name)
        _validate_tag_name(name)


@pytest.mark.fault(
    "Names",
    "two experiments or bundles whose names differ only in what a folder cannot take",
    "each has a place of its own, which every system takes",
)
def test_no_two_words_become_one_folder():
    words = ["exam", "-m", "_-m", "exam/1", "exam:1", "exam_1", "exam 1", "CON", "con.txt",
             "\u00e9" * 200, "\u00e9" * 199, "../up", "..", "exam."]  # fmt: skip
    places = [unique_name(word) for word in words]
    assert len({place.casefold() for place in places}) == len(words)
    for place in places:
        check_folder_name("experiment", place)
        assert len(place.encode()) < 250


def test_a_registered_name_that_mlflow_refuses_is_refused_at_once(capsys):
    for name in ("a/b", "a:b", "n" * 300):
        assert cli.main(["promote", "latest", "--name", name]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert "choose another name" in line
