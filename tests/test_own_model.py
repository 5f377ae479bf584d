"""The recipe of docs/models.md: a model of your own is one YAML file and, at most, one class."""

import re

import pytest

import student_perf.models
from student_perf.paths import PROJECT_DIR
from student_perf.runs.model_file import load_model
from tests.models.zoo import MODELS, PREPROCESSINGS

RECIPE = (PROJECT_DIR / "docs/models.md").read_text(encoding="utf-8")


def block(language, marker):
    """The block of code in the documentation that holds the marker."""
    blocks = re.findall(rf"```{language}\n(.*?)```", RECIPE, flags=re.S)
    (found,) = [text for text in blocks if marker in text]
    return found


@pytest.fixture
def own_folder(tmp_path, monkeypatch):
    """The documented files; the class stands in for one in the folder student_perf/models."""
    (tmp_path / "conf/model").mkdir(parents=True)
    (tmp_path / "conf/model/lda.yaml").write_text(block("yaml", "LinearDiscriminantAnalysis"))
    (tmp_path / "conf/model/nearest.yaml").write_text(block("yaml", "nearest.NearestMean"))
    (tmp_path / "classes").mkdir()
    (tmp_path / "classes/nearest.py").write_text(block("python", "class NearestMean"))
    paths = [*student_perf.models.__path__, str(tmp_path / "classes")]
    monkeypatch.setattr(student_perf.models, "__path__", paths)
    return tmp_path


@pytest.mark.parametrize("model", ["lda", "nearest"])
def test_the_documented_files_run(own_folder, train, grades, workspace, model):
    done = train(
        "--config-dir",
        str(own_folder / "conf"),
        f"model={model}",
        "dataset=csv",
        f"dataset.path={grades}",
        "dataset.target=grade",
        "dataset.classes=[low,mid,high]",
        "tracking=off",
    )
    assert done.code == 0, done.err
    (path,) = workspace.rglob("model.skops")
    assert type(load_model(path)).__name__ == "LabelledClassifier"


def test_the_documentation_lists_every_model_and_preprocessing():
    tables = {
        cell for line in RECIPE.splitlines() if line.startswith("|") for cell in line.split("|")
    }
    named = set(re.findall(r"`(\w+)`", " ".join(tables)))
    assert {*MODELS, *PREPROCESSINGS} <= named


def test_a_wrong_parameter_of_an_own_class_is_named(own_folder, train):
    words = ["--config-dir", str(own_folder / "conf"), "model=nearest", "tracking=off"]
    done = train(*words, "+model.shrinks=1")
    assert done.code == 1
    assert (
        "model.shrinks=1: NearestMean has no parameter 'shrinks'; did you mean shrink?" in done.err
    )


def test_a_class_elsewhere_is_refused(own_folder, train):
    file = own_folder / "conf/model/nearest.yaml"
    file.write_text(file.read_text().replace("student_perf.models.nearest", "classes.nearest"))
    done = train("--config-dir", str(own_folder / "conf"), "model=nearest", "tracking=off")
    assert done.code == 1
    assert "only classes below" in done.err
