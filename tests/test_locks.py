import os
import subprocess
import sys
import threading

import pytest

from student_perf.locks import ForkSafeLock, holding, is_held


def test_one_thread_at_a_time_holds_it():
    lock, order = ForkSafeLock(), []
    with lock:
        other = threading.Thread(target=lambda: (lock.__enter__(), order.append("other")))
        other.start()
        order.append("first")
    other.join()
    assert order == ["first", "other"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_child_finds_it_open_though_another_thread_held_it():
    lock, held, over = ForkSafeLock(), threading.Event(), threading.Event()

    def hold():
        with lock:
            held.set()
            over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait()
    child = os.fork()
    if child == 0:
        with lock:
            os._exit(7)
    over.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_lock_in_a_file_is_seen_while_it_is_held_and_leaves_nothing(tmp_path):
    file = tmp_path / "run.lock"
    assert not is_held(file)
    with holding(file):
        assert is_held(file)
        assert is_held(file)  # looking does not take it away
    assert not file.exists()


def test_a_lock_whose_holder_was_killed_is_free(tmp_path):
    file = tmp_path / "run.lock"
    words = "import sys, os; from pathlib import Path; from student_perf.locks import holding\n"
    words += "with holding(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", words, str(file)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        process.stdout.readline()
        assert is_held(file)
    finally:
        process.kill()
        process.communicate()
    assert file.exists()
    assert not is_held(file)
