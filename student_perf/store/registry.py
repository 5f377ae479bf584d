"""The model registry: versions of one name, and the aliases that say which is in use.

MLflow takes seconds to import, so this module imports it inside the functions that need it.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from student_perf.errors import TrackingError, one_line
from student_perf.runs import tags
from student_perf.runs.record import write_json
from student_perf.store.address import sqlite_file
from student_perf.store.client import (
    as_current,
    check_readable,
    logged_model_id,
    prepare_environment,
)
from student_perf.store.stage import holders

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"


@dataclass(frozen=True)
class Version:
    """A version of the model: its number as MLflow writes it, and the run that made it."""

    number: str
    run_id: str


def run_of_model(address: str, store: str) -> str | None:
    """Id of the run that logged the model at a `models:/` address, None if no run did.

    Raises TrackingError if the store does not answer or has no such model.
    """
    check_readable(store)
    prepare_environment()
    import mlflow

    try:
        with as_current(store):
            return mlflow.models.get_model_info(address).run_id or None
    except Exception as error:  # MLflow passes on whatever its stores raise
        raise TrackingError(
            f"{address}: no such model in {store} ({one_line(error)[:200]}); check the name, or "
            "name another store"
        ) from error


class Registry:
    """The versions and aliases of the model `name` in a store. Raises TrackingError if the store
    does not answer or refuses.
    """

    def __init__(self, store: str, name: str) -> None:
        self.store, self.name = store, name

    @cached_property
    def _client(self) -> MlflowClient:
        """Opened when it is needed. Raises TrackingError if the store is not there."""
        check_readable(self.store)
        prepare_environment()
        import mlflow

        return mlflow.MlflowClient(tracking_uri=self.store, registry_uri=self.store)

    def register(self, run_id: str) -> Version:
        """The version of a run's model, made if there is none yet."""
        known = self._versions().get(run_id)
        if known is not None:
            return Version(str(known.version), run_id)
        try:
            run = self._client.get_run(run_id)
            if (model_id := logged_model_id(self._client, run)) is not None:
                note = run.data.tags.get(tags.NOTE)
                return Version(self._new_version(run_id, model_id, note), run_id)
        except Exception as error:  # MLflow passes on whatever its stores raise
            raise self._refused(f"run {run_id} cannot be registered", error) from error
        raise TrackingError(f"run {run_id}: has logged no model to {self.store}; train it again")

    def holder(self, alias: str) -> Version | None:
        """The version that bears an alias, None if none does."""
        if sqlite_file(self.store) is not None:  # without MLflow, whose import takes seconds
            check_readable(self.store)
            with suppress(sqlite3.Error):  # of tables that another MLflow has made
                found = holders(self.store, self.name).get(alias)
                return None if found is None else Version(*found)
        from mlflow.exceptions import MlflowException

        try:
            version = self._client.get_model_version_by_alias(self.name, alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise self._refused(f"alias {alias} cannot be read", error) from error
        return Version(str(version.version), str(version.run_id))

    def move(self, aliases: Mapping[str, Version | None]) -> None:
        """Let each alias point to a version, or to none."""
        try:
            for alias, version in aliases.items():
                if version is not None:
                    self._client.set_registered_model_alias(self.name, alias, version.number)
                elif self.holder(alias) is not None:
                    self._client.delete_registered_model_alias(self.name, alias)
        except TrackingError:
            raise
        except Exception as error:
            raise self._refused("its aliases cannot be moved", error) from error

    def describe(self, version: Version, text: str) -> None:
        """Set the description of a version, in Markdown."""
        try:
            self._client.update_model_version(self.name, version.number, description=text)
        except Exception as error:
            raise self._refused(f"version {version.number} cannot be described", error) from error

    def tag(self, version: Version, tags: Mapping[str, str]) -> None:
        """Set tags on a version."""
        try:
            for key, value in tags.items():
                self._client.set_model_version_tag(self.name, version.number, key, value)
        except Exception as error:
            raise self._refused(f"version {version.number} cannot be tagged", error) from error

    def log_json(self, run_id: str, name: str, content: Mapping[str, Any]) -> None:
        """Keep `content` as an artifact of a run."""
        try:
            with tempfile.TemporaryDirectory() as place:
                write_json(Path(place) / name, content)
                self._client.log_artifact(run_id, str(Path(place) / name))
        except Exception as error:
            raise self._refused(f"{name} cannot be logged", error) from error

    def _new_version(self, run_id: str, model_id: str, note: str | None) -> str:
        """Make a version that says what its run says of its result."""
        if not self._client.search_registered_models(f"name = '{self.name}'"):
            self._client.create_registered_model(self.name)
        source = f"models:/{model_id}"
        with as_current(self.store):  # MLflow looks up the model there
            version = self._client.create_model_version(
                self.name, source, run_id=run_id, model_id=model_id, description=note
            )
        return str(version.version)

    def _versions(self) -> dict[str, ModelVersion]:
        """Versions by the run that made them; of several of one run the first."""
        client = self._client
        try:
            versions = client.search_model_versions(f"name = '{self.name}'")
        except Exception as error:
            raise self._refused("its versions cannot be read", error) from error
        return {str(v.run_id): v for v in sorted(versions, key=lambda v: -int(v.version))}

    def _refused(self, what: str, error: Exception) -> TrackingError:
        return TrackingError(f"model {self.name} in {self.store}: {what} ({one_line(error)[:200]})")
