import os
import signal

import pytest

from student_perf.signals import Terminated, collected, exit_code, interruption, raising


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_command_is_interrupted_with_the_code_of_the_signal(name, code):
    before = signal.getsignal(getattr(signal, name))
    with pytest.raises(Terminated, match=f"stopped by {name}") as found, raising():
        signal.raise_signal(getattr(signal, name))
    assert exit_code(found.value) == code
    assert signal.getsignal(getattr(signal, name)) is before


def test_collected_signals_wait_until_they_are_looked_at():
    with collected() as received:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
    assert received == [signal.SIGTERM, signal.SIGTERM]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with raising(), collected() as received:
            signal.raise_signal(signal.SIGHUP)
        assert received == []
    finally:
        signal.signal(signal.SIGHUP, before)


def test_ctrl_c_keeps_its_own_code():
    assert type(interruption(signal.SIGINT)) is KeyboardInterrupt
    assert exit_code(interruption(signal.SIGINT)) == 130
