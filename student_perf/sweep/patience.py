"""A database that holds a study may go and come back: the sweep waits for it, up to a limit."""

from __future__ import annotations

import copy
import logging
import sqlite3
import time
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.study._frozen import FrozenStudy
from optuna.trial import FrozenTrial, TrialState

from student_perf.errors import ConfigError, one_line
from student_perf.terminal import make_console
from student_perf.text import duration

log = logging.getLogger(__name__)

LOST_FILE = "storage_lost"  # there while some process of the sweep waits for the database
_LOOK = 0.1  # seconds between two looks whether the sweep is to stop


class StorageLostError(ConfigError):
    """The database has not come back within the limit."""


@dataclass
class Patience:
    """How long to wait, and how the processes of a sweep say that once.

    `seconds` is the limit, `folder` the sweep's, `name` the storage as a person may read it.
    `must_stop` ends the waiting early.
    """

    seconds: float
    folder: Path
    name: str
    must_stop: Callable[[], bool] = lambda: False
    has_lost: bool = False

    def keep_trying(self, call: Callable[[], Any], again: Callable[[], Any] | None = None) -> Any:
        """What `call` returns, as soon as the database answers.

        Args:
            call: Asks the database.
            again: Asks it the next times; for a change that the database may have made before its
                answer was lost. By default `call`.

        Raises:
            StorageLostError: The limit is over, or the sweep is to stop.
        """
        try:
            return call()
        except Exception as error:
            if self.has_lost or not is_lost(error):
                raise
            return self._wait(again or call, error)

    def _wait(self, call: Callable[[], Any], lost: Exception) -> Any:
        until = time.monotonic() + self.seconds
        for pause in _pauses():
            try:
                result = call()
            except Exception as error:
                if not is_lost(error):
                    raise
                lost = error
            else:
                self._say_back()
                return result
            if pause:  # the first attempt finds a server that was restarted quickly
                self._say_lost(lost)
            self._sleep(min(time.monotonic() + pause, until))
            if time.monotonic() >= until or self.must_stop():
                break
        self.has_lost = True
        raise StorageLostError(
            f"hydra.sweeper.storage={self.name}: has not answered for {duration(self.seconds)} "
            f"({_reason(lost)}); bring the database back and run the command again"
        ) from lost

    def _sleep(self, until: float) -> None:
        while time.monotonic() < until and not self.must_stop():
            time.sleep(min(_LOOK, max(until - time.monotonic(), 0.0)))

    def _say_lost(self, error: Exception) -> None:
        try:
            (self.folder / LOST_FILE).touch(exist_ok=False)
        except OSError:  # another process has said it
            return
        _say(
            f"The study's database does not answer ({_reason(error)}); waiting up to "
            f"{duration(self.seconds)}."
        )

    def _say_back(self) -> None:
        try:
            (self.folder / LOST_FILE).unlink()
        except OSError:
            return
        _say("The study's database is back.")


def _say(line: str) -> None:
    log.warning("%s", line)
    make_console().print(f"  {line}", style="yellow", soft_wrap=True)


def _pauses() -> Iterator[float]:
    """Seconds after each attempt: none after the first, then growing ones."""
    return chain((0.0, 0.5, 1.0, 2.0, 4.0), repeat(8.0))


def is_lost(error: BaseException) -> bool:
    """Whether an error says that the database is not there now, or busy, and may answer later."""
    from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError  # takes 0.1 s

    found: BaseException | None = error
    # Optuna asks once more within the broken transaction, which hides the driver's own error.
    while found is not None and not isinstance(found, DBAPIError):
        found = found.__cause__ or found.__context__
    if not isinstance(found, DBAPIError):
        return False
    if isinstance(found.orig, sqlite3.Error):  # a file comes back only if somebody has locked it
        return "locked" in str(found.orig)
    is_usual = isinstance(found, OperationalError | InterfaceError)
    return is_usual or bool(found.connection_invalidated)


def _reason(error: BaseException) -> str:
    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return one_line(getattr(cause, "orig", None) or error)[:120]


class PatientStorage(BaseStorage):
    """Optuna's storage in a database, whose answers are waited for."""

    def __init__(self, storage: BaseStorage, patience: Patience) -> None:
        self._storage, self._patience = storage, patience
        self._keeps = False  # the next reading
        self._reading: tuple[int, list[FrozenTrial]] | None = None  # of a study

    @contextmanager
    def reading_once(self) -> Iterator[None]:
        """Read all trials at most once meanwhile: each reading takes seven statements. Call it
        under the lock of asking; what others tell meanwhile is seen afterwards.
        """
        self._keeps, self._reading = True, None
        try:
            yield
        finally:
            self._keeps, self._reading = False, None

    def _ask(self, name: str, *words: Any, **more: Any) -> Any:
        method = getattr(self._storage, name)
        return self._patience.keep_trying(lambda: method(*words, **more))

    def create_new_study(
        self, directions: Sequence[StudyDirection], study_name: str | None = None
    ) -> int:
        """Said twice it is refused, which those who load a study that exists expect."""
        return int(self._ask("create_new_study", directions, study_name))

    def delete_study(self, study_id: int) -> None:
        """As in Optuna."""
        self._ask("delete_study", study_id)

    def set_study_user_attr(self, study_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self._ask("set_study_user_attr", study_id, key, value)

    def set_study_system_attr(self, study_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self._ask("set_study_system_attr", study_id, key, value)

    def get_study_id_from_name(self, study_name: str) -> int:
        """As in Optuna."""
        return int(self._ask("get_study_id_from_name", study_name))

    def get_study_name_from_id(self, study_id: int) -> str:
        """As in Optuna."""
        return str(self._ask("get_study_name_from_id", study_id))

    def get_study_directions(self, study_id: int) -> list[StudyDirection]:
        """As in Optuna."""
        return list(self._ask("get_study_directions", study_id))

    def get_study_user_attrs(self, study_id: int) -> dict[str, Any]:
        """As in Optuna."""
        return dict(self._ask("get_study_user_attrs", study_id))

    def get_study_system_attrs(self, study_id: int) -> dict[str, Any]:
        """As in Optuna."""
        return dict(self._ask("get_study_system_attrs", study_id))

    def get_all_studies(self) -> list[FrozenStudy]:
        """As in Optuna."""
        return list(self._ask("get_all_studies"))

    def create_new_trial(self, study_id: int, template_trial: FrozenTrial | None = None) -> int:
        """A queued trial is not made twice. One that runs may be; nobody holds it, so it is queued
        again when the workers are done.
        """
        self._reading = None

        def create() -> int:
            return self._storage.create_new_trial(study_id, template_trial)

        def again() -> int:
            made = self._like(study_id, template_trial) if template_trial else None
            return create() if made is None else made

        return int(self._patience.keep_trying(create, again))

    def _like(self, study_id: int, template: FrozenTrial) -> int | None:
        """Id of the newest trial if it is what the template says."""
        trials = self._storage.get_all_trials(study_id, deepcopy=False)
        last = trials[-1] if trials else None
        if last is None or last.state != template.state or last.params != template.params:
            return None
        attributes = last.user_attrs, last.system_attrs
        same = attributes == (template.user_attrs, template.system_attrs)
        return last._trial_id if same else None

    def set_trial_param(
        self,
        trial_id: int,
        param_name: str,
        param_value_internal: float,
        distribution: BaseDistribution,
    ) -> None:
        """As in Optuna."""
        self._ask("set_trial_param", trial_id, param_name, param_value_internal, distribution)

    def set_trial_state_values(
        self, trial_id: int, state: TrialState, values: Sequence[float] | None = None
    ) -> bool:
        """Said twice it is harmless: only one process asks for a trial, or tells it, at a time."""
        self._reading = None

        def change() -> bool:
            return self._storage.set_trial_state_values(trial_id, state, values)

        def again() -> bool:
            return self._storage.get_trial(trial_id).state == state or change()

        return bool(self._patience.keep_trying(change, again))

    def set_trial_intermediate_value(
        self, trial_id: int, step: int, intermediate_value: float
    ) -> None:
        """As in Optuna."""
        self._ask("set_trial_intermediate_value", trial_id, step, intermediate_value)

    def set_trial_user_attr(self, trial_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self._ask("set_trial_user_attr", trial_id, key, value)

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """As in Optuna."""
        self._ask("set_trial_system_attr", trial_id, key, value)

    def get_trial_id_from_study_id_trial_number(self, study_id: int, trial_number: int) -> int:
        """As in Optuna."""
        return int(self._ask("get_trial_id_from_study_id_trial_number", study_id, trial_number))

    def get_trial(self, trial_id: int) -> FrozenTrial:
        """As in Optuna."""
        trial: FrozenTrial = self._ask("get_trial", trial_id)
        return trial

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        """As in Optuna."""
        if not self._keeps:
            return list(self._ask("get_all_trials", study_id, deepcopy, states))
        if self._reading is None or self._reading[0] != study_id:
            self._reading = study_id, self._ask("get_all_trials", study_id, False)
        trials = [t for t in self._reading[1] if states is None or t.state in states]
        return copy.deepcopy(trials) if deepcopy else trials

    def get_best_trial(self, study_id: int) -> FrozenTrial:
        """As in Optuna."""
        trial: FrozenTrial = self._ask("get_best_trial", study_id)
        return trial

    def remove_session(self) -> None:
        """As in Optuna."""
        self._storage.remove_session()
