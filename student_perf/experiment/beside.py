"""What another process does for a run: it imports MLflow and matplotlib, which takes seconds, while
the run is computed; then it draws the pictures and sends the record. It is a fork and has what this
process has imported before.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from student_perf.config.schema import TrackingConfig
from student_perf.experiment.threads import can_fork
from student_perf.signals import collected, interruption, leave_to_parent
from student_perf.warned import warnings_kept

if TYPE_CHECKING:
    from student_perf.plots.shown import Shown
    from student_perf.runs.record import RunRecord
    from student_perf.store.excerpt import Excerpt

log = logging.getLogger(__name__)


class Companion(Protocol):
    """Draws the pictures of a run and sends its record."""

    def draw(self, folder: Path, shown: Shown) -> None:
        """Begin to draw the pictures of a run into its folder."""

    def wait(self) -> None:
        """Return once the pictures are drawn. Raises OSError if they cannot be written."""

    def send(self, record: RunRecord, tracking: TrackingConfig, dataset: Excerpt) -> str | None:
        """Send a record that came to its end, as `store.publisher.try_publish` does.

        Raises:
            ChangedError: A file is not as the run left it.
        """


class Here:
    """Draws and sends in this process, at once."""

    def draw(self, folder: Path, shown: Shown) -> None:
        """Draw the pictures of a run into its folder."""
        from student_perf.runs.artifacts import write_pictures

        write_pictures(folder, shown)

    def wait(self) -> None:
        """Return at once."""

    def send(self, record: RunRecord, tracking: TrackingConfig, dataset: Excerpt) -> str | None:
        """`try_publish`."""
        from student_perf.store.publisher import try_publish

        return try_publish(record, tracking, dataset)


class UnderSweep(Here):
    """Draws in this process, and leaves the record to the publisher of its sweep."""

    def send(self, record: RunRecord, tracking: TrackingConfig, dataset: Excerpt) -> str | None:
        """Send nothing."""


@contextmanager
def companion(tracking: TrackingConfig) -> Iterator[Companion]:
    """Another process, or this one if that would not help: nothing is sent, MLflow is there, or
    a fork would wait for ever. Leaving the context ends the process,
    whatever it does, so Ctrl-C waits for nobody.
    """
    if tracking.enabled and can_fork() and "mlflow" not in sys.modules:
        with closing(Helper(tracking)) as helper:
            helper.start()
            yield helper
    else:
        yield Here()


class Helper:
    """Another process; where that is killed, this one does the work, and sends nothing twice."""

    def __init__(self, tracking: TrackingConfig) -> None:
        self._drawing: tuple[Path, Shown] | None = None
        context = multiprocessing.get_context("fork")
        self._connection, self._theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(self._theirs, self._connection, tracking)
        )

    def start(self) -> None:
        """Start the process. Ctrl-C waits until it is known, and so can be ended."""
        with collected() as received:
            self._process.start()
        self._theirs.close()
        if received:
            raise interruption(received[0])

    def draw(self, folder: Path, shown: Shown) -> None:
        """Begin to draw the pictures of a run into its folder."""
        self._drawing = folder, shown
        with suppress(OSError):  # it has ended, as `wait` will find
            self._connection.send(("draw", folder, shown))

    def wait(self) -> None:
        """Return once the pictures are drawn. Raises OSError if they cannot be written."""
        drawing, self._drawing = self._drawing, None
        try:
            self._result()
        except (EOFError, ConnectionError):
            assert drawing is not None
            log.warning("the process that draws has ended; drawing here")
            Here().draw(*drawing)

    def send(self, record: RunRecord, tracking: TrackingConfig, dataset: Excerpt) -> str | None:
        """`try_publish` in the process. Raises ChangedError."""
        try:
            if self._drawing is not None:  # of a run that failed meanwhile
                with suppress(OSError):
                    self._result()
            self._connection.send(("send", record, tracking, dataset))
            record.mlflow_run_id, pending = self._result()
        except (EOFError, ConnectionError):
            log.warning("the process that sends to MLflow has ended; sending from here")
            return Here().send(record, tracking, dataset)
        return pending  # type: ignore[no-any-return]

    def _result(self) -> Any:
        result, error = self._connection.recv()
        if error is not None:
            raise error
        return result

    def close(self) -> None:
        """End the process, if it was started."""
        self._connection.close()
        if self._process.pid is not None:
            self._process.kill()
            self._process.join()


def _serve(connection: Any, parents: Any, tracking: TrackingConfig) -> None:
    """Do what comes, one after the other, until the command ends."""
    parents.close()  # a copy, which would keep the connection open after the command's end
    leave_to_parent()
    with warnings_kept(), suppress(EOFError, OSError):  # the command has ended
        with suppress(Exception):  # drawing and sending say what is wrong
            _get_ready(tracking)
        while True:
            what, *facts = connection.recv()
            try:
                done = _WORK[what](*facts)
            except Exception as error:
                connection.send((None, error))
            else:
                connection.send((done, None))


def _get_ready(tracking: TrackingConfig) -> None:
    """Import what drawing and sending need."""
    from student_perf.store.client import get_ready

    get_ready(tracking)
    from student_perf.plots import figures  # noqa: F401


def _send(
    record: RunRecord, tracking: TrackingConfig, dataset: Excerpt
) -> tuple[str | None, str | None]:
    """Id of the run in MLflow, and why it was not sent."""
    pending = Here().send(record, tracking, dataset)
    return record.mlflow_run_id, pending


_WORK: dict[str, Callable[..., Any]] = {"draw": Here().draw, "send": _send}
