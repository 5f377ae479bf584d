import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import KFold

from student_perf.data import load_dataset
from student_perf.errors import ConfigError
from student_perf.experiment.prepare import prepare
from student_perf.models.build import build_estimator
from student_perf.models.previous_grade import PreviousGradeClassifier, PreviousGradeRegressor
from student_perf.paths import PROJECT_DIR

SHARED = Path(os.environ.get("STUDENT_PERF_REFERENCE_DATA", PROJECT_DIR.parent / "shared" / "data"))
GRADES = pd.DataFrame(
    {"age": [15.0, 16, 17, 18], "G1": [9.0, 12, 15, 3], "G2": [10.0, 9, np.nan, 20]}
)
CODES = np.array([1, 1, 1, 2])


def test_the_last_grade_is_cut_as_the_target_is():
    model = PreviousGradeClassifier(edges=[10, 16]).fit(GRADES, CODES)
    assert model.column_ == "G2"
    # 10 lies in [10, 16), 9 below, the missing one is the most common class, 20 above
    assert model.predict(GRADES).tolist() == [1, 0, 1, 2]
    np.testing.assert_array_equal(model.predict_proba(GRADES), np.eye(3)[[1, 0, 1, 2]])
    first = GRADES.drop(columns="G2")
    assert model.fit(first, CODES).predict(first).tolist() == [0, 1, 1, 0]


def test_without_grades_it_is_the_most_common_class_or_the_mean():
    bare = GRADES[["age"]]
    model = PreviousGradeClassifier().fit(bare, CODES)
    assert model.predict(bare).tolist() == [1] * 4
    assert model.classes_.tolist() == [0, 1, 2]
    assert PreviousGradeRegressor().fit(bare, CODES).predict(bare).tolist() == [1.25] * 4


def test_a_number_is_the_last_grade_itself():
    model = PreviousGradeRegressor().fit(GRADES, np.array([10.0, 11, 12, 13]))
    assert model.predict(GRADES).tolist() == [10, 9, 11.5, 20]


def test_refuses_scaled_grades_and_a_grade_without_edges():
    with pytest.raises(ConfigError, match=r"use preprocess=raw"):
        PreviousGradeClassifier(edges=[10]).fit(GRADES.to_numpy(), CODES)
    with pytest.raises(ConfigError, match=r"set dataset\.bands"):
        PreviousGradeClassifier().fit(GRADES, CODES)


def test_the_model_brings_its_preprocessing_and_the_command_line_wins(compose_config):
    assert compose_config("model=previous_grade").preprocess["name"] == "raw"
    config = compose_config("model=previous_grade", "preprocess=default", "tracking=off")
    prepared = prepare(config)
    with pytest.raises(ConfigError, match=r"use preprocess=raw"):
        prepared.pipeline.fit(prepared.dataset.features, prepared.dataset.target)


@pytest.mark.slow
@pytest.mark.skipif(
    not (SHARED / "cortez_silva_2008.csv").is_file(), reason="needs the paper's data"
)
def test_every_cell_of_the_paper(compose_config):
    """All 18 cells of the column NV in tables 3 to 5 of Cortez and Silva (2008)."""
    for cell in pd.read_csv(SHARED / "cortez_silva_2008.csv").itertuples():
        subject = {"Mathematics": "mat", "Portuguese": "por"}[cell.subject]
        config = compose_config(
            f"dataset=student_{subject}",
            f"dataset.path={SHARED}/student_performance/student-{subject}.csv",
            f"dataset.form={cell.task}",
            f"dataset.setup={cell.setup}",
            "model=previous_grade",
        )
        data = load_dataset(config.dataset)
        model = build_estimator(config.model, data.task)
        errors = held_out_errors(model, data)
        if cell.task == "regression":
            assert round(float(np.sqrt((errors**2).mean())), 2) == cell.NV, cell
        else:
            assert round(100 * float((errors == 0).mean()), 1) == cell.NV, cell


def held_out_errors(model, data):
    """Over ten folds of plain shuffled rows: stratified ones would give setup C equal means."""
    errors = np.empty(data.n_rows)
    for train, rest in KFold(10, shuffle=True, random_state=0).split(data.target):
        model.fit(data.features.iloc[train], data.target[train])
        errors[rest] = data.target[rest] - model.predict(data.features.iloc[rest])
    return errors


@pytest.mark.slow
def test_reads_the_edges_of_the_target(compose_config):
    config = compose_config("dataset=econmath", "model=previous_grade")
    assert config.model["classifier"]["edges"] == config.dataset.bands.edges
    assert (
        compose_config("dataset=econmath_score", "model=previous_grade").model["classifier"][
            "edges"
        ]
        is None
    )
    assert load_dataset(config.dataset).classes == tuple(config.dataset.bands.labels)
