"""How a run gets to MLflow: from this process, or from one of its own that imports MLflow, which
takes seconds, while the run is computed.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection

from student_perf.config.schema import TrackingConfig
from student_perf.data import Dataset
from student_perf.experiment.prepare import can_fork
from student_perf.runs.record import RunRecord
from student_perf.signals import collected, interruption, leave_to_parent
from student_perf.store.client import get_ready
from student_perf.store.publisher import try_publish

log = logging.getLogger(__name__)

Send = Callable[[RunRecord], str | None]  # `try_publish` but for what both ways share


@contextmanager
def sender(tracking: TrackingConfig, dataset: Dataset, beside: bool) -> Iterator[Send]:
    """Gives what sends a record that came to its end, as `try_publish` does.

    Args:
        tracking: The store.
        dataset: The rows of the run.
        beside: Whether a process of its own may send it. Leaving the context ends that process,
            whatever it does, so Ctrl-C waits for nobody.
    """
    if beside and tracking.enabled and can_fork() and "mlflow" not in sys.modules:
        with closing(_Helper(tracking, dataset)) as helper:
            helper.start()
            yield helper.send
    else:
        yield lambda record: try_publish(record, tracking, dataset)


class _Helper:
    """The process that sends; a fork, which has the rows and the imports of this one."""

    def __init__(self, tracking: TrackingConfig, dataset: Dataset) -> None:
        self._tracking, self._dataset = tracking, dataset
        context = get_context("fork")
        self._connection, self._theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self._theirs, self._connection, tracking, dataset)
        )

    def start(self) -> None:
        """Start the process. Ctrl-C waits until it is known, and so can be ended."""
        with collected() as received:
            self._process.start()
        self._theirs.close()
        if received:
            raise interruption(received[0])

    def send(self, record: RunRecord) -> str | None:
        """`try_publish` in the process; in this one if that was killed, which sends nothing twice.

        Raises:
            ChangedError: A file is not as the run left it.
        """
        try:
            self._connection.send(record)
            answer = self._connection.recv()
        except (EOFError, OSError):
            log.warning("the process that sends to MLflow has ended; sending from here")
            return try_publish(record, self._tracking, self._dataset)
        if isinstance(answer, Exception):
            raise answer
        record.mlflow_run_id, pending = answer
        return pending  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the process, if it was started."""
        self._connection.close()
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()


def _serve(
    connection: Connection, parents: Connection, tracking: TrackingConfig, dataset: Dataset
) -> None:
    """Send one record, as soon as it comes; nothing if the command ends before."""
    parents.close()  # a copy, which would keep the connection open after the command's end
    leave_to_parent()
    with suppress(Exception):  # sending says what is wrong
        get_ready(tracking)
    with suppress(EOFError, OSError):  # the command has ended
        record: RunRecord = connection.recv()
        connection.send(_answer(record, tracking, dataset))


def _answer(
    record: RunRecord, tracking: TrackingConfig, dataset: Dataset
) -> tuple[str | None, str | None] | Exception:
    """Id of the run in MLflow and why it was not sent, or what was raised."""
    try:
        pending = try_publish(record, tracking, dataset)
    except Exception as error:
        return error
    return record.mlflow_run_id, pending
