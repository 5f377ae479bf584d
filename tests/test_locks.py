import os
import threading

import pytest

from student_perf.locks import ForkSafeLock


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
