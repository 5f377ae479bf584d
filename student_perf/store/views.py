"""Saved views of MLflow's page: which runs, columns, order and charts one address opens.

A view is a tag of the experiment, `mlflow.sharedViewState.<id>`. Its format is internal to MLflow's
page, so this module alone writes it, and a failure is one line in the log. Seen to work in Chromium
with MLflow 3.17.2 (tests/test_mlflow_views.py):

- The tag holds `{"name", "createdAt", "updatedAt", "state"}`. The page lists such views by name,
  the newest first, and lets nobody save another once there are 40. By its scripts so does every
  version from 3.15.0 to 3.18.0; 3.10 to 3.14 take the state alone and list nothing, so only the
  address opens a view. A tag holds 5,000 characters, from 3.16 on 20,000.
- The state is JSON, here compressed by zlib. Keys that are missing get the page's defaults.
- `columnOrder` is kept, also between metrics, tags and params; a column that no run fills is empty.
- Only an order by "Created" nests runs below their parents and shows parents that the filter
  excludes; every other order gives a flat table. Runs without the metric come last both ways.
- Tags and params sort as text ("10" before "2") and know only `=`, `!=` and `LIKE`; a metric sorts
  and filters as a number, so the rank is a metric. The filter has neither `OR` nor `IN`.
- The page loads 100 runs; its charts show those. A parallel chart shows only runs that have all its
  params and metrics. Titles of charts cannot be chosen; those of their sections can.
- For each metric without a chart the page adds one to the section "Model metrics": collapsed, it
  costs nothing; deleted, it comes back.
- `groupBy` wants its modes in lower case; an unknown mode puts all runs into "Additional runs".
- An address with an unknown view's id, and one of a run or an experiment without `workflowType`,
  ends on the page for generative AI.

    >>> sweep = SweepShape("grades-tree", ("accuracy",), ("model.max_depth",), n_folds=5)
    >>> view_address("http://127.0.0.1:5000", "1", sweep_view(sweep))
    'http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning&viewStateShareKey=student_perf.sweep.grades-tree'
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
import time
import urllib.request
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

from student_perf.errors import one_line
from student_perf.runs import tags
from student_perf.runs.record import SWEPT
from student_perf.scoring.metrics import FIT_SECONDS, METRICS, OBJECTIVES, logged_as

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from student_perf.runs.record import RunRecord

log = logging.getLogger(__name__)

SEEN_TO_WORK = ("3.17.2",)
_ORDER_OF_START = "attributes.start_time"  # the page's "Created"
RANK = "rank"  # metric of a ranked trial, 1 the best
_NAMED_SINCE = (3, 15)
_PREFIX = "mlflow.sharedViewState."
_OURS = f"{_PREFIX}student_perf."
_MOST_CHARACTERS = 5_000
_MOST_VIEWS = 40  # in the page's list, of all people
_LEFT_FREE = 5  # of them, for views that users save
_MOST_SCATTERS = 3
_ANSWER_SECONDS = 5
_SAFE_ID = re.compile(r"[\w.-]{1,100}", re.ASCII)
_NO_RUNS = ("trial", "sweep", "replaced", "drift")  # kinds that are not results of their own
Chart = dict[str, Any]


@dataclass(frozen=True)
class Section:
    """A titled row of charts, so many beside each other and so many pixels high."""

    title: str
    charts: tuple[Chart, ...]
    columns: int = 3
    height: int = 360


_METRICS_SECTION = Section("Model metrics", ())  # the page's own


@dataclass(frozen=True)
class View:
    """One view. `columns`, `order_by` and `group_by` are names as the page writes them; charts that
    matter least come last, since those go first if a view is too long.
    """

    id: str
    name: str
    condition: str
    columns: tuple[str, ...]
    order_by: str
    ascending: bool
    sections: tuple[Section, ...] = ()
    group_by: tuple[tuple[Literal["tag", "param"], str], ...] = ()
    aggregate: Literal["average", "min", "max"] = "average"
    mode: Literal["TABLE", "CHART"] = "TABLE"


@dataclass(frozen=True)
class SweepShape:
    """What the view of a sweep depends on.

    Args:
        study: name of the study.
        objectives: names of what it optimises, the one that decides first.
        parameters: params that it varied, as logged, the most important first.
        shared: those of them that every trial has; by default all.
        constraints: names of limited metrics.
        n_folds: validation scores of one trial.
        is_ranked: whether its trials have the metric `RANK` and the tag `tags.TIED`.
        is_apart: whether its trials differ in data, folds or metric, so that no order by a metric
            would be fair.
        repeats: params that repeat a configuration, for example `seed`: runs that differ in nothing
            else stand in one group, shown by its mean.
    """

    study: str
    objectives: tuple[str, ...]
    parameters: tuple[str, ...]
    shared: tuple[str, ...] | None = None
    constraints: tuple[str, ...] = ()
    n_folds: int = 1
    is_ranked: bool = True
    is_apart: bool = False
    repeats: tuple[str, ...] = ()

    @property
    def varied(self) -> tuple[str, ...]:
        """The parameters but for those that repeat."""
        return tuple(name for name in self.parameters if name not in self.repeats)


def logged_parameters(
    keys: Iterable[str], trials: Sequence[RunRecord]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Params under which trials log swept config keys, and those of them that all trials have.

    A trial logs its whole config, as its winner does, so the key itself is a param; of an option
    (`preprocess=ordinal`) it is `preprocess.name`. What is neither is `swept.<key>`.
    """
    names = [_logged(key, trials) for key in keys]
    unique = tuple(dict.fromkeys(names))
    return unique, tuple(name for name in unique if all(name in t.params for t in trials))


def sweep_view(sweep: SweepShape) -> View:
    """The trials of one sweep and its winner, best first, with the values that were tried.

    A sweep that repeats configurations shows its trials only, which the means are over.
    """
    decides = OBJECTIVES[sweep.objectives[0]]
    order_by, ascending = _metric(decides.key), not decides.maximizes
    columns = [column for name in sweep.objectives for column in _figures(name)]
    if sweep.is_ranked and not sweep.repeats:
        # As `compare` ranks them: of equals the earlier first.
        order_by, ascending = _metric(RANK), True
        columns = [order_by, *columns, _tag(tags.TIED)]
    if sweep.is_apart:
        order_by, ascending = _ORDER_OF_START, True
    columns += [_metric(OBJECTIVES[name].key) for name in sweep.constraints]
    if decides.name in METRICS and not sweep.repeats:
        columns.append(_metric(f"test_{decides.name}"))
    columns += [_metric(FIT_SECONDS.key), *map(_param, sweep.parameters)]
    kinds = _equals(tags.KIND, "trial") if sweep.repeats else _no_kind("sweep", "replaced")
    return View(
        id=f"student_perf.sweep.{_safe(sweep.study)}",
        name=f"Sweep {sweep.study}",
        condition=f"{_equals(tags.STUDY, sweep.study)} AND {kinds}",
        columns=tuple(dict.fromkeys(columns)),
        order_by=order_by,
        ascending=ascending,
        sections=_sweep_sections(sweep),
        group_by=tuple(("param", name) for name in sweep.varied) if sweep.repeats else (),
    )


def runs_view(objectives: Sequence[str], datasets: Sequence[str]) -> View:
    """Single runs, winners and other kept models of an experiment: "Runs and winners".

    `objectives` are those of its runs, the most frequent first; several `datasets` are grouped.
    """
    decides = METRICS[objectives[0]]
    columns = [_tag(name) for name in (tags.KIND, tags.MODEL, tags.DATASET)] + [
        _param("split.kind")
    ]
    for name in objectives:
        columns += [*_figures(name), _metric(f"test_{name}")]
    aims = {METRICS[name].direction for name in objectives}
    best: Literal["min", "max"] = "max" if decides.maximizes else "min"
    charts = [_chart("BAR", metricKey=METRICS[name].key) for name in objectives]
    charts += [_chart("BAR", metricKey=f"test_{name}") for name in objectives]
    return View(
        id="student_perf.runs",
        name="Runs and winners",
        condition=_no_kind(*_NO_RUNS),
        columns=(*columns, _attribute("Version"), _attribute("Models")),
        order_by=_metric(decides.key),
        ascending=not decides.maximizes,
        sections=(Section("Scores", tuple(charts)),),
        group_by=(("tag", tags.DATASET),) if len(datasets) > 1 else (),
        aggregate=best if len(aims) == 1 else "average",
    )


def pictures_view(images: Sequence[str], objective: str) -> View:
    """Pictures of the same runs side by side: keys of `log_image`, for example `residuals`."""
    decides = METRICS[objective]
    sections = [
        Section(
            key.replace("_", " ").capitalize(),
            (_chart("IMAGE", n=20, imageKeys=[key], step=0, showRunParams=False),),
            columns=1,
            height=480,
        )
        for key in images
    ]
    return View(
        id="student_perf.pictures",
        name="Pictures",
        condition=_no_kind(*_NO_RUNS),
        columns=(_tag(tags.MODEL), _tag(tags.DATASET), *_figures(objective)),
        order_by=_metric(decides.key),
        ascending=not decides.maximizes,
        sections=tuple(sections),
        mode="CHART",
    )


def save_views(
    client: MlflowClient,
    experiment_id: str,
    views: Sequence[View],
    version: str,
    known: Mapping[str, str] | None = None,
) -> bool:
    """Write views, or replace those of the same id, with one request each.

    Our oldest go when the page's list fills up; a view of somebody else stays. Nothing is
    raised: a view that cannot be written is one line in the log.

    Args:
        client: of the store.
        experiment_id: where the runs are.
        views: the last one comes first in the page's list.
        version: of the MLflow that shows the page; see `page_version`.
        known: the experiment's tags if the caller has them; otherwise one more request.

    Returns:
        Whether all were written.
    """
    try:
        known = client.get_experiment(experiment_id).tags if known is None else known
        now, written = time.time_ns() // 1_000_000, []
        for number, view in enumerate(views):
            written.append(_key(view))
            client.set_experiment_tag(
                experiment_id, _key(view), view_tag(view, version, now + number)
            )
        for key in _superfluous(known, written):
            client.delete_experiment_tag(experiment_id, key)
    except Exception as error:  # MLflow passes on whatever its stores raise
        log.warning("no saved view for MLflow's page: %s", one_line(error))
        return False
    return True


def has_view(known: Mapping[str, str], view: View) -> bool:
    """Whether an experiment with these tags has a view; an address of one that is missing ends on
    the page for generative AI.
    """
    return _key(view) in known


def view_tag(view: View, version: str, now: int) -> str:
    """Text of a view's tag, for the page of an MLflow version; `now` in milliseconds.

    Charts are left out, the last first, until a tag holds it. Raises ValueError if it is too long
    without any.
    """
    for n_charts in range(sum(len(section.charts) for section in view.sections), -1, -1):
        text = f"deflate;{_compressed(view_state(view, n_charts))}"
        if _numbers(version) >= _NAMED_SINCE:
            text = _json({"name": view.name, "createdAt": now, "updatedAt": now, "state": text})
        if len(text) <= _MOST_CHARACTERS:
            return text
    raise ValueError(
        f"{view.name}: {len(text)} characters, more than a tag holds ({_MOST_CHARACTERS})"
    )


def view_state(view: View, n_charts: int | None = None) -> dict[str, Any]:
    """The state of MLflow's page for a view, with its first charts only if `n_charts` is given."""
    numbered = [(i, chart) for i, s in enumerate(view.sections) for chart in s.charts]
    charts = [
        {**chart, "uuid": f"chart-{number}", "metricSectionId": f"section-{i}"}
        for number, (i, chart) in enumerate(numbered[:n_charts])
    ]
    sections = [
        {"uuid": f"section-{i}", "name": section.title, "display": bool(section.charts)}
        | {"isReordered": True, "deleted": False, "isGenerated": False}
        | {"columns": section.columns, "cardHeight": section.height}
        for i, section in enumerate([*view.sections, _METRICS_SECTION])
    ]
    keys = [{"mode": mode, "groupByData": name} for mode, name in view.group_by]
    return {
        "searchFilter": view.condition,
        "orderByKey": view.order_by,
        "orderByAsc": view.ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(view.columns),
        "columnOrder": list(view.columns),
        "columnWidths": {column: _width(column) for column in view.columns},
        "groupBy": {"aggregateFunction": view.aggregate, "groupByKeys": keys} if keys else None,
        "useGroupedValuesInCharts": any(mode == "param" for mode, _ in view.group_by),
        "runsHiddenMode": "SHOW_ALL",
        "isAccordionReordered": True,
        "compareRunSections": sections,
        "compareRunCharts": charts,
    }


def page_of(store: str, port: int = 5000) -> str | None:
    """Address of MLflow's page for a tracking URI, without a password: the server itself or, for a
    database, `python -m student_perf ui` on this machine. None if we know no page that shows it.
    """
    parts = urlsplit(store)
    if parts.scheme in ("http", "https"):
        place = parts.netloc.rpartition("@")[2]
        return urlunsplit((parts.scheme, place, parts.path.rstrip("/"), "", ""))
    return None if parts.scheme.startswith("databricks") else f"http://127.0.0.1:{port}"


def page_version(store: str) -> str:
    """Version of the MLflow that shows a store's page: the server's or, for a database, the one
    installed here. Raises OSError if a server does not say.
    """
    if not store.startswith("http"):
        import mlflow

        return mlflow.__version__
    with urllib.request.urlopen(f"{store.rstrip('/')}/version", timeout=_ANSWER_SECONDS) as answer:  # noqa: S310 (http or https)
        text: str = answer.read(100).decode()
    return text.strip()


def experiment_address(page: str, experiment_id: str) -> str:
    """All runs of an experiment."""
    return f"{page}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"


def view_address(page: str, experiment_id: str, view: View) -> str:
    """A view of an experiment."""
    mode = "" if view.mode == "TABLE" else f"&compareRunsMode={view.mode}"
    key = quote(view.id, safe="")
    return f"{experiment_address(page, experiment_id)}&viewStateShareKey={key}{mode}"


def run_address(page: str, experiment_id: str, run_id: str) -> str:
    """The page of one run."""
    return f"{page}/#/experiments/{experiment_id}/runs/{run_id}?workflowType=machine_learning"


def _sweep_sections(sweep: SweepShape) -> tuple[Section, ...]:
    objectives = [OBJECTIVES[name] for name in sweep.objectives]
    decides, key = objectives[0], objectives[0].key
    pairs = [_scatter(x.key, y.key) for y, x in combinations(objectives, 2)]
    pairs += [_scatter(OBJECTIVES[name].key, key) for name in sweep.constraints]
    work = [] if FIT_SECONDS in objectives else [_scatter(FIT_SECONDS.key, key)]
    if sweep.n_folds > 1 and decides.name in METRICS:
        fold = f"fold_{decides.name}"
        work.append(_chart("LINE", metricKey=fold, selectedMetricKeys=[fold], displayPoints=True))
    label = f"{decides.label[0].upper()}{decides.label[1:]}"
    return tuple(
        Section(title, tuple(charts))
        for title, charts in (
            ("Objectives and limits", pairs),
            (f"{label} by what was tried", _charts_of_parameters(sweep)),
            (f"{label} by seconds, fold and trial", [*work, _chart("BAR", metricKey=key)]),
        )
        if charts
    )


def _charts_of_parameters(sweep: SweepShape) -> list[Chart]:
    keys = [OBJECTIVES[name].key for name in sweep.objectives]
    scatters = [_scatter(name, keys[0], "PARAM") for name in sweep.varied[:_MOST_SCATTERS]]
    shared = [name for name in sweep.varied if sweep.shared is None or name in sweep.shared]
    if not shared:
        return scatters
    # The last axis gives the colours.
    parallel = _chart(
        "PARALLEL", selectedParams=shared, selectedMetrics=keys[::-1], showAllRuns=True
    )
    return [parallel, *scatters]


def _chart(kind: str, n: int = 100, **words: Any) -> Chart:
    """A chart of up to `n` runs; the page takes it for a user's own, and leaves it as it is."""
    return {"type": kind, "runsCountToCompare": n, "deleted": False, "isGenerated": False, **words}


def _scatter(x: str, y: str, kind: Literal["METRIC", "PARAM"] = "METRIC") -> Chart:
    return _chart("SCATTER", xaxis={"key": x, "type": kind}, yaxis={"key": y, "type": "METRIC"})


def _figures(objective: str) -> list[str]:
    """Columns of an objective: its value and, of a metric, its interval."""
    key = OBJECTIVES[objective].key
    if objective not in METRICS:
        return [_metric(key)]
    return [_metric(key), *(_metric(logged_as(objective, end)) for end in ("low", "high"))]


def _equals(tag: str, value: str) -> str:
    quotes = '"' if "'" in value else "'"
    return f"tags.`{tag}` = {quotes}{value}{quotes}"


def _no_kind(*kinds: str) -> str:
    return " AND ".join(f"tags.`{tags.KIND}` != '{kind}'" for kind in kinds)


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _param(name: str) -> str:
    return f"params.`{name}`"


def _tag(name: str) -> str:
    return f"tags.`{name}`"


def _attribute(name: str) -> str:
    return f"attributes.`{name}`"


def _width(column: str) -> int:
    """Pixels of a column: enough for its head, within bounds."""
    return min(max(70, 35 + 6 * (len(column) - column.index("`") - 2)), 160)


def _logged(key: str, trials: Sequence[RunRecord]) -> str:
    names = (key, f"{key}.name", f"{key}.kind")
    return next((n for n in names if any(n in t.params for t in trials)), f"{SWEPT}{key}")


def _safe(study: str) -> str:
    """A study's name as a part of a tag and an address; the same each time."""
    if _SAFE_ID.fullmatch(study):
        return study
    return hashlib.sha256(study.encode()).hexdigest()[:16]


def _key(view: View) -> str:
    return f"{_PREFIX}{view.id}"


def _superfluous(known: Mapping[str, str], written: Sequence[str]) -> list[str]:
    """Keys of those of our views, the oldest first, that the page's list has no room for."""
    ours = [key for key in known if key.startswith(_OURS) and key not in written]
    n_others = sum(key.startswith(_PREFIX) and not key.startswith(_OURS) for key in known)
    room = max(0, _MOST_VIEWS - _LEFT_FREE - n_others - len(set(written)))
    oldest_first = sorted(ours, key=lambda key: _updated(known[key]))
    return oldest_first[: max(0, len(ours) - room)]


def _updated(text: str) -> int:
    """When a view was written, in milliseconds; 0 if its tag does not say."""
    try:
        return int(json.loads(text)["updatedAt"])
    except (ValueError, KeyError, TypeError):
        return 0


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in re.findall(r"\d+", version)[:3])


def _compressed(state: Mapping[str, Any]) -> str:
    return base64.b64encode(zlib.compress(_json(state).encode(), 9)).decode()


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, separators=(",", ":"))
