import re

from student_perf.lifecycle.model_card import model_card
from tests.lifecycle.conftest import change_record, read


def test_the_card_holds_the_figures_of_the_run(run):
    record = run("model=ridge")
    card = model_card(read(record))
    for title in ("Data", "Intended use", "Limits", "Results by group", "How to check it"):
        assert f"\n## {title}\n" in card
    mean = record.metrics["cv_accuracy_mean"]
    low, high = (record.metrics[f"cv_accuracy_ci95_{end}"] for end in ("low", "high"))
    dummy = record.metrics["dummy_accuracy_mean"]
    assert f"| accuracy | {mean:.3f} | {low:.3f} to {high:.3f} | {dummy:.3f} |" in card
    assert record.tags["student_perf.data_sha256"] in card
    assert "under_60, 60_to_70, 70_to_80, from_80" in card
    assert re.search(r"\| male \| 1 \| 341 \| accuracy \|", card)


def test_limits_name_noise_and_looks(run):
    record = run("model=ridge")
    metrics = {**record.metrics, "label_noise_ceiling": 0.912, "test_looks": 3.0}
    change_record(record, metrics=metrics)
    card = model_card(read(record))
    assert "accuracy of any model to 0.912" in card
    assert "opened 3 times" in card


def test_names_from_data_are_no_markup(run, grades):
    text = grades.read_text().replace("grade", "a|b<script>", 1)
    grades.write_text(text)
    words = ["dataset=csv", f"dataset.path={grades}", "dataset.target='a|b<script>'"]
    card = model_card(read(run("model=ridge", *words)))
    assert "<script>" not in card
    assert "a\\|b&lt;script>" in card
