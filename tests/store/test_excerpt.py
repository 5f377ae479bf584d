import numpy as np
import pytest

from student_perf.data import load_dataset
from student_perf.store.excerpt import excerpt_of


@pytest.fixture
def dataset(compose_config, tmp_path):
    file = tmp_path / "grades.csv"
    lines = [f"{'' if n == 400 else n},{'x' if n % 2 else 'y'},{n % 3}" for n in range(500)]
    file.write_text("\n".join(["hours,school,grade", *lines]))
    words = ("dataset=csv", f"dataset.path={file}", "dataset.target=grade")
    return load_dataset(compose_config(*words).dataset)


def test_it_holds_first_and_incomplete_rows_and_counts_all(dataset):
    excerpt = excerpt_of(dataset)
    assert (excerpt.n_rows, excerpt.n_columns) == (500, 3)
    assert excerpt.sha256 == dataset.sha256
    assert excerpt.rows.index.tolist() == [*range(100), 400]
    assert list(excerpt.rows.columns) == ["hours", "school", "grade"]
    labels = dataset.target_labels(dataset.target)[:100]
    np.testing.assert_array_equal(excerpt.rows["grade"][:100], labels)


def test_an_example_has_no_target(dataset):
    assert list(excerpt_of(dataset).example.columns) == ["hours", "school"]
    assert len(excerpt_of(dataset).example) == 3
