import shutil
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient

from student_perf.compare.outcome import load_sweep
from student_perf.runs.record import load_record
from student_perf.sweep.account import audit, missing_in_mlflow, take_account
from student_perf.sweep.rebuild import open_whole_study
from student_perf.sweep.study import load_journal
from tests.made_runs import change_record
from tests.sweep.conftest import outcome_of, run_trials

QUICK = ["split.n_splits=2", "report.importance=false"]
TREE = ["model=tree", "model.max_depth=range(2,5)", "hydra.sweeper.n_trials=4",
        "hydra.sweeper.sampler=random", "hydra.sweeper.study_name=mine"]  # fmt: skip


@pytest.fixture
def sweep(train, workspace):
    outcome = train("-m", *TREE, *QUICK)
    assert outcome.code == 0, outcome.err
    return workspace / "multirun" / "mine"


@pytest.mark.slow
@pytest.mark.usefixtures("mlflow_loaded")
def test_a_sweep_adds_up_and_every_part_that_does_not_is_named(sweep, workspace):
    account = audit(sweep)
    assert account.wrong == []
    assert account.counted == [
        "study: 4 trials (4 complete)",
        "space: 3 trials in it, besides 1 reference",
        "records: 4 trials (4 FINISHED)",
        "board: 4 rows",
        f"winner: trial {load_sweep(sweep).best.record.trial_number}, accuracy "
        f"{load_sweep(sweep).best.mean:.3f} by its stored predictions, as on the board",
        "MLflow: 4 runs of trials",
    ]

    client = MlflowClient(tracking_uri=f"sqlite:///{workspace}/mlflow.db")
    client.delete_run(load_record(sweep / "2").mlflow_run_id)
    assert any(line.startswith("MLflow: lacks trial 2; run: ") for line in audit(sweep).wrong)
    client.restore_run(load_record(sweep / "2").mlflow_run_id)
    client.set_terminated(load_record(sweep / "2").mlflow_run_id, "FAILED")
    assert audit(sweep).wrong == ["trial 2: FAILED in MLflow, FINISHED in its record"]
    client.set_terminated(load_record(sweep / "2").mlflow_run_id, "FINISHED")

    record = load_record(sweep / "1")
    value = record.metrics["cv_accuracy_mean"]
    change_record(record, metrics={"cv_accuracy_mean": value + 0.25})
    assert f"trial 1: [{value}] in the study, [{value + 0.25}] in its record" in audit(sweep).wrong
    change_record(record, metrics={"cv_accuracy_mean": value}, status="FAILED")
    assert "trial 1: complete in the study, FAILED in its record" in audit(sweep).wrong
    change_record(record, status="FINISHED")

    whole = load_record(sweep)
    narrow = [whole.space[0] | {"high": 2}]
    change_record(whole, space=narrow)
    assert any("model.max_depth=3 is outside the space" in line for line in audit(sweep).wrong)
    other = {"name": "model.other", "key": "model.other", "values": "1", "when": [], "choices": [1]}
    change_record(whole, space=[*whole.space, other])
    assert "trial 1: has no value for model.other, which is swept" in audit(sweep).wrong
    change_record(whole, space=whole.space)

    spoil_a_prediction(sweep / "winner" / "predictions.parquet")
    (wrong,) = audit(sweep).wrong
    assert wrong.startswith("winner: trial ")
    assert "by its stored predictions, " in wrong
    (sweep / "winner" / "predictions.parquet").write_bytes(b"")
    assert "its predictions cannot be read" in audit(sweep).wrong[0]


def spoil_a_prediction(file: Path):
    table = pd.read_parquet(file)
    wrong = [c for c in table if c.startswith("proba_") and c != f"proba_{table.y_true[0]}"]
    table.loc[:20, [c for c in table if c.startswith("proba_")]] = 0.0
    table.loc[:20, wrong[0]] = 1.0
    table.to_parquet(file)


@pytest.mark.slow
def test_a_sweep_that_does_not_add_up_exits_with_1_and_says_why(train, workspace, monkeypatch):
    from student_perf.sweep import run

    restore = run.restore_trials

    def sabotaged(plan, *others):
        restore(plan, *others)
        shutil.rmtree(plan.folder / "1")

    monkeypatch.setattr(run, "restore_trials", sabotaged)
    outcome = train("-m", *TREE, *QUICK, "tracking=off", "hydra.sweeper.register=x")
    assert outcome.code == 1
    reason = "trial 1: complete in the study, but its folder has no record"
    assert f"mine: does not add up ({reason})" in outcome.err
    assert "student_perf check mine" in outcome.err
    assert "challenger" not in outcome.out


def test_a_sweep_without_its_study_counts_the_rest(sweep_folder):
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8]])
    account = take_account(load_sweep(folder), load_journal(folder / "study.journal", "mine"))
    assert account.counted[0].startswith("study: in a database whose address is not on record")
    assert account.counted[1:] == ["records: 2 trials (2 FINISHED)", "board: 2 rows",
                                   "winner: none"]  # fmt: skip
    assert account.wrong == []


def test_what_is_not_on_the_board_is_counted_or_named(sweep_folder):
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8], [0.6, 0.6], [0.5, 0.5]])
    load_record(folder / "2").fail("no luck")
    account = take_account(load_sweep(folder), None)
    assert account.counted[2] == "board: 3 rows; besides 1 failed"
    change_record(load_record(folder / "3"), metrics={"fold_accuracy": [0.5, None]})
    assert take_account(load_sweep(folder), None).wrong == ["board: lacks trial 3"]
    change_record(load_record(folder / "3"), tags={"student_perf.trial_number": "7"})
    assert "trial 3: its record is that of trial 7" in take_account(load_sweep(folder), None).wrong


def test_sets_that_cannot_be_ranked_are_counted_and_have_no_winner(sweep_folder):
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8], [0.6, 0.6]])
    change_record(load_record(folder / "0"), tags={"student_perf.split_sha256": "t" * 64})
    account = take_account(load_sweep(folder), None)
    assert account.counted[2:] == [
        "board: 3 configurations of 3 trials in 2 sets that can be compared; no best among them "
        "all",
        "winner: none, since the trials cannot be ranked",
    ]
    assert not account.wrong


def test_trials_of_a_tracked_sweep_that_were_not_sent_are_named_once(sweep_folder):
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8]])
    assert missing_in_mlflow(load_sweep(folder)) == []
    change_record(load_record(folder), params={"tracking.enabled": "True"})
    change_record(load_record(folder / "1"), mlflow_run_id="a" * 32)
    assert missing_in_mlflow(load_sweep(folder)) == ["MLflow: lacks trial 0"]
    (folder / "tracking_error.txt").write_text("no answer")  # which was said already
    assert missing_in_mlflow(load_sweep(folder)) == []


@pytest.mark.slow
def test_the_space_of_a_sweep_that_was_forced_to_go_on_is_not_checked(plan_of):
    plan, evaluator = plan_of("model.C=interval(0.1,1)", n_trials=2, study_name="mine")
    run_trials(plan, evaluator)
    other, _ = plan_of("model.C=interval(2,3)", n_trials=2, study_name="mine", resume="force")
    study = open_whole_study(other, print)
    outcome = outcome_of(other, evaluator)
    account = take_account(outcome, study)
    assert account.wrong == []
    assert (
        "space: not checked; resume=force went on though model.C was 0.1 to 1"
        in (account.counted[1])
    )


def test_a_store_whose_password_is_not_on_record_is_named(sweep_folder):
    folder = sweep_folder([[0.5, 0.6], [0.7, 0.8]])
    uri = "postgresql://me:***@host/x"
    change_record(load_record(folder), params={"tracking.enabled": "True", "tracking.uri": uri},
                  mlflow_run_id="a" * 32)  # fmt: skip
    (wrong,) = audit(folder).wrong
    assert wrong.startswith("MLflow: cannot be asked (")
    assert "MLFLOW_TRACKING_URI" in wrong
