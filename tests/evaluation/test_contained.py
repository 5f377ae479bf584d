import logging
import os
import random
import signal
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import sklearn

from student_perf.errors import ModelError
from student_perf.evaluation.contained import contained, process_kept, seed_globals
from tests.hostile import CHANGES, LEFT_BEHIND, RAISED


def state_of_the_process():
    return {
        "numbers": np.random.get_state(legacy=False)["state"]["key"].tolist(),
        "words": random.getstate(),
        "folder": Path.cwd(),
        "environment": dict(os.environ),
        "filters": warnings.filters[:],
        "float errors": np.geterr(),
        "options": sklearn.get_config(),
        "streams": (sys.stdout, sys.stderr),
        "handler": signal.getsignal(signal.SIGINT),
    }


@pytest.mark.parametrize("name", CHANGES)
def test_the_process_is_afterwards_as_it_was_before(name, monkeypatch):
    monkeypatch.setenv("PATH", os.environ["PATH"])  # brought back, should this test fail
    monkeypatch.delenv(LEFT_BEHIND, raising=False)
    before = state_of_the_process()
    with process_kept(), contained("here"):
        CHANGES[name]()
    assert state_of_the_process() == before


def change_everything():
    for change in CHANGES.values():
        change()
    raise ValueError("no")


def test_it_is_also_after_a_failure_and_within_another_call():
    before = state_of_the_process()
    with process_kept():
        with pytest.raises(ValueError, match="no"), process_kept(), contained("here"):
            change_everything()
        assert LEFT_BEHIND not in os.environ
        assert np.geterr() == before["float errors"]
    assert state_of_the_process() == before


def test_calls_that_overlap_leave_the_numbers_as_they_were():
    before = state_of_the_process()
    first, second = process_kept(), process_kept()
    with ThreadPoolExecutor(1) as other:
        first.__enter__()
        other.submit(second.__enter__).result()
        seed_globals(3)
        first.__exit__(None, None, None)
        seed_globals(4)
        other.submit(second.__exit__, None, None, None).result()
    assert state_of_the_process() == before


def test_a_folder_that_was_removed_is_no_error(tmp_path, monkeypatch):
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    with process_kept(), contained("here"):
        folder.rmdir()
        os.chdir("/")


ENDS = [word for word in RAISED if not word.startswith(("ValueError", "_MuteError"))]


@pytest.mark.parametrize("word", ENDS)
def test_what_would_end_the_process_is_an_ordinary_error(word):
    with (
        pytest.raises(ModelError, match=f"^the model raised {word} in fold 2 of 5; "),
        process_kept(),
        contained("in fold 2 of 5"),
    ):
        RAISED[word]()


def test_ctrl_c_of_the_user_stays_what_it_is():
    with pytest.raises(KeyboardInterrupt), process_kept(), contained("here"):
        signal.raise_signal(signal.SIGINT)
    # Where nothing listens, nobody knows whose it is.
    with pytest.raises(KeyboardInterrupt), contained("here"):
        raise KeyboardInterrupt


def test_an_interrupt_before_the_model_began_does_not_excuse_its_own():
    with process_kept():
        with pytest.raises(KeyboardInterrupt), contained("here"):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(ModelError, match="KeyboardInterrupt"), contained("here"):
            raise KeyboardInterrupt


def test_a_process_that_ignores_ctrl_c_and_a_thread_keep_to_it():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # as the workers of a sweep do
    try:
        with process_kept(), contained("here"):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    errors = []

    def run():
        try:
            with process_kept(), contained("in a thread"):
                raise KeyboardInterrupt
        except ModelError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(errors) == 1


def test_ordinary_errors_stay_as_they_are():
    error = ValueError("no")
    with pytest.raises(ValueError, match="no") as raised, contained("here"):
        raise error
    assert raised.value is error


def test_threads_that_were_left_behind_are_named_once(caplog):
    done = threading.Event()
    with caplog.at_level(logging.WARNING), process_kept(), process_kept():
        thread = threading.Thread(target=done.wait, name="left-over")
        thread.start()
    done.set()
    thread.join()
    (line,) = caplog.messages
    assert line.startswith("the model has left 1 thread running (left-over)")


def test_equal_seeds_give_equal_global_numbers_and_leave_the_users_alone():
    drawn = []
    for _ in range(2):
        with process_kept():
            seed_globals(3)
            drawn.append((np.random.rand(), random.random()))
            seed_globals(4)
            assert (np.random.rand(), random.random()) != drawn[-1]
    assert drawn[0] == drawn[1]
