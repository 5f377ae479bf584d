import shlex

from optuna.trial import create_trial

from student_perf.data.dataset import Dataset
from student_perf.runs.record import load_record
from student_perf.sweep.record import (
    describe_target,
    describe_trial,
    start_record,
    typed_command,
)


def test_targets_are_counted_or_summed_up(small_dataset):
    assert describe_target(small_dataset) == "grade: low 20, mid 20, high 20"
    numbers = Dataset(
        name="x", version="1", task="regression", target_name="score",
        features=small_dataset.features, target=small_dataset.target * 10.0, classes=(),
        sha256="0" * 64,
    )  # fmt: skip
    assert describe_target(numbers) == (
        "score: mean 10.000, standard deviation 8.234, 0.000 to 20.000"
    )


def test_the_command_is_quoted_for_a_shell(monkeypatch):
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "a=choice(b, c)"])
    assert shlex.split(typed_command())[-1] == "a=choice(b, c)"


def test_a_call_from_python_has_no_command(monkeypatch):
    monkeypatch.setattr("sys.argv", ["ipykernel_launcher.py", "-f", "kernel.json"])
    assert typed_command() is None


def test_the_record_of_a_sweep_holds_its_space_and_objectives_as_data(plan_of):
    plan, evaluator = plan_of(
        "model.C=tag(log,interval(0.01,10))", "model.class_weight=null,balanced",
        constraints={"log_loss": 1.2},
    )  # fmt: skip
    plan.folder.mkdir(parents=True)
    start_record(plan, evaluator.data(plan.base), "")
    record = load_record(plan.folder)
    assert record.objectives == {"metrics": ["accuracy"], "limits": {"log_loss": 1.2}}
    assert record.space == [
        {
            "name": "model.C", "values": "0.01 to 10, log scale", "key": "model.C", "when": [],
            "kind": "float", "low": 0.01, "high": 10.0, "step": None, "log": True,
        },
        {
            "name": "model.class_weight", "values": "None, balanced", "key": "model.class_weight",
            "when": [], "kind": "choice", "choices": [None, "balanced"],
        },
    ]  # fmt: skip
    again = start_record(plan, evaluator.data(plan.base), "")
    assert again.record_id == record.record_id


def test_trials_of_two_files_with_one_model_have_names_of_their_own(plan_of):
    plan, evaluator = plan_of("model=auto/stumps,auto/pairs")
    plan.folder.mkdir(parents=True)
    record = start_record(plan, evaluator.data(plan.base), "")
    trial = create_trial(value=0.5)
    trial.number = 7
    describe_trial(record, plan, trial, {"model": "auto/stumps"})
    assert (record.name, record.swept) == ("stumps-7", {"model": "auto/stumps"})
    describe_trial(record, plan, trial, {"model.max_depth": 3})
    assert record.name == f"{record.model}-7"
