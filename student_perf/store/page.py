"""The way to MLflow's page: which address shows a run, a sweep, an experiment, and its views.

>>> from student_perf.store.views import run_address
>>> run_address("https://mlflow.example.org", "1", "ab")
'https://mlflow.example.org/#/experiments/1/runs/ab?workflowType=machine_learning'
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from student_perf.errors import ConfigError, one_line
from student_perf.runs import tags
from student_perf.runs.record import RunRecord, begun_run_id
from student_perf.scoring.metrics import DEFAULT_METRIC, METRICS
from student_perf.shell import own_line
from student_perf.store.attachments import PICTURES
from student_perf.store.client import prepare_environment
from student_perf.store.views import (
    SweepShape,
    View,
    experiment_address,
    has_view,
    page_version,
    pictures_view,
    run_address,
    runs_view,
    save_views,
    sweep_view,
    view_address,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

log = logging.getLogger(__name__)

# Written where an experiment has no description yet.
_DESCRIPTION = f"""\
Runs of student_perf. Choose a view from the list **Views** above the table:

- **Runs and winners**: single runs and the winners of sweeps, best first.
- **Pictures**: their confusion matrices or residuals side by side.
- **Sweep NAME**: the trials of one sweep, ranked, with its charts.

`cv_<metric>_mean` is a mean over folds of rows the model did not see, `cv_<metric>_ci95_low` and
`_high` are its 95 % interval, and `test_<metric>` is the figure on rows that only winners open.
`rank` and `to_best` compare the trials of one sweep; those whose tag `{tags.TIED}` is `tied`
are not shown to be worse than its best. The report of a sweep is the artifact `report.html` of its
run. On a terminal: `python -m student_perf compare NAME`.
"""
_MOST_RUNS = 100  # that say which objectives and datasets an experiment has


def save_experiment_views(
    client: MlflowClient, experiment_id: str, uri: str, shape: SweepShape | None = None
) -> list[View]:
    """Write the views of an experiment's runs, that of a sweep, and what the experiment is; returns
    the views, the one to open last; none if the page cannot have them.
    """
    try:
        views = _views_of_runs(client, experiment_id)
        views += [sweep_view(shape)] if shape else []
        version = page_version(uri)
        known = client.get_experiment(experiment_id).tags
        if not known.get(tags.NOTE, ""):
            client.set_experiment_tag(experiment_id, tags.NOTE, _DESCRIPTION)
    except Exception as error:  # MLflow passes on whatever its stores raise
        log.warning("no saved view for MLflow's page: %s", one_line(error))
        return []
    return views if save_views(client, experiment_id, views, version, known) else []


def ensure_views(client: MlflowClient, experiment_id: str, uri: str) -> None:
    """Write the views of an experiment's runs if it has none. A failure is one line in the log."""
    try:
        known = client.get_experiment(experiment_id).tags
    except Exception as error:  # MLflow passes on whatever its stores raise
        log.warning("no saved view for MLflow's page: %s", one_line(error))
        return
    if not has_view(known, runs_view([DEFAULT_METRIC["classification"]], [])):
        save_experiment_views(client, experiment_id, uri)


def _views_of_runs(client: MlflowClient, experiment_id: str) -> list[View]:
    """The pictures of single runs and winners, and their table; none if there are none."""
    condition = runs_view([DEFAULT_METRIC["classification"]], []).condition
    runs: Sequence[Run] = client.search_runs([experiment_id], condition, max_results=_MOST_RUNS)
    named = Counter(run.data.params.get("objective.metric", "") for run in runs)
    objectives = [name for name, _ in named.most_common() if name in METRICS]
    datasets = {run.data.tags[tags.DATASET] for run in runs if tags.DATASET in run.data.tags}
    if not objectives:
        return []
    tasks = dict.fromkeys(METRICS[name].task for name in objectives)
    pictures = dict.fromkeys(key for task in tasks for key in PICTURES[task])
    return [pictures_view(list(pictures), objectives[0]), runs_view(objectives, sorted(datasets))]


def open_address(page: str, uri: str, experiment: str, record: RunRecord | None = None) -> str:
    """Where MLflow's page shows a run or a sweep or, without a record, all runs of an experiment.

    Args:
        page: address of the page.
        uri: the store, which exists.
        experiment: name of the experiment.
        record: of a run or a sweep in the store.

    Raises:
        ConfigError: the record is not in the store.
    """
    prepare_environment()
    import mlflow

    run_id = record and (record.mlflow_run_id or begun_run_id(record.folder))
    if record is not None and run_id is None:
        raise ConfigError(f"{record.name}: is not in MLflow; `{own_line('sync')}` sends it")
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        if record is not None:
            return _address_of(client, page, record, str(run_id))
        return _address_of_experiment(client, page, uri, experiment)
    except mlflow.MlflowException as error:
        if record is not None and error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise ConfigError(
                f"{record.name}: its run {run_id} is not in this store; name another by --store"
            ) from error
        log.warning("%s", one_line(error))
        return f"{page}/#/experiments?workflowType=machine_learning"


def _address_of(client: MlflowClient, page: str, record: RunRecord, run_id: str) -> str:
    experiment_id = client.get_run(run_id).info.experiment_id
    if record.kind == "sweep" and record.study:
        view = sweep_view(SweepShape(record.study, (record.objective,), ()))
        if has_view(client.get_experiment(experiment_id).tags, view):
            return view_address(page, experiment_id, view)
    return run_address(page, experiment_id, run_id)


def _address_of_experiment(client: MlflowClient, page: str, uri: str, name: str) -> str:
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        return f"{page}/#/experiments?workflowType=machine_learning"
    views = save_experiment_views(client, experiment.experiment_id, uri)
    if views:
        return view_address(page, experiment.experiment_id, views[-1])
    return experiment_address(page, experiment.experiment_id)
