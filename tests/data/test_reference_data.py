"""The published files themselves, where they lie beside the project: loader and facts agree."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from student_perf.data import load_dataset
from student_perf.data.contract import make_contract
from student_perf.data.features import prepare_features
from student_perf.errors import DataError
from student_perf.evaluation.guards import label_noise_limit
from student_perf.experiment.prepare import prepare
from student_perf.paths import PROJECT_DIR
from student_perf.tables.files import iter_tables, new_file_options
from tests.tiers import few_fast

FOLDER = Path(os.environ.get("STUDENT_PERF_REFERENCE_DATA", PROJECT_DIR.parent / "shared" / "data"))
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the published data files are not in {FOLDER}"
)
EXAM, STUDENT = FOLDER / "entrance_exam", FOLDER / "student_performance"


@pytest.mark.parametrize("file", ["CEE_DATA.arff", "original.csv"])
def test_entrance_exam_facts(compose_config, file):
    data = load_dataset(
        compose_config("dataset=entrance_exam", f"dataset.path={EXAM / file}").dataset
    )
    assert data.classes == ("Average", "Good", "Vg", "Excellent")
    assert np.bincount(data.target).tolist() == [157, 210, 198, 101]
    assert "Class_ X_Percentage" in data.features
    whole = data.features.assign(target=data.target)
    assert whole.duplicated().sum() == 44
    groups = data.duplicate_groups
    assert groups.max() + 1 == 576
    labels = pd.Series(data.target).groupby(groups)
    contradictory = labels.nunique() > 1
    assert (contradictory.sum(), labels.size()[contradictory].sum()) == (42, 103)
    assert round(label_noise_limit(data), 3) == 0.928


def test_the_dirtied_copy_cleans_to_673_rows(compose_config):
    overrides = ["dataset=entrance_exam_modified", f"dataset.path={EXAM / 'modified.csv'}"]
    config = compose_config(*overrides).dataset
    data = load_dataset(config)
    assert (data.n_rows, len(data.classes)) == (673, 4)
    for name in data.features:
        assert set(data.features[name].dropna()) <= set(config.categories[name])
    assert [step.step for step in data.lineage] == [
        "read",
        "drop_columns",
        "normalise_text",
        "drop_missing_target",
    ]
    assert (data.lineage[-1].rows_before, data.lineage[-1].rows_after) == (679, 673)


def test_a_spelling_no_rule_maps_stops_the_run(compose_config, tmp_path):
    text = (EXAM / "modified.csv").read_text().replace("Excellent,male", "Superb,male", 3)
    (tmp_path / "m.csv").write_text(text)
    config = compose_config("dataset=entrance_exam_modified", f"dataset.path={tmp_path / 'm.csv'}")
    with pytest.raises(DataError, match=r"Performance='Superb' \(3 rows"):
        load_dataset(config.dataset)


@pytest.mark.parametrize(("subject", "rows"), [("mat", 395), ("por", 649)])
@pytest.mark.slow
def test_cortez_and_silva_forms_and_setups(compose_config, subject, rows):
    base = [f"dataset=student_{subject}", f"dataset.path={STUDENT / f'student-{subject}.csv'}"]
    grade = load_dataset(compose_config(*base, "dataset.form=regression").dataset)
    assert (grade.n_rows, grade.features.shape[1]) == (rows, 32)
    g3 = grade.target
    binary = load_dataset(compose_config(*base, "dataset.form=binary").dataset)
    np.testing.assert_array_equal(binary.target_labels(binary.target) == "pass", g3 >= 10)
    levels = load_dataset(compose_config(*base).dataset)
    assert levels.classes == ("V", "IV", "III", "II", "I")
    limits = {"V": (0, 9), "IV": (10, 11), "III": (12, 13), "II": (14, 15), "I": (16, 20)}
    for label, (low, high) in limits.items():
        inside = (g3 >= low) & (g3 <= high)
        np.testing.assert_array_equal(levels.target_labels(levels.target) == label, inside)
    for setup, dropped in {"B": {"G2"}, "C": {"G1", "G2"}}.items():
        data = load_dataset(compose_config(*base, f"dataset.setup={setup}").dataset)
        assert set(grade.features) - set(data.features) == dropped


@pytest.mark.slow
def test_published_files_pass_the_guards_and_a_renamed_grade_does_not(compose_config, tmp_path):
    path = STUDENT / "student-mat.csv"
    options = ("dataset=student_mat", "tracking=off", "dataset.setup=C")
    assert prepare(compose_config(*options, f"dataset.path={path}")).warnings == []
    table = pd.read_csv(path, sep=";")
    table.assign(period_two=table["G2"]).to_csv(tmp_path / "x.csv", sep=";", index=False)
    config = compose_config(
        *options, f"dataset.path={tmp_path / 'x.csv'}", "dataset.content_sha256=null"
    )
    with pytest.raises(DataError, match="column 'period_two': is 'G2' under another name"):
        prepare(config)


def test_the_published_mistake_is_refused_by_name(compose_config, tmp_path):
    # The one-hot columns of the target stood among the features of a published 0.9926.
    table = pd.read_csv(EXAM / "original.csv")
    leaked = table.join(pd.get_dummies(table["Performance"], prefix="Performance"))
    leaked.to_csv(tmp_path / "leaked.csv", index=False)
    config = compose_config(
        "tracking=off",
        "dataset=csv",
        f"dataset.path={tmp_path / 'leaked.csv'}",
        "dataset.target=Performance",
    )
    with pytest.raises(DataError, match="column 'Performance_Average': determines the target"):
        prepare(config)


STUDENTS = FOLDER / "students"


def student_file(compose_config, name, file, *words):
    path = STUDENTS / file
    if not path.is_file():
        pytest.skip(f"{path} is not there")
    return load_dataset(compose_config(f"dataset={name}", f"dataset.path={path}", *words).dataset)


def test_none_is_an_answer_of_642_pupils(compose_config):
    data = student_file(compose_config, "students_performance", "StudentsPerformance.csv")
    assert (data.n_rows, data.n_missing) == (1000, 0)
    assert (data.features["test preparation course"] == "none").sum() == 642
    assert not {"reading score", "writing score"} & set(data.features)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("students_performance", "StudentsPerformance.csv"),
        ("student_factors", "StudentPerformanceFactors.csv"),
        ("dropout", "students_dropout.csv"),
    ],
)
@pytest.mark.slow
def test_public_copies_are_known_by_their_content(compose_config, tmp_path, name, file):
    assert not [n for n in student_file(compose_config, name, file).notes if "another copy" in n]
    lines = (STUDENTS / file).read_text(encoding="utf-8").splitlines()
    (tmp_path / file).write_text("\n".join(lines[:-1]) + "\n", encoding="utf-8")
    other = load_dataset(
        compose_config(f"dataset={name}", f"dataset.path={tmp_path / file}").dataset
    )
    (note,) = [n for n in other.notes if "another copy" in n]
    assert note.startswith(f"{file} is another copy than the public one known here (sha256 ")


@pytest.mark.slow
def test_the_pass_or_fail_of_a_copy_is_left_out(compose_config):
    data = student_file(compose_config, "student_factors", "StudentPerformanceFactors.csv")
    assert (data.n_rows, data.target.min(), data.target.max()) == (6607, 55, 101)
    assert data.features.shape[1] == 19
    assert (data.features.isna().sum() > 0).sum() == 3


@pytest.mark.slow
def test_most_rows_of_the_copied_platform_stand_twice(compose_config):
    data = student_file(compose_config, "xapi", "xAPI-Edu-Data.csv")
    assert (data.classes, data.ordered) == (("L", "M", "H"), True)
    assert np.bincount(data.target).tolist() == [258, 444, 299]
    once = student_file(
        compose_config,
        "xapi",
        "xAPI-Edu-Data.csv",
        "dataset.clean=[normalise_text,drop_duplicates]",
    )
    assert once.n_rows == 478


@pytest.mark.slow
def test_codes_of_the_polytechnic_are_categories_and_its_outcomes_have_no_order(compose_config):
    data = student_file(compose_config, "dropout", "students_dropout.csv")
    assert (data.n_rows, len(data.classes), data.ordered) == (4424, 3, False)
    assert sorted(np.bincount(data.target)) == [794, 1421, 2209]
    assert set(data.features["Course"]) >= {"33", "9254"}
    assert "Mother's occupation" in data.categorical


# file below the folder, target, more overrides, kind of the target
FIRST_COMMANDS = [
    ("students/students_dropout.csv", "Target", [], "classification"),
    ("students/StudentPerformanceFactors.csv", "Exam_Score", [], "regression"),
    ("students/StudentsPerformance.csv", "'math score'", [], "regression"),
    ("students/xAPI-Edu-Data.csv", "Class", [], "classification"),
    ("cases/tab_in_header.csv", "Target", [], "classification"),
    ("cases/tab_in_header.csv", "Target", ["dataset.categorical=[Course]"], "classification"),
    ("cases/index_column.csv", "quality", [], "classification"),
    ("cases/large_figures.csv", "mean_cost", [], "regression"),
    ("cases/text_date_price.csv", "price", ["dataset.drop=[last_review]"], "regression"),
    ("cases/ordered_category.parquet", "level", [], "classification"),
    ("cases/true_false.csv", "passed", [], "classification"),
    ("cases/split_column.csv", "status", [], "classification"),
    ("cases/groups_one_class.csv", "grade", [], "classification"),
    ("cases/difference_of_two.csv", "age", [], "regression"),
]


@pytest.mark.parametrize(("file", "target", "more", "task"), few_fast(FIRST_COMMANDS[::-1], 1))
def test_one_command_reads_a_file_and_new_rows_are_read_alike(
    compose_config, file, target, more, task
):
    path = FOLDER / file
    if not path.is_file():
        pytest.skip(f"{path} is not here")
    words = ["dataset=csv", f"dataset.path={path}", f"dataset.target={target}", *more]
    config = compose_config(*words).dataset
    assert config.task == task
    dataset = load_dataset(config)
    contract = make_contract(dataset, np.arange(dataset.n_rows), config)
    options = new_file_options(path, contract.options, {}, contract.number_columns)
    assert options == contract.options
    parts = []
    for raw in iter_tables(path, options, 300):
        features, refused = prepare_features(raw, contract, options)
        assert refused == {}
        parts.append(features)
    features = pd.concat(parts, ignore_index=True)
    pd.testing.assert_frame_equal(features, dataset.features, check_exact=True)


def test_an_ordered_category_keeps_its_order_and_others_have_none(compose_config):
    if not (FOLDER / "cases").is_dir():
        pytest.skip(f"{FOLDER / 'cases'} is not here")
    path = f"dataset.path={FOLDER / 'cases' / 'ordered_category.parquet'}"
    for name in ("csv", "parquet"):
        config = compose_config(f"dataset={name}", path, "dataset.target=level").dataset
        assert (config.classes, config.is_ordered) == (["c", "b", "a"], True)
    path = f"dataset.path={FOLDER / 'cases' / 'tab_in_header.csv'}"
    config = compose_config("dataset=csv", path, "dataset.target=Target").dataset
    assert config.classes is None
    assert not config.is_ordered


@pytest.mark.slow
def test_the_leak_stops_and_gives_the_figures_of_the_story(train):
    words = ("experiment=leak_demo", "tracking=off", f"dataset.path={EXAM / 'CEE_DATA.arff'}")
    stopped = train(*words)
    assert stopped.code == 1
    assert "SP101: column 'Performance_Excellent'" in stopped.err
    choice = "dataset.clean=choice([],[{step:one_hot,columns:[Performance]}])"
    both = train("-m", *words, "guards.leaking_feature=warn", choice).out
    for page, comma in (("README.md", "."), ("README.es.md", ",")):
        story = (PROJECT_DIR / page).read_text(encoding="utf-8")
        assert f"**1{comma}000**" in story
        assert f"**0{comma}524**" in story
    assert "rf-0     0.524  0.478 to 0.569" in both
    assert "rf-1     1.000  " in both
