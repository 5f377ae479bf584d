from dataclasses import fields

import pytest
from sklearn.dummy import DummyClassifier

from student_perf.config.schema import KFoldSplit
from student_perf.evaluation.cross_validation import cross_validate
from student_perf.evaluation.splits import make_split
from student_perf.inspection.findings import Findings
from student_perf.plots.figures import RUN_FIGURES, figures_of, figures_on
from student_perf.plots.style import Figure
from student_perf.runs.artifacts import shown_of
from student_perf.scoring.metrics import TASKS


def test_every_row_has_its_own_file_and_words():
    for words in ("file", "caption"):
        assert len({getattr(figure, words) for figure in RUN_FIGURES}) == len(RUN_FIGURES)


def test_every_table_of_the_findings_has_a_picture():
    tables = {field.name for field in fields(Findings)} - {"metric"}
    assert {figure.name for figure in figures_of("findings")} == tables


@pytest.mark.parametrize("task", TASKS)
def test_each_task_shows_how_well_it_is_calibrated_on_the_page_of_a_sweep(task):
    assert [figure.file for figure in figures_on("sweep") if figure.of == task] == [
        "reliability.png" if task == "classification" else "residuals.png"
    ]


def test_held_out_predictions_are_all_a_picture_needs(small_dataset):
    split = make_split(small_dataset, KFoldSplit("kfold", 0.2, 0, True, 4))
    result = cross_validate(DummyClassifier(), small_dataset, split)
    shown = shown_of(small_dataset, split, result, Findings("accuracy"))
    for figure in figures_of("classification"):
        drawn = figure.draw(shown)
        assert isinstance(drawn, Figure)
        assert drawn.get_suptitle().endswith(shown.subtitle), figure.name
