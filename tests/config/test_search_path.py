import pickle
from contextlib import contextmanager

import pytest
from hydra import compose, initialize_config_dir

from student_perf.config import search_path
from student_perf.config.explain import explain_composition_error
from student_perf.config.load import compose_config, register_resolvers
from student_perf.config.search_path import (
    ConfigSource,
    config_folders,
    config_options,
    find_config,
    own_conf,
    source_of,
    standard_source,
    unused_conf,
    without_hydra,
)
from student_perf.drift.sides import load_sides
from student_perf.errors import ConfigError
from student_perf.paths import CONF_DIR, PROJECT_DIR
from student_perf.reproduction.bundle import MANIFEST_FILE
from student_perf.runs.layout import RECORD_FILE
from student_perf.sweep.plan import load_search

MODEL = "name: mine\nclassifier:\n  _target_: sklearn.dummy.DummyClassifier\n"


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A `conf` with options of the user's, in the current folder."""
    register_resolvers()
    folder = tmp_path / "conf"
    for group in ("model", "search", "dataset"):
        (folder / group).mkdir(parents=True)
    (folder / "model/mine.yaml").write_text(MODEL)
    (folder / "model/xgb.yaml").write_text(MODEL)  # in the place of the package's own
    (folder / "search/mine.yaml").write_text(
        "# @package _global_\nhydra:\n  sweeper:\n    params:\n      seed: range(0, 3)\n"
    )
    monkeypatch.chdir(tmp_path)
    return folder


def test_in_the_checkout_the_users_conf_is_the_packages(monkeypatch):
    monkeypatch.chdir(PROJECT_DIR)
    assert own_conf() is None
    assert config_folders() == [CONF_DIR]


def test_a_folder_without_conf_adds_nothing(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert config_folders() == [CONF_DIR]
    (tmp_path / "conf").symlink_to(CONF_DIR)
    assert config_folders() == [CONF_DIR]


def test_own_files_add_options_and_win_over_the_packages(own):
    assert {"mine", "xgb", "rf"} <= set(config_options("model"))
    assert config_options("model").count("xgb") == 1
    assert find_config("xgb", "model") == own / "model/xgb.yaml"
    assert find_config("rf", "model") == CONF_DIR / "model/rf.yaml"
    assert find_config("drift") == CONF_DIR / "drift.yaml"
    assert load_search("mine") == {"params": {"seed": "range(0, 3)"}}


def test_a_config_that_is_nowhere_is_named_with_one_that_is_near(own):
    with pytest.raises(ConfigError, match=r"^conf/model/mime.yaml: .*did you mean mine"):
        find_config("mime", "model")


def test_hydra_composes_with_the_own_conf(own):
    assert compose_config(["model=mine"]).model.name == "mine"
    assert compose_config(["model=xgb"]).model.name == "mine"
    assert compose_config(["model=rf"]).model.name == "rf"


def test_a_dataset_without_a_name_has_that_of_its_file(own):
    (own / "dataset/grades.yaml").write_text("defaults: [csv, _self_]\npath: notas.csv\n")
    (own / "dataset/named.yaml").write_text("defaults: [csv, _self_]\nname: mine\n")
    (own / "dataset/year").mkdir()
    (own / "dataset/year/first.yaml").write_text("defaults: [csv, _self_]\n")
    (own / "experiment").mkdir()
    (own / "experiment/ours.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: grades\n"
    )
    for words, name in {
        "dataset=grades": "grades",
        "experiment=ours": "grades",
        "dataset=named": "mine",
        "dataset=year/first": "first",
        "dataset=csv": "csv",
        "dataset=parquet": "parquet",
    }.items():
        assert compose_config([words]).dataset.name == name, words


@contextmanager
def application_of(folder):
    """Hydra, as another application in this environment starts it."""
    (folder / "config.yaml").write_text("color: blue\n")
    with initialize_config_dir(str(folder), version_base="1.3"):
        yield


def test_another_applications_search_path_stays_as_it_is(own, tmp_path):
    (own / "config.yaml").write_text("color: red\n")
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with application_of(theirs):
        assert compose("config").color == "blue"


def test_within_another_application_this_package_keeps_its_own_search_path(own, tmp_path):
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    with application_of(theirs):
        assert config_folders() == [own, CONF_DIR]
        assert compose_config(["model=mine"]).model.name == "mine"
        assert compose("config").color == "blue"


def test_suggestions_know_the_users_options(own):
    with pytest.raises(Exception, match="mime") as failed:
        compose_config(["model=mime"])
    line = str(explain_composition_error(failed.value, ["model=mime"]))
    assert line == "model=mime: no such option; did you mean mine?"


@pytest.mark.parametrize("place", ["beside", "config-dir"])
@pytest.mark.slow
def test_a_typo_in_a_key_of_an_own_model_is_explained(own, train, tmp_path, monkeypatch, place):
    words = []
    if place == "config-dir":
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        words = ["--config-dir", str(own)]
    (own / "model/mine.yaml").write_text(MODEL + "strategy: prior\n")
    done = train(*words, "model=mine", "model.stratgy=uniform", "tracking=off")
    assert done.code == 1
    assert "no key 'stratgy' in 'model'; did you mean strategy?" in done.err


@pytest.mark.slow
def test_a_group_of_the_users_that_no_default_names_is_added_with_a_plus(own, train):
    (own / "hparams_search").mkdir()
    (own / "hparams_search/wide.yaml").write_text("# @package _global_\nseed: 3\n")
    done = train("hparams_search=wide", "tracking=off")
    assert done.code == 1
    assert "hparams_search=wide: the config has no 'hparams_search' yet; " in done.err
    assert "add the group: +hparams_search=wide" in done.err


def test_a_dataset_of_the_users_is_a_side_of_a_drift_report(own, grades):
    text = (CONF_DIR / "dataset/csv.yaml").read_text()
    text = text.replace("path: ???", f"path: {grades}").replace("target: ???", "target: grade")
    (own / "dataset/mine.yaml").write_text(text)
    left, right, _ = load_sides("mine", "mine")
    assert len(left.features) == len(right.features) == 120


@pytest.mark.parametrize("name", ["record.json", "MANIFEST.sha256"])
def test_a_folder_that_is_a_record_has_no_conf(own, monkeypatch, name):
    below = own.parent / "deeper"
    (below / "conf").mkdir(parents=True)
    assert own_conf() == own
    assert unused_conf() is None
    (own.parent / name).touch()
    assert own_conf() is None
    assert f"{own} is not used, since {own.parent / name} makes" in str(unused_conf())
    monkeypatch.chdir(below)
    assert own_conf() is None
    (own.parent / name).unlink()
    assert own_conf() == below / "conf"


def test_the_files_that_mark_a_record_are_those_of_runs_and_bundles():
    assert search_path._OF_RECORDS == (RECORD_FILE, MANIFEST_FILE)


def test_a_source_composes_what_its_command_composed(own, tmp_path, monkeypatch):
    """Whatever options gave it: `-cn`, `--config-dir`, `hydra.searchpath`, in any other process."""
    other = tmp_path / "other"
    (other / "model").mkdir(parents=True)
    (other / "model/third.yaml").write_text(MODEL.replace("mine", "third"))
    (other / "own.yaml").write_text(
        "defaults: [config, override model: third, _self_]\nseed: 77\n"
        f"hydra: {{searchpath: ['file://{other}']}}\n".replace(
            "[config, override model: third, _self_]",
            "\n  - config\n  - override model: third\n  - _self_",
        )
    )
    words = [f"hydra.searchpath=['file://{other}']", "hydra.job.name=lab"]
    place = standard_source()
    places = (*place.places[:-1], ("command-line", f"file://{other}"), place.places[-1])
    started = ConfigSource("own", places, tuple(words)).compose(["model.classifier._target_=x"])
    source = pickle.loads(pickle.dumps(source_of(started)))
    monkeypatch.chdir("/")
    assert (source.name, source.overrides) == ("own", ("hydra.job.name=lab",))
    assert {own, other, CONF_DIR} <= set(source.folders())
    again = source.compose(["model.classifier._target_=x"])
    assert without_hydra(again) == without_hydra(started)
    assert (again.seed, again.model.name) == (77, "third")
    assert {"third", "mine", "xgb"} <= set(source.group_options("model"))
