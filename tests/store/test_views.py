import base64
import hashlib
import json
import logging
import urllib.error
import zlib
from dataclasses import replace
from types import SimpleNamespace

import pytest

from student_perf.store import views
from student_perf.store.views import (
    SEEN_TO_WORK,
    SweepShape,
    experiment_address,
    logged_parameters,
    page_of,
    page_version,
    pictures_view,
    run_address,
    runs_view,
    save_views,
    sweep_view,
    view_address,
    view_state,
    view_tag,
)

VERSION = SEEN_TO_WORK[-1]
PREFIX = "mlflow.sharedViewState."
DEPTH, LEAF, ALPHA = "model.max_depth", "model.min_samples_leaf", "model.ccp_alpha"
SWEEP = SweepShape("grades-tree", ("accuracy",), (DEPTH, LEAF, ALPHA, "seed"), n_folds=5)


class Client:
    """An experiment's tags, as MLflow's client keeps them, and the calls that were made."""

    def __init__(self, tags=(), broken=""):
        self.tags, self.calls, self._broken = dict(tags), [], broken

    def _note(self, call):
        self.calls.append(call)
        if call == self._broken:
            raise ConnectionError("no answer\nfrom the store")

    def get_experiment(self, _):
        self._note("get")
        return SimpleNamespace(tags=dict(self.tags))

    def set_experiment_tag(self, _, key, value):
        self._note("set")
        self.tags[key] = value

    def delete_experiment_tag(self, _, key):
        self._note("delete")
        del self.tags[key]


def read(text):
    """Name and state of a tag, as MLflow's page reads them."""
    content = json.loads(text) if text.startswith("{") else {"name": None, "state": text}
    kind, _, packed = content["state"].partition(";")
    assert kind == "deflate"
    return content["name"], json.loads(zlib.decompress(base64.b64decode(packed)))


def charts(view):
    return [
        (chart["type"], chart.get("metricKey") or chart.get("xaxis", {}).get("key"))
        for chart in view_state(view)["compareRunCharts"]
    ]


def a_view(number):
    return replace(sweep_view(SWEEP), id=f"student_perf.sweep.{number}", name=f"Sweep {number}")


def test_the_view_of_a_sweep_ranks_its_trials_and_shows_what_was_tried():
    view = sweep_view(SWEEP)
    state = view_state(view)
    assert view.name == "Sweep grades-tree"
    assert state["searchFilter"] == (
        "tags.`student_perf.study_name` = 'grades-tree' AND tags.`student_perf.kind` != 'sweep' "
        "AND tags.`student_perf.kind` != 'replaced'"
    )
    assert (state["orderByKey"], state["orderByAsc"]) == ("metrics.`rank`", True)
    assert state["selectedColumns"] == [
        "metrics.`rank`",
        "metrics.`cv_accuracy_mean`",
        "metrics.`cv_accuracy_ci95_low`",
        "metrics.`cv_accuracy_ci95_high`",
        "tags.`student_perf.tied`",
        "metrics.`test_accuracy`",
        "metrics.`fit_seconds`",
        "params.`model.max_depth`",
        "params.`model.min_samples_leaf`",
        "params.`model.ccp_alpha`",
        "params.`seed`",
    ]
    assert state["columnOrder"] == state["selectedColumns"]
    assert state["groupBy"] is None
    assert charts(view) == [
        ("PARALLEL", None),
        ("SCATTER", DEPTH),
        ("SCATTER", LEAF),
        ("SCATTER", ALPHA),
        ("SCATTER", "fit_seconds"),
        ("LINE", "fold_accuracy"),
        ("BAR", "cv_accuracy_mean"),
    ]
    parallel = state["compareRunCharts"][0]
    assert parallel["selectedParams"] == [DEPTH, LEAF, ALPHA, "seed"]
    assert parallel["selectedMetrics"] == ["cv_accuracy_mean"]


def test_every_chart_stands_in_a_section_that_is_there_and_the_pages_own_is_closed():
    state = view_state(sweep_view(SWEEP))
    sections = {section["uuid"]: section for section in state["compareRunSections"]}
    assert {chart["metricSectionId"] for chart in state["compareRunCharts"]} < set(sections)
    assert len({chart["uuid"] for chart in state["compareRunCharts"]}) == 7
    assert [(s["name"], s["display"]) for s in sections.values()] == [
        ("Accuracy by what was tried", True),
        ("Accuracy by seconds, fold and trial", True),
        ("Model metrics", False),
    ]


@pytest.mark.parametrize(
    ("metric", "ascending"), [("accuracy", False), ("root_mean_squared_error", True)]
)
def test_trials_without_ranks_are_sorted_by_the_objective_in_its_direction(metric, ascending):
    view = sweep_view(replace(SWEEP, objectives=(metric,), is_ranked=False))
    assert (view.order_by, view.ascending) == (f"metrics.`cv_{metric}_mean`", ascending)
    assert not {"metrics.`rank`", "tags.`student_perf.tied`"} & set(view.columns)
    assert f"metrics.`test_{metric}`" in view.columns


def test_several_objectives_and_limits_come_first_among_the_charts():
    sweep = replace(SWEEP, objectives=("accuracy", "fit_seconds"), constraints=("log_loss",))
    view = sweep_view(sweep)
    assert charts(view)[:2] == [("SCATTER", "fit_seconds"), ("SCATTER", "cv_log_loss_mean")]
    assert charts(view).count(("SCATTER", "fit_seconds")) == 1
    assert view.columns.count("metrics.`fit_seconds`") == 1
    assert "metrics.`cv_log_loss_mean`" in view.columns
    parallel = next(c for c in view_state(view)["compareRunCharts"] if c["type"] == "PARALLEL")
    assert parallel["selectedMetrics"] == ["fit_seconds", "cv_accuracy_mean"]


def test_seconds_as_the_only_objective_have_neither_interval_nor_folds():
    view = sweep_view(replace(SWEEP, objectives=("fit_seconds",)))
    assert "metrics.`test_fit_seconds`" not in view.columns
    assert charts(view)[-1] == ("BAR", "fit_seconds")
    assert "LINE" not in dict(charts(view))


def test_a_single_fold_has_no_chart_of_folds():
    assert "LINE" not in dict(charts(sweep_view(replace(SWEEP, n_folds=1))))


def test_a_chart_of_all_parameters_has_only_those_that_all_trials_share():
    grid = replace(SWEEP, parameters=("model.name", DEPTH), shared=("model.name",))
    parallel = view_state(sweep_view(grid))["compareRunCharts"][0]
    assert parallel["selectedParams"] == ["model.name"]
    nothing = replace(SWEEP, parameters=(DEPTH,), shared=())
    assert "PARALLEL" not in dict(charts(sweep_view(nothing)))


def test_repeats_stand_in_groups_of_trials_shown_by_their_mean():
    view = sweep_view(replace(SWEEP, parameters=(DEPTH, "seed"), repeats=("seed",)))
    state = view_state(view)
    keys = [{"mode": "param", "groupByData": DEPTH}]
    assert state["groupBy"] == {"aggregateFunction": "average", "groupByKeys": keys}
    assert state["useGroupedValuesInCharts"]
    assert state["searchFilter"].endswith("tags.`student_perf.kind` = 'trial'")
    assert view.order_by == "metrics.`cv_accuracy_mean`"
    assert "metrics.`test_accuracy`" not in view.columns
    assert ("SCATTER", "seed") not in charts(view)


def test_a_study_with_any_name_has_a_view_that_the_page_can_name():
    view = sweep_view(replace(SWEEP, study="Ann's 3rd/try ä"))
    assert view.id == sweep_view(replace(SWEEP, study="Ann's 3rd/try ä")).id
    assert view.id.removeprefix("student_perf.sweep.").isalnum()
    assert '= "Ann\'s 3rd/try ä"' in view.condition
    assert read(view_tag(view, VERSION, 1))[0] == "Sweep Ann's 3rd/try ä"


def test_a_key_is_shown_as_the_param_that_trials_and_winner_have_in_common():
    params = [
        {DEPTH: "3", "model.name": "tree", "swept.model": "tree", "split.kind": "kfold"},
        {"model.name": "logreg", "swept.model": "logreg", "split.kind": "kfold"},
    ]
    trials = [SimpleNamespace(params=one) for one in params]
    names, shared = logged_parameters(["model", DEPTH, "split", "bag"], trials)
    assert names == ("model.name", DEPTH, "split.kind", "swept.bag")
    assert shared == ("model.name", "split.kind")


def test_runs_of_several_datasets_are_grouped_and_their_charts_show_runs():
    view = runs_view(["accuracy", "root_mean_squared_error"], ["mat", "mat_score"])
    state = view_state(view)
    keys = [{"mode": "tag", "groupByData": "dataset"}]
    assert state["groupBy"] == {"aggregateFunction": "average", "groupByKeys": keys}
    assert not state["useGroupedValuesInCharts"]
    assert state["orderByKey"] == "metrics.`cv_accuracy_mean`"
    assert "tags.`student_perf.kind` != 'trial'" in state["searchFilter"]
    assert view.columns[-2:] == ("attributes.`Version`", "attributes.`Models`")


@pytest.mark.parametrize(("metric", "best"), [("accuracy", "max"), ("mean_absolute_error", "min")])
def test_a_group_of_runs_shows_its_best(metric, best):
    assert runs_view([metric], ["a", "b"]).aggregate == best
    assert runs_view([metric], ["a"]).group_by == ()


def test_pictures_stand_in_a_section_for_each_key():
    view = pictures_view(["confusion_matrix", "reliability"], "accuracy")
    state = view_state(view)
    assert [chart["imageKeys"] for chart in state["compareRunCharts"]] == [
        ["confusion_matrix"],
        ["reliability"],
    ]
    assert not any(chart["showRunParams"] for chart in state["compareRunCharts"])
    titles = [section["name"] for section in state["compareRunSections"]]
    assert titles == ["Confusion matrix", "Reliability", "Model metrics"]
    assert view_address("http://m", "3", view).endswith(
        "viewStateShareKey=student_perf.pictures&compareRunsMode=CHART"
    )


def test_a_tag_holds_name_time_and_state():
    view = sweep_view(SWEEP)
    text = view_tag(view, VERSION, 1_700_000_000_000)
    content = json.loads(text)
    assert content["createdAt"] == content["updatedAt"] == 1_700_000_000_000
    assert read(text) == ("Sweep grades-tree", view_state(view))


def test_a_page_that_lists_no_views_gets_the_state_alone():
    view = sweep_view(SWEEP)
    for version in ("3.10.0", "3.14.0"):
        text = view_tag(view, version, 1)
        assert text.startswith("deflate;")
        assert read(text)[1] == view_state(view)
    assert view_tag(view, "3.15.0rc1", 1).startswith("{")


def test_a_long_view_loses_its_last_charts_before_it_fails():
    names = [hashlib.sha256(bytes([i])).hexdigest() for i in range(200)]
    view = sweep_view(replace(SWEEP, parameters=tuple(names[:57])))
    text = view_tag(view, VERSION, 1)
    assert len(text) <= 5_000
    kept = read(text)[1]["compareRunCharts"]
    assert kept == view_state(view)["compareRunCharts"][: len(kept)]
    assert len(kept) < len(view_state(view)["compareRunCharts"])
    with pytest.raises(ValueError, match="more than a tag holds"):
        view_tag(sweep_view(replace(SWEEP, parameters=tuple(names))), VERSION, 1)


def test_five_parameters_take_a_quarter_of_a_tag_however_many_trials():
    names = (DEPTH, LEAF, ALPHA, "model.classifier.criterion", "preprocess.name")
    assert len(view_tag(sweep_view(replace(SWEEP, parameters=names)), VERSION, 1)) < 1_250


def test_views_are_written_with_one_request_each_and_replaced_by_id():
    client = Client()
    written = [runs_view(["accuracy"], ["mat"]), sweep_view(SWEEP)]
    assert save_views(client, "1", written, VERSION, known={})
    assert client.calls == ["set", "set"]
    times = [json.loads(text)["createdAt"] for text in client.tags.values()]
    assert times == sorted(times)
    assert len(set(times)) == 2
    assert save_views(client, "1", written[1:], VERSION)
    assert client.calls == ["set", "set", "get", "set"]
    assert set(client.tags) == {f"{PREFIX}student_perf.{x}" for x in ("runs", "sweep.grades-tree")}


def test_the_oldest_of_our_views_go_and_nobody_elses():
    others = {f"{PREFIX}{i}": json.dumps({"name": "hers", "updatedAt": 0}) for i in range(5)}
    others["mlflow.note.content"] = "What this is"
    ours = {f"{PREFIX}{a_view(i).id}": view_tag(a_view(i), VERSION, 1000 + i) for i in range(30)}
    client = Client(others | ours)
    assert save_views(client, "1", [a_view(30)], VERSION)
    left = [key for key in client.tags if ".sweep." in key]
    assert left == [f"{PREFIX}student_perf.sweep.{i}" for i in range(1, 31)]
    assert others.items() <= client.tags.items()
    assert client.calls == ["get", "set", "delete"]


def test_a_list_full_of_other_peoples_views_still_gets_ours():
    others = {f"{PREFIX}{i}": "{}" for i in range(40)}
    client = Client(others | {f"{PREFIX}student_perf.sweep.old": "not even JSON"})
    assert save_views(client, "1", [a_view(1)], VERSION)
    assert set(client.tags) - set(others) == {f"{PREFIX}student_perf.sweep.1"}


@pytest.mark.parametrize("call", ["get", "set", "delete"])
def test_a_failure_is_one_line_in_the_log(call, caplog):
    full = {f"{PREFIX}student_perf.sweep.{i}": "" for i in range(40)}
    with caplog.at_level(logging.WARNING):
        assert not save_views(Client(full, broken=call), "1", [a_view(1)], VERSION)
    (record,) = caplog.records
    assert "no answer" in record.getMessage()
    assert "\n" not in record.getMessage()


@pytest.mark.parametrize(
    ("store", "page"),
    [
        ("http://127.0.0.1:7000/", "http://127.0.0.1:7000"),
        ("https://ann:rosebud@mlflow.school.org/team/a", "https://mlflow.school.org/team/a"),
        ("sqlite:////tmp/mlflow.db", "http://127.0.0.1:5050"),
        ("postgresql://ann:rosebud@db/mlflow", "http://127.0.0.1:5050"),
        ("databricks://profile", None),
    ],
)
def test_the_page_of_a_store_shows_no_password(store, page):
    assert page_of(store, port=5050) == page


def test_addresses_open_the_page_for_trained_models():
    start = "http://m/#/experiments/3/runs"
    kind = "workflowType=machine_learning"
    assert experiment_address("http://m", "3") == f"{start}?{kind}"
    assert run_address("http://m", "3", "ab12") == f"{start}/ab12?{kind}"
    key = "viewStateShareKey=student_perf.sweep.grades-tree"
    assert view_address("http://m", "3", sweep_view(SWEEP)) == f"{start}?{kind}&{key}"


def test_the_version_of_a_page_is_the_servers_or_the_one_installed(monkeypatch):
    import mlflow

    assert page_version("sqlite:////tmp/mlflow.db") == mlflow.__version__

    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self, _):
            return b"3.10.1\n"

    asked = []
    monkeypatch.setattr(
        views.urllib.request, "urlopen", lambda url, timeout: asked.append(url) or Answer()
    )
    assert page_version("http://127.0.0.1:7000/") == "3.10.1"
    assert asked == ["http://127.0.0.1:7000/version"]


def test_a_server_that_is_silent_raises(monkeypatch):
    def fail(url, timeout):
        raise urllib.error.URLError("refused")

    monkeypatch.setattr(views.urllib.request, "urlopen", fail)
    with pytest.raises(OSError, match="refused"):
        page_version("http://127.0.0.1:7000")
