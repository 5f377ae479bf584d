"""From a finished or failed record to the tracking store."""

from __future__ import annotations

import logging

from sklearn.base import BaseEstimator

from student_perf.config.schema import ExperimentConfig, TrackingConfig
from student_perf.data import Dataset
from student_perf.errors import StoreUnreachableError, TrackingError, one_line
from student_perf.runs.record import RunRecord
from student_perf.store.client import check_store, publish

log = logging.getLogger(__name__)


def check_tracking(tracking: TrackingConfig) -> None:
    """Raise TrackingError for a store that can never take a run; one that merely does not answer
    gets it later.
    """
    try:
        check_store(tracking)
    except StoreUnreachableError as error:
        log.warning("%s", error)


def publish_run(
    config: ExperimentConfig,
    record: RunRecord,
    dataset: Dataset,
    model: BaseEstimator | None = None,
) -> str | None:
    """Send a finished or failed record to the tracking store; returns why that did not succeed.

    Nothing is lost then: the record in its folder is complete and can be sent later.
    """
    if not config.tracking.enabled:
        return None
    log.info("publishing to %s", config.tracking.uri)
    try:
        check_store(config.tracking)
        record.mlflow_run_id = publish(record, config.tracking, dataset, model)
    except TrackingError as error:
        log.error("not published: %s", one_line(error))
        return one_line(error)
    record.save()
    return None
