"""What most tests do without, since it takes most of the time of a run."""

from __future__ import annotations

import base64
import functools
import gc
import hashlib
import os
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import omegaconf
import pytest
from hydra._internal import config_loader_impl as loading
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.defaults_list import DefaultsList, Overrides, create_defaults_list
from hydra.core.utils import JobRuntime
from joblib.externals.loky import get_reusable_executor
from matplotlib.backends.backend_agg import FigureCanvasAgg
from omegaconf import DictConfig, OmegaConf, grammar_parser

from student_perf.config.search_path import ConfigSource
from student_perf.evaluation import advice
from student_perf.experiment import prepare
from student_perf.paths import CONF_DIR
from student_perf.store import client
from student_perf.store.address import sqlite_file

_alone = client._alone
_MOST_CONFIGS = 500  # each takes some 0.1 MB
_ONE_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """Python seldom looks for garbage, as in a run, and never among the modules of the tests: that
    took a fifth of the time of collecting, and every twelfth second of the tests.
    """
    gc.set_threshold(200_000, 10, 10)
    result = yield
    gc.freeze()
    return result


@pytest.fixture
def pictures() -> None:
    """The runs of a test that asks for this draw their pictures."""


@pytest.fixture(autouse=True)
def no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs leave no pictures, and those of pages have one pixel, unless the test asks for them."""
    if "pictures" not in request.fixturenames:
        _leave_out_pictures(monkeypatch)


@contextmanager
def without_pictures() -> Iterator[None]:
    """The same for what a fixture makes for several tests, before `no_pictures` counts."""
    with pytest.MonkeyPatch.context() as patch:
        _leave_out_pictures(patch)
        yield


def _leave_out_pictures(patch: pytest.MonkeyPatch) -> None:
    patched = "student_perf.runs.artifacts.write_pictures"
    patch.setattr(patched, lambda folder, shown: None)
    patch.setattr(FigureCanvasAgg, "print_png", _print_one_pixel)


def _print_one_pixel(canvas: FigureCanvasAgg, file: IO[bytes], **_options: Any) -> None:
    file.write(_ONE_PIXEL)


@pytest.fixture(scope="session", autouse=True)
def configs_read_once() -> Iterator[None]:
    """A config file that Hydra has open is parsed once, and not for every composition: parsing
    takes forty times as long as a copy.
    """
    load = OmegaConf.load
    known: dict[tuple[str, int, int], bytes] = {}

    def load_config(file: str | Path | IO[Any]) -> Any:
        if isinstance(file, (str, Path)):
            return load(file)
        state = os.fstat(file.fileno())
        key = (file.name, state.st_mtime_ns, state.st_size)
        if key not in known:
            known[key] = pickle.dumps(load(file))
        return pickle.loads(known[key])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OmegaConf, "load", load_config)
        yield


@pytest.fixture(scope="session", autouse=True)
def expressions_parsed_once() -> Iterator[None]:
    """An interpolation is parsed once: the parser is slow, and its trees are only read."""
    parse = functools.lru_cache(maxsize=10_000)(grammar_parser.parse)
    with pytest.MonkeyPatch.context() as patch:
        for module in (omegaconf.base, omegaconf._utils):
            patch.setattr(module, "parse", parse)
        yield


@pytest.fixture(scope="session", autouse=True)
def options_joined_once() -> Iterator[None]:
    """The files of the same options are joined once; overrides of single values follow anew.

    Only where all files are the package's, which no test changes. Errors are found anew.
    """
    joined: dict[str, bytes] = {}
    lists: dict[str, DefaultsList] = {}
    find, join = create_defaults_list, ConfigLoaderImpl._compose_config_from_defaults_list

    def find_files(repo: Any, config_name: str, overrides_list: Any, **how: bool) -> DefaultsList:
        known = Overrides(repo, overrides_list)
        chosen = (known.override_choices, known.append_group_defaults, known.deletions)
        key = repr((_sources(repo), config_name, chosen, how))
        if key in lists:
            return replace(lists[key], config_overrides=known.config_overrides)
        found = find(repo, config_name, overrides_list, **how)
        if _is_packages_own(repo):
            lists[key] = found
        return found

    def join_files(self: Any, defaults: list[Any], repo: Any) -> DictConfig:
        if not _is_packages_own(repo):
            return join(self, defaults, repo)
        key = repr((_sources(repo), defaults))
        if key not in joined:
            joined[key] = pickle.dumps(join(self, defaults, repo))
        config: DictConfig = pickle.loads(joined[key])
        OmegaConf.clear_cache(config)  # of the time and the folder at the first composition
        return config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "create_defaults_list", find_files)
        patch.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", join_files)
        yield


@pytest.fixture(scope="session", autouse=True)
def trials_composed_once() -> Iterator[None]:
    """Sweeps of many tests start from the same words, which are composed once."""
    compose, known = ConfigSource.compose, dict[str, bytes]()

    def compose_once(self: ConfigSource, overrides: Sequence[str]) -> DictConfig:
        if self.folders() != [CONF_DIR]:
            return compose(self, overrides)
        key = repr((self, list(overrides), Path.cwd(), JobRuntime.instance().conf))
        if key not in known:
            if len(known) == _MOST_CONFIGS:
                del known[next(iter(known))]
            known[key] = pickle.dumps(compose(self, overrides))
        config: DictConfig = pickle.loads(known[key])
        return config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ConfigSource, "compose", compose_once)
        yield


@pytest.fixture(scope="session", autouse=True)
def rows_checked_once() -> Iterator[None]:
    """The same rows, divided in the same way, are checked and described once, since most tests
    work on one packaged table. Tests of the checks and of contracts call these themselves.
    """
    used = {prepare: ("check_guards", "label_noise_limit", "make_contract"),
            advice: ("find_structure",)}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for module, names in used.items():
            for name in names:
                patch.setattr(module, name, _by_content(getattr(module, name)))
        yield


def _by_content(compute: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its answers kept by what its arguments hold. An error is found anew, and
    so is what the costly checks say, which may look at a model that cannot be pickled.
    """
    known: dict[str, bytes] = {}

    def answer(*arguments: Any, **options: Any) -> Any:
        if options.get("costly"):
            return compute(*arguments, **options)
        key = hashlib.sha256(pickle.dumps((arguments, options))).hexdigest()
        if key not in known:
            known[key] = pickle.dumps(compute(*arguments, **options))
        return pickle.loads(known[key])

    return answer


def _sources(repo: Any) -> list[tuple[str, str]]:
    return [(source.scheme(), source.path) for source in repo.get_sources()]


def _is_packages_own(repo: Any) -> bool:
    files = {path for scheme, path in _sources(repo) if scheme == "file"}
    return files == {str(CONF_DIR)}


@pytest.fixture(scope="session", autouse=True)
def default_signals() -> Iterator[None]:
    """Signals as at a terminal: a shell starts its background jobs with Ctrl-C ignored, and nohup
    does so with SIGHUP.
    """
    kept = {signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler)}
    if hasattr(signal, "SIGHUP"):  # not on Windows
        kept[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture(scope="session", autouse=True)
def same_priority() -> Iterator[None]:
    """Publishers get their share of a busy machine, or the sweeps of tests would wait for them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "nice", lambda increment: 0, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def ready_stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A store that does not exist yet begins as a copy of an empty one, since MLflow takes more
    than a second to make its tables. Programs that a test starts make their own.
    """
    empty = tmp_path_factory.mktemp("store") / "mlflow.db"

    @contextmanager
    def alone(uri: str) -> Iterator[None]:
        file = sqlite_file(uri)
        with _alone(uri):
            if file is not None and not file.exists():
                _make_once(empty)
                shutil.copy(empty, file)
            yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(client, "_alone", alone)
        yield


@pytest.fixture(scope="session")
def mlflow_loaded() -> None:
    """MLflow with what sending a model needs, which the publisher of a sweep has from its fork."""
    client.prepare_environment()
    client.import_for_models()


@pytest.fixture
def fresh_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow makes the stores of a test that asks for this."""
    monkeypatch.setattr(client, "_alone", _alone)


def _make_once(file: Path) -> None:
    """Make an empty store in a file, in this process or in a fork of it that comes first."""
    from mlflow import MlflowClient

    with _alone(f"sqlite:///{file}"):
        if not file.exists():
            draft = file.with_name("draft.db")
            MlflowClient(tracking_uri=f"sqlite:///{draft}").search_experiments()
            draft.rename(file)


def end_lent_processes() -> None:
    """End the processes that joblib lends from one test to the next: they work in the other's
    folder, with its modules. A command of a user has its own.
    """
    get_reusable_executor().shutdown(wait=True)
