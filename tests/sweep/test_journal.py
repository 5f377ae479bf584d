"""The index answers as Optuna's own walk through the same journal does."""

import random

import pytest
from optuna.distributions import FloatDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState, create_trial

from student_perf.sweep.journal import IndexedJournal

ASKED = (None, (TrialState.WAITING,), (TrialState.COMPLETE, TrialState.PRUNED), tuple(TrialState))


def change(storage: IndexedJournal, study: int, draw: random.Random) -> None:
    """What a sweep does to a study, in any order."""
    kind = draw.choice(["new", "queued", "run", "again", "value", "end", "end"])
    if kind == "new":
        storage.create_new_trial(study)
    elif kind == "queued":
        storage.create_new_trial(study, create_trial(state=TrialState.WAITING))
    elif waiting := storage.get_all_trials(study, states=(TrialState.WAITING,)):
        storage.set_trial_state_values(waiting[0]._trial_id, TrialState.RUNNING)
    running = storage.get_all_trials(study, states=(TrialState.RUNNING,))
    if not running:
        return
    trial = draw.choice(running)._trial_id
    if kind == "again":
        storage.set_trial_state_values(trial, TrialState.WAITING)
    elif kind == "value":
        storage.set_trial_param(trial, "x", draw.random(), FloatDistribution(0, 1))
        storage.set_trial_user_attr(trial, "seen", draw.random())
    elif kind == "end":
        end = draw.choice([TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL])
        storage.set_trial_state_values(trial, end, [draw.random()])


def all_trials(storage: JournalStorage, study: int) -> list[list[FrozenTrial]]:
    return [storage.get_all_trials(study, states=states) for states in ASKED]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_it_answers_as_optuna_whoever_writes(tmp_path, seed):
    draw, file = random.Random(seed), str(tmp_path / "journal")
    mine, other = (IndexedJournal(JournalFileBackend(file)) for _ in range(2))
    studies = [mine.create_new_study([StudyDirection.MINIMIZE], name) for name in "ab"]
    for step in range(120):
        change(draw.choice([mine, other]), draw.choice(studies), draw)
        if step % 40 == 0:
            plain = JournalStorage(JournalFileBackend(file))
            for study in studies:
                assert all_trials(mine, study) == all_trials(plain, study)
                assert all_trials(other, study) == all_trials(plain, study)
    assert len(mine.get_all_trials(studies[0])) > 10


def test_a_refused_change_leaves_the_index_whole(tmp_path):
    file = str(tmp_path / "journal")
    mine, other = (IndexedJournal(JournalFileBackend(file)) for _ in range(2))
    study = mine.create_new_study([StudyDirection.MINIMIZE], "a")
    trial = mine.create_new_trial(study)
    other.set_trial_state_values(trial, TrialState.COMPLETE, [1.0])
    with pytest.raises(UpdateFinishedTrialError):
        mine.set_trial_user_attr(trial, "late", 1)
    assert [t.values for t in mine.get_all_trials(study, states=(TrialState.COMPLETE,))] == [[1.0]]
    with pytest.raises(KeyError):
        mine.get_all_trials(study + 1)


def test_a_caller_may_keep_or_change_the_list(tmp_path):
    mine = IndexedJournal(JournalFileBackend(str(tmp_path / "journal")))
    study = mine.create_new_study([StudyDirection.MINIMIZE], "a")
    mine.create_new_trial(study)
    mine.get_all_trials(study, deepcopy=False).clear()
    assert len(mine.get_all_trials(study, deepcopy=False)) == 1
