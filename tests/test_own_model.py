"""The recipes of docs/models.md: a model and a metric of your own take a few lines and a file."""

import re
import sys

import numpy as np
import pandas as pd
import pytest

from student_perf import cli
from student_perf.paths import PROJECT_DIR
from student_perf.runs.model_file import load_model
from student_perf.runs.record import load_record
from student_perf.scoring.metrics import METRICS, OBJECTIVES
from tests.models.zoo import MODELS, PREPROCESSINGS

RECIPE = (PROJECT_DIR / "docs/models.md").read_text(encoding="utf-8")
QUICK = ("split.n_splits=3", "report.importance=false", "tracking=off")


def block(language, marker):
    """The block of code in the documentation that holds the marker."""
    blocks = re.findall(rf"```{language}\n(.*?)```", RECIPE, flags=re.S)
    (found,) = [text for text in blocks if marker in text]
    return found


@pytest.fixture
def own_folder(tmp_path, monkeypatch, grades):
    """The documented files in the current folder."""
    conf = tmp_path / "conf"
    for group in ("model", "objective"):
        (conf / group).mkdir(parents=True)
    (conf / "model/lda.yaml").write_text(block("yaml", "LinearDiscriminantAnalysis"))
    (conf / "model/nearest.yaml").write_text(block("yaml", "mygrades.NearestMean"))
    (conf / "objective/top_2.yaml").write_text(block("yaml", "metric: top_2_accuracy"))
    (conf / "trusted.yaml").write_text(block("yaml", "trusted: [mygrades]"))
    module = block("python", "class NearestMean") + block("python", "def hits")
    (tmp_path / "mygrades.py").write_text(module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("mygrades", None)
    for known in (METRICS, OBJECTIVES):
        known.pop("top_2_accuracy", None)


@pytest.fixture
def data(grades):
    classes = "dataset.classes=[low,mid,high]"
    return ("dataset=csv", f"dataset.path={grades}", "dataset.target=grade", classes)


@pytest.mark.parametrize("model", ["lda", "nearest"])
@pytest.mark.slow
def test_the_documented_files_run(own_folder, train, data, workspace, model):
    done = train(f"model={model}", *data, *QUICK)
    assert done.code == 0, done.err
    (path,) = workspace.rglob("model.skops")
    assert type(load_model(path)).__name__ == "LabelledClassifier"


@pytest.mark.slow
def test_a_run_with_own_parts_is_checked_compared_and_answers(
    own_folder, train, data, workspace, capsys
):
    assert train("model=nearest", "objective=top_2", *data, *QUICK).code == 0
    (folder,) = (workspace / "outputs").glob("*/*")
    record = load_record(folder)
    table = pd.read_parquet(folder / "predictions.parquet")
    labels = ["low", "mid", "high"]
    proba = table[[f"proba_{label}" for label in labels]].to_numpy()
    best_two = np.argsort(-proba, axis=1)[:, :2]
    hits = [labels.index(t) in two for t, two in zip(table["y_true"], best_two, strict=True)]
    expected = pd.Series(hits).groupby(table["fold"]).mean()
    assert record.objective == "top_2_accuracy"
    assert record.fold_scores("top_2_accuracy") == pytest.approx(expected.to_numpy())
    estimate = record.estimate("top_2_accuracy")
    assert estimate.low < estimate.mean <= estimate.high <= 1
    assert cli.main(["check", str(folder)]) == 0
    assert cli.main(["reproduce", str(folder)]) == 0
    assert cli.main(["compare", str(folder)]) == 0
    assert "in the top 2" in capsys.readouterr().out


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.slow
def test_a_sweep_with_own_parts_ranks_by_the_own_metric(own_folder, train, data, workspace, n_jobs):
    words = ("-m", "model=nearest", "model.shrink=0.0,0.5", "objective=top_2", *data, *QUICK)
    assert train(*words, f"hydra.sweeper.n_jobs={n_jobs}").code == 0
    (folder,) = (workspace / "multirun").iterdir()
    board = pd.read_csv(folder / "leaderboard.csv")
    assert set(board["metric"]) == {"top_2_accuracy"}
    assert board["mean"].is_monotonic_decreasing
    (own_folder / "mygrades.py").write_text((own_folder / "mygrades.py").read_text() + "# new\n")
    again = train(*words)
    assert again.code == 1
    assert "code was" in again.err


def test_without_trust_nothing_of_the_module_is_taken(own_folder, train, data, workspace):
    assert train("model=nearest", *data, *QUICK).code == 0
    (folder,) = (workspace / "outputs").glob("*/*")
    (own_folder / "conf/trusted.yaml").unlink()
    done = train("model=nearest", *data, *QUICK)
    assert done.code == 1
    assert "only classes below" in done.err
    assert "conf/trusted.yaml" in done.err
    with pytest.raises(Exception, match=r"mygrades\.NearestMean"):
        load_model(folder / "model.skops")
    (folder / "trusted.yaml").write_text("trusted: [mygrades]\n")  # a record adds nothing
    with pytest.raises(Exception, match=r"mygrades\.NearestMean"):
        load_model(folder / "model.skops")


def test_the_documentation_lists_every_model_and_preprocessing():
    tables = {
        cell for line in RECIPE.splitlines() if line.startswith("|") for cell in line.split("|")
    }
    named = set(re.findall(r"`(\w+)`", " ".join(tables)))
    assert {*MODELS, *PREPROCESSINGS} <= named


def test_a_wrong_parameter_of_an_own_class_is_named(own_folder, train):
    done = train("model=nearest", "tracking=off", "+model.shrinks=1")
    assert done.code == 1
    assert (
        "model.shrinks=1: NearestMean has no parameter 'shrinks'; did you mean shrink?" in done.err
    )


def test_a_class_elsewhere_is_refused(own_folder, train):
    file = own_folder / "conf/model/nearest.yaml"
    file.write_text(file.read_text().replace("mygrades.", "classes.nearest."))
    done = train("model=nearest", "tracking=off")
    assert done.code == 1
    assert "only classes below" in done.err
