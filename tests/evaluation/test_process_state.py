import os
import random
from contextlib import suppress
from pathlib import Path

import numpy as np

from student_perf.evaluation.process_state import kept_state


def draw():
    return random.random(), float(np.random.random())


def test_draws_follow_from_the_seed_and_leave_no_trace():
    random.seed(1)
    np.random.seed(1)
    outside = [draw(), draw()]
    random.seed(1)
    np.random.seed(1)
    with kept_state(7):
        first = draw()
    assert draw() == outside[0]
    with kept_state(7):
        assert draw() == first
    with kept_state(8):
        assert draw() != first
    assert draw() == outside[1]


def test_folder_and_environment_are_put_back_after_an_error_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEPT", "yes")
    with suppress(KeyError), kept_state(0):
        os.chdir("/")
        del os.environ["KEPT"]
        os.environ["NEW"] = "1"
        raise KeyError
    assert Path.cwd() == tmp_path
    assert os.environ["KEPT"] == "yes"
    assert "NEW" not in os.environ
