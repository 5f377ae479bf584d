"""What a store of runs can do; the publisher asks for nothing else.

A store for another tracker is one class with these methods; `client.open_store` chooses it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from student_perf.runs.record import RunRecord
from student_perf.store.stage import Stage
from student_perf.store.views import SweepShape

if TYPE_CHECKING:
    from student_perf.store.excerpt import Excerpt

Marks = Mapping[str, float | str]  # numbers are metrics, words are tags


class Store(Protocol):
    """An open store and the experiment that runs go to. Ids are the store's own."""

    def open(self, record: RunRecord, run_id: str | None = None) -> str:
        """Create the run of a record, or set the run it has to RUNNING again; returns its id."""

    def resume(self, run_id: str) -> Stage:
        """Whether a run is in the experiment: ACTIVE, ABSENT or, if it was in the bin and has now
        come back with the runs below it, DELETED.
        """

    def adopt(self, gone: str, parent_id: str) -> None:
        """Tie the runs below a sweep's run that is gone to another one."""

    def send(
        self,
        record: RunRecord,
        run_id: str | None = None,
        dataset: Excerpt | None = None,
        with_model: bool = False,
        files: Sequence[Path] | None = None,
    ) -> str:
        """Send a record that came to its end; returns the run's id.

        With `run_id` that run is completed. Sending the same values twice changes nothing, and a
        param keeps its first value.

        Args:
            record: Its folder holds the files.
            run_id: The run that was begun for it.
            dataset: What the run shows of its rows.
            with_model: Whether to attach the folder's model to the run, with the rows.
            files: The files to keep as artifacts; by default all in the record's folder.
        """

    def add_rows(
        self, records: Sequence[RunRecord], datasets: Mapping[str, Excerpt] | None = None
    ) -> list[str]:
        """Send new records all at once or not at all, without models; returns the ids.

        Empty if the store cannot do that; then each record has to be sent. `datasets` are what
        runs show of their rows, by the SHA-256 of these, as far as they are at hand.
        """

    def find(self, record: RunRecord) -> str | None:
        """Id of the run that was begun for a record, None if there is none."""

    def children(self, parent_id: str) -> dict[int, tuple[str, str]]:
        """Id and MLflow's status of the trials below a sweep's run, by number."""

    def retire(self, parent_id: str, kept: Collection[str]) -> None:
        """Mark kept models below a sweep's run as replaced, except for the records in `kept`.

        A run that was begun for a replaced one ends.
        """

    def mark(self, marks: Mapping[str, Marks]) -> None:
        """Set metrics and tags of runs that have ended, by id, in place of earlier values; an id
        that the store does not have is passed over.
        """

    def show_sweep(self, run_id: str, shape: SweepShape | None) -> str | None:
        """Write the saved views of the store's page for a sweep's run, if it has such a page and
        `shape` is known. A failure is one line in the log.

        Returns:
            The address that shows the sweep, None if no server of others shows it.
        """

    def show_run(self, run_id: str) -> str | None:
        """Write the saved views of the store's page, if it has such a page and no views yet; see
        `show_sweep`.

        Returns:
            The address of the run's page, None if no server of others shows it.
        """
