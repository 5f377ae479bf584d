"""Where configs are found: in `conf` of the current folder first, then in the package's own `conf`.

Hydra composes over this search path (a plugin in `hydra_plugins` calls `add_own_conf`), with the
folder of `--config-dir` at its end. `find_config` and `config_options` look along the same path
for a file, without composing a config.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hydra import initialize_config_dir, version
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.utils import setup_globals
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from student_perf.errors import ConfigError, suggest
from student_perf.locks import ForkSafeLock
from student_perf.paths import CONF_DIR

_MAIN = "main"  # Hydra's name for the folder that an application gives it
_FILE = "file://"
_KNOWN = (_FILE, "pkg://hydra.", "structured://")
_OF_RECORDS = ("record.json", "MANIFEST.sha256")  # of a run or a sweep, and of a bundle
_composing = ForkSafeLock()
_VERSION_BASE = "1.3"
_SEARCH_PATH = "hydra.searchpath"
_CHOSEN = "${chosen:"


@dataclass(frozen=True)
class ConfigSource:
    """What a command composes from, so that its trials compose the same, wherever they run.

    Attributes:
        name: The main config, `config` unless `-cn` names another.
        places: The search path, with `--config-dir` and `hydra.searchpath`: who added each place
            in Hydra's words, and its address.
        overrides: Those of Hydra's own node, for values that look into it.
    """

    name: str
    places: tuple[tuple[str, str], ...]
    overrides: tuple[str, ...] = ()

    def compose(self, overrides: Sequence[str]) -> DictConfig:
        """The config with Hydra's own node. Raises what Hydra raises."""
        with _composing:
            setup_globals()
            version.setbase(_VERSION_BASE)
            loader = ConfigLoaderImpl(_search_path_of(self.places))
            words = [*self.overrides, *overrides]
            return loader.load_configuration(self.name, words, RunMode.RUN, from_shell=False)

    def group_options(self, group: str) -> list[str]:
        """The options of a group, in alphabetical order."""
        with _composing:
            loader = ConfigLoaderImpl(_search_path_of(self.places))
            return loader.get_group_options(group, results_filter=ObjectType.CONFIG)

    def folders(self) -> list[Path]:
        """The folders of the search path; a file of an earlier one wins."""
        addresses = [address for _, address in self.places]
        return [Path(a.removeprefix(_FILE)) for a in addresses if a.startswith(_FILE)]

    @property
    def is_on_disk(self) -> bool:
        """Whether all but Hydra's own configs are in `folders`."""
        return all(address.startswith(_KNOWN) for _, address in self.places)


def _search_path_of(places: Sequence[tuple[str, str]]) -> ConfigSearchPath:
    search_path = ConfigSearchPathImpl()
    for provider, address in places:
        search_path.append(provider, address)
    return search_path


def source_of(config: DictConfig) -> ConfigSource:
    """What a config with Hydra's own node was composed from."""
    node = config.hydra
    places = [(one.provider, f"{one.schema}://{one.path}") for one in node.runtime.config_sources]
    parsed = OverridesParser.create().parse_overrides(list(node.overrides.hydra))
    # Its places are among the others by now.
    words = [str(o.input_line) for o in parsed if o.get_key_element() != _SEARCH_PATH]
    return ConfigSource(node.job.config_name, tuple(places), tuple(words))


def standard_source() -> ConfigSource:
    """What the running command composes from without options of its own, or would here."""
    with hydra_ready() as loader:
        elements = loader.get_search_path().get_path()
    return ConfigSource("config", tuple((str(e.provider), str(e.path)) for e in elements))


def without_hydra(cfg: DictConfig) -> DictConfig:
    """The config without Hydra's own node, which is taken out. A name that follows from what was
    chosen, as that node says, is settled before.
    """
    with open_dict(cfg):
        dataset = cfg.get("dataset")
        if isinstance(dataset, DictConfig):
            name = OmegaConf.to_container(dataset, resolve=False).get("name")  # type: ignore[union-attr]
            if str(name).startswith(_CHOSEN):
                dataset.name = dataset.name
        cfg.pop("hydra", None)
    return cfg


def own_conf() -> Path | None:
    """The user's `conf` in the current folder; None if there is none, or it is the package's, or
    the folder is a record, which may be a stranger's: what is in a record is never trusted.
    """
    folder = Path.cwd() / "conf"
    is_own = folder.is_dir() and folder.resolve() != CONF_DIR.resolve()
    return folder if is_own and record_around() is None else None


def record_around() -> Path | None:
    """The file which shows that the current folder is a run's, a sweep's or an unpacked bundle, or
    lies below one; None if there is none.
    """
    here = Path.cwd()
    files = (folder / name for folder in (here, *here.parents) for name in _OF_RECORDS)
    return next((file for file in files if file.is_file()), None)


def unused_conf() -> str | None:
    """A sentence for the user whose `conf` is not used; None if there is none to use."""
    around = record_around() if (Path.cwd() / "conf").is_dir() else None
    if around is None:
        return None
    return (
        f"{Path.cwd() / 'conf'} is not used, since {around} makes this folder part of a record; "
        "work in a folder of your own"
    )


def add_own_conf(search_path: ConfigSearchPath) -> None:
    """Put the user's `conf` before the package's, so that its files win.

    Hydra asks its plugins in every application of the environment; those of others stay alone.
    """
    own = own_conf()
    if own is not None and _is_of_package(search_path):
        anchor = SearchPathQuery(provider=_MAIN, path=None)
        search_path.prepend("student_perf", f"{_FILE}{own}", anchor)


def config_folders() -> list[Path]:
    """The folders of the search path; a file of an earlier one wins."""
    running = _running_search_path()
    if running is None:
        return [folder for folder in (own_conf(), CONF_DIR) if folder is not None]
    places = [(element.path or "").removeprefix(_FILE) for element in running.get_path()]
    return [Path(place) for place in places if place and "://" not in place]


def config_options(group: str, places: Sequence[Path] | None = None) -> list[str]:
    """The options of a group in these folders, or on the search path, in alphabetical order."""
    folders = [folder / group for folder in places or config_folders()]
    return sorted({file.stem for folder in folders for file in folder.glob("*.yaml")})


def find_config(name: str, group: str = "", places: Sequence[Path] | None = None) -> Path:
    """The file of an option, or of a config outside the groups, in these folders or on the search
    path.

    Raises:
        ConfigError: No folder has it.
    """
    for folder in places or config_folders():
        file = folder / group / f"{name}.yaml"
        if file.is_file():
            return file
    missing = (Path("conf") / group / f"{name}.yaml").as_posix()
    raise ConfigError(f"{missing}: no such file; {suggest(name, config_options(group, places))}")


@contextmanager
def hydra_ready() -> Iterator[ConfigLoader]:
    """A context in which `hydra.compose` works, for one thread at a time: of the running command,
    or made for this. Gives the loader of the configs.

    Where another application runs Hydra, it has its own Hydra again afterwards.
    """
    with _composing:
        if _running_search_path() is not None:
            yield GlobalHydra.instance().config_loader()
            return
        other = GlobalHydra.instance().hydra
        GlobalHydra.instance().clear()
        try:
            with initialize_config_dir(str(CONF_DIR), version_base=_VERSION_BASE):
                yield GlobalHydra.instance().config_loader()
        finally:
            GlobalHydra.instance().hydra = other


def _running_search_path() -> ConfigSearchPath | None:
    """The search path of the command that Hydra runs now, None if it runs none of this package."""
    if not GlobalHydra.instance().is_initialized():
        return None
    search_path = GlobalHydra.instance().config_loader().get_search_path()
    return search_path if _is_of_package(search_path) else None


def _is_of_package(search_path: ConfigSearchPath) -> bool:
    mains = [e.path for e in search_path.get_path() if e.provider == _MAIN]
    return [(path or "").removeprefix(_FILE) for path in mains] == [str(CONF_DIR)]
