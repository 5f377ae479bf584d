import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from student_perf.compare.leaderboard import make_leaderboards
from student_perf.compare.tuning import bias_corrected
from student_perf.errors import ConfigError
from student_perf.experiment.run import run_experiment
from student_perf.runs.predictions import load_predictions
from student_perf.scoring.answers import Answers
from student_perf.scoring.metrics import (
    METRICS,
    TASKS,
    Metric,
    default_metric,
    metric_direction,
    metrics_of,
)
from student_perf.terminal import Terminal


@pytest.mark.parametrize("task", TASKS)
def test_every_named_metric_is_computed_and_no_other(task):
    y_true = np.array([0, 1, 2, 2])
    output = np.eye(3)[y_true] if task == "classification" else y_true + 0.5
    answers = Answers(y_true, output)
    assert list(answers.scores()) == metrics_of(task, n_classes=3)
    assert list(answers.scores(ordered=True)) == metrics_of(task, ordered=True, n_classes=3)


def test_metrics_of_the_positive_class_are_for_two_classes():
    positive = {"f1", "precision", "recall", "average_precision"}
    assert positive == {name for name in METRICS if METRICS[name].binary}
    assert positive < set(metrics_of("classification", n_classes=2))
    assert not positive & set(metrics_of("classification", n_classes=3))
    assert not positive & set(metrics_of("regression"))
    answers = Answers(np.array([0, 1]), np.eye(2))
    assert list(answers.scores()) == metrics_of("classification", n_classes=2)


def test_a_metric_has_one_formula():
    for metric in METRICS.values():
        forms = (metric.of_counts, metric.of_rows, metric.of_answers)
        assert sum(form is not None for form in forms) == 1, metric.name


@pytest.mark.parametrize("name", [one for one, info in METRICS.items() if info.tells_parts_apart])
def test_a_metric_that_tells_parts_apart_lies_between_theirs(name):
    rng, metric = np.random.default_rng(0), METRICS[name]
    for _ in range(50):
        if metric.task == "regression":
            truth = rng.normal(5, 1, 40)
            answers = Answers(truth, truth + rng.standard_t(3, 40))
        else:
            answers = Answers(rng.integers(0, 2, 40), rng.dirichlet(np.ones(2), 40))
        cut = rng.integers(10, 30)
        parts = [metric.of(answers.take(part)) for part in (slice(cut), slice(cut, None))]
        assert min(parts) - 1e-9 <= metric.of(answers) <= max(parts) + 1e-9


@pytest.mark.slow
def test_one_entry_makes_a_metric(monkeypatch, compose_config, workspace, grades):
    kappa = Metric(
        "cohens_kappa",
        "Cohen's kappa",
        "maximize",
        task="classification",
        lowest=-1.0,
        of_counts=lambda c: 1 - c.total(c.distance > 0) / c.total_by_chance(c.distance > 0),
    )
    monkeypatch.setitem(METRICS, kappa.name, kappa)
    data = ["dataset=csv", f"dataset.path={grades}", "dataset.target=grade", "tracking=off"]
    words = [*data, "model=logreg", "split.n_splits=3", "objective.metric=cohens_kappa"]
    quiet, config = Terminal(quiet=True), compose_config(*words)
    result = run_experiment(config, workspace / "run", quiet, kind="final")
    stored = load_predictions(workspace / "run" / "predictions.parquet")
    expected = [
        cohen_kappa_score(stored.y_true[here], stored.output[here].argmax(axis=1))
        for here in (stored.fold == fold for fold in range(3))
    ]
    assert result.record.fold_scores("cohens_kappa") == pytest.approx(np.array(expected))
    assert result.record.test_estimate("cohens_kappa") is not None
    assert result.objective == pytest.approx(np.mean(expected))
    (board,) = make_leaderboards([result.record])
    assert board.lines[0].mean == pytest.approx(np.mean(expected))
    assert bias_corrected([stored], "cohens_kappa").n_bootstraps == 500


def test_default_metric_belongs_to_its_task():
    assert {METRICS[default_metric(task)].task for task in TASKS} == set(TASKS)


def test_losses_are_minimised_and_scores_maximised():
    losses = {name for name in METRICS if name.endswith(("loss", "error"))}
    losses |= {"brier_score", "ranked_probability_score"}
    assert {name for name in METRICS if metric_direction(name) == "minimize"} == losses


def test_unknown_names_are_refused_with_the_nearest():
    with pytest.raises(ConfigError, match="did you mean accuracy"):
        metric_direction("acuracy")
    with pytest.raises(ConfigError, match="did you mean regression"):
        default_metric("regresion")


def test_a_metric_that_only_a_record_knows_is_one_line():
    with pytest.raises(ConfigError, match=r"acuracy: is not a metric .* did you mean accuracy\?"):
        METRICS["acuracy"]
