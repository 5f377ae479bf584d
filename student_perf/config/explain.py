"""Hydra's errors about overrides that do not compose, in one line with the fix."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from student_perf.config.model_node import PART_OF
from student_perf.config.names import check_label
from student_perf.config.overrides import declaration, in_quotes
from student_perf.config.schema import GROUPS
from student_perf.config.search_path import (
    config_folders,
    config_options,
    find_config,
    standard_source,
    without_hydra,
)
from student_perf.config.typed import iter_leaves
from student_perf.errors import ConfigError, one_line, suggest
from student_perf.shell import install_line

_SWEEPER = "hydra.sweeper."
_SAMPLER = "hydra.sweeper.sampler"
# What a dataset's file may leave out.
_LEFT_OUT = (
    *("keep", "categorical", "text", "categories", "ranges"),
    *("ordered", "positive", "group", "time", "weight", "sample"),
)
# Mappings whose keys the user adds.
_OPEN = ("dataset.bands", "dataset.categories", "dataset.ranges", "tags")
_OF_THE_FILE = ("defaults", "_target_", "_recursive_", "_convert_")
# The package of each launcher that is not part of Hydra.
_LAUNCHERS = {
    "joblib": "hydra-joblib-launcher",
    "ray": "hydra-ray-launcher",
    "slurm": "hydra-submitit-launcher",
    "submitit_local": "hydra-submitit-launcher",
    "submitit_slurm": "hydra-submitit-launcher",
}
# Options of Hydra's own sweepers that go by another name here.
ELSEWHERE = {
    "search_space": (
        "is written in Hydra's override grammar here; leave it out and type for example "
        "'model.C=tag(log,interval(0.01,10))'"
    ),
    "max_batch_size": "there are no batches here; write hydra.sweeper.n_jobs=2 for two at a time",
}


def explain_composition_error(
    error: Exception, overrides: Sequence[str], config_dir: str | None = None
) -> Exception:
    """One-line ConfigError for an error of Hydra or OmegaConf about overrides.

    `config_dir` is the folder of `--config-dir`, which Hydra forgets when its command has failed.
    An error from elsewhere comes back unchanged.
    """
    text = str(error)
    if isinstance(error, MissingConfigException):
        return _explain_missing_option(error)
    if isinstance(error, OSError):
        return _explain_long_key(overrides) or error
    if isinstance(error, OverrideParseException):
        return _explain_word(error.override, overrides)
    if text.startswith("Config group override must be"):
        return _explain_group_value(overrides)
    if text.startswith("Unknown plugin class"):
        return _explain_plugin(text)
    is_theirs = isinstance(error, (HydraException, OmegaConfBaseException))
    return _explain_override(text, overrides, config_dir) if is_theirs else error


def _explain_override(text: str, overrides: Sequence[str], config_dir: str | None) -> ConfigError:
    """Error for what Hydra or OmegaConf says of one override."""
    key = (re.findall(r"'([^']*)'", text) or [""])[0]
    if text.startswith("Ambiguous value"):
        return ConfigError(
            f"{key}: several values need a sweep; add --multirun, or put one value with a "
            f"comma into both kinds of quotes: \"{key.split('=')[0]}='a,b'\""
        )
    if multiple := re.match(r"Multiple values for ([^\s.]+)\.", text):
        given = next((o for o in overrides if o.lstrip("+").startswith(f"{multiple[1]}=")), "")
        return ConfigError(
            f"{given}: the config has this group already; leave out the +: {given.lstrip('+')}"
        )
    if swept := re.fullmatch(r"Sweeping over Hydra.*'(\+*hydra\.sweeper\.params\.(.+))'", text):
        return ConfigError(
            f"{swept[1]}: on the command line a space has no prefix; write '{swept[2]}'"
        )
    if text.startswith("Could not append"):
        return ConfigError(f"+{key}: the config already has this key; leave out the +")
    if text.startswith(("Could not override", "Could not delete", "Error merging override")):
        return _explain_key(key.split("=")[0].lstrip("+~"), text, overrides, config_dir)
    return ConfigError(one_line(ConfigError(text)))


def _explain_long_key(overrides: Sequence[str]) -> ConfigError | None:
    """Error for a key that is too long for the file that Hydra has looked for under its name."""
    try:
        for word in overrides:
            parent, _, last = word.lstrip("+~").partition("=")[0].rpartition(".")
            check_label(parent or "key", last)
    except ConfigError as error:
        return error
    return None


def _explain_word(word: str, overrides: Sequence[str]) -> ConfigError:
    """Error for a word outside the grammar, with the line to type if quotes would help."""
    key, equals, value = word.partition("=")
    if not equals:
        before = next((one for one, other in pairwise(overrides) if other == word), "")
        joins = "=" in before and not {"'", '"'} & set(before + word)
        whole = f"; with the word before it: '{before} {word}'" if joins else ""
        return ConfigError(f"{word}: is not an override; write group=option or key=value{whole}")
    if named := re.fullmatch(r"\+*(dataset\.(?:categories|ranges))\.(.+)", key):
        line = declaration(named[1], named[2], value)
        return ConfigError(f"{word}: is not an override; instead: {line}")
    if name := _untypable(value):
        if named := re.fullmatch(r"\+*(dataset\.(?:categories|ranges))", key):
            line = declaration(named[1], name, ["..."])
            return ConfigError(f"{word}: is not an override; instead: {line}")
        return ConfigError(
            f"{word}: is not an override; '{name}' cannot be a key on a command line, so write it "
            "into a file in conf/"
        )
    if not re.fullmatch(r"[+~]*[\w$./@-]*", key, re.ASCII):
        return ConfigError(
            f"{word}: is not an override; its key may hold a to z, digits and _ only, so write it "
            "into a file in conf/"
        )
    return ConfigError(
        f"{word}: is not an override; check brackets and commas, or, if the value is a text, type "
        f'"{key}={in_quotes(value)}"'
    )


def _untypable(value: str) -> str:
    """A key within braces that the grammar takes in no form; empty if there is none."""
    names = re.findall(r"[{,]\s*([^:,{}\[\]]+?)\s*:", value)
    return next((one for one in names if not one.isascii() or set("'\"") & set(one)), "")


def not_installed(launcher: str) -> ConfigError:
    """Error for a launcher whose package is not installed."""
    package = _LAUNCHERS.get(launcher)
    line = f": {install_line(package)}" if package else ""
    return ConfigError(
        f"hydra/launcher={launcher}: its package is not installed; install it{line}, or leave it "
        "out to work on this machine"
    )


def _explain_plugin(text: str) -> ConfigError:
    """Error for a sweeper or launcher that is not installed, with the file that names it."""
    name = (re.findall(r"'([^']*)'", text) or [""])[0]
    folders = [file for folder in config_folders() for file in sorted(folder.rglob("*.yaml"))]
    place = next((f"{file}: " for file in folders if name in file.read_text("utf-8")), "")
    if "sweeper" in name:
        return ConfigError(
            f"{place}_target_: {name}: is another sweeper, which is not installed; delete this "
            "line, since the sweeper here takes the same options"
        )
    return ConfigError(f"{place}_target_: {name}: is not installed; install it, or choose another")


def _explain_missing_option(error: MissingConfigException) -> ConfigError:
    missing = Path(error.missing_cfg_file or "")
    if missing.parent == Path("hydra/launcher") and missing.stem in _LAUNCHERS:
        return not_installed(missing.stem)
    if not error.options:
        return ConfigError(one_line(ConfigError(str(error))))
    group, option, options = missing.parent, missing.stem, list(error.options)
    if group.parts[0] in GROUPS and len(group.parts) > 1:  # of a folder within a group
        below = "/".join(group.parts[1:])
        options += [f"{below}/{one}" for one in config_options(str(group))]
        group, option = Path(group.parts[0]), f"{below}/{option}"
    return ConfigError(f"{group}={option}: no such option; {suggest(option, options)}")


def _explain_group_value(overrides: Sequence[str]) -> ConfigError:
    for text in overrides:
        override = OverridesParser.create().parse_override(text)
        if override.key_or_group in GROUPS and not isinstance(override.value(), (str, list)):
            options = config_options(override.key_or_group)
            given = override.get_value_element_as_str() or "null"
            return ConfigError(
                f"{override.key_or_group}={given}: a group takes the name of an option; "
                f"{suggest(given, options)}"
            )
    return ConfigError("a group takes the name of an option, as in model=xgb")


def _explain_key(
    key: str, text: str, overrides: Sequence[str], config_dir: str | None
) -> ConfigError:
    """Error for an override of an unknown key, or with a value that the key does not take."""
    given = next((o for o in overrides if o.lstrip("+~").split("=")[0] == key), key)
    if key.startswith(_SWEEPER):
        return _explain_option(key, given, text)
    group = next((o for o in overrides if o.startswith(f"{key.split('.')[0]}=")), "x=1")
    if OverridesParser.create().parse_override(group).is_sweep_override():
        return ConfigError(
            f"{given}: beside {group}, of which only some may have this key, it needs a "
            f"sweep's form: {given.partition('=')[0]}=choice({given.partition('=')[2]})"
        )
    known, task = _known_keys(overrides, config_dir)
    if key in known:
        return ConfigError(f"{given}: {one_line(ConfigError(text))}")
    return missing_key(given, known, task)


def missing_key(given: str, known: Sequence[str], task: str | None) -> ConfigError:
    """Error for `key=value` with a key that the config does not have, among the paths it has."""
    key, _, value = given.lstrip("+~").partition("=")
    if value and value in config_options(key.replace(".", "/")):
        return ConfigError(f"{given}: the config has no '{key}' yet; add the group: +{given}")
    parent, _, last = key.rpartition(".")
    below = [path for path in known if path.startswith(f"{parent}.")] if parent else []
    if parts := [path for path in below if path.rpartition(".")[2] == last]:
        mine = [path for path in parts if f".{PART_OF.get(task or '')}." in path]
        if mine or task is None:  # None: the target decides, which nobody has read yet
            lines = [f"{path}={value}" if value else path for path in mine[:1] or parts]
            return ConfigError(
                f"{given}: '{last}' belongs to one part of '{parent}'; write {' or '.join(lines)}"
                + (", by the task" if len(lines) > 1 else "")
            )
        return ConfigError(
            f"{given}: '{last}' is {' and '.join(parts)}, which dataset.task={task} does not use; "
            "leave it out"
        )
    if (above := f"{parent.rpartition('.')[0]}.{last}") in known:
        line = f"{above}={value}" if value else above
        return ConfigError(f"{given}: '{last}' serves every part; write {line}")
    if parent == "dataset" and last in _LEFT_OUT:
        return ConfigError(f"{given}: this dataset's file leaves '{last}' out; write +{given}")
    if parent in _OPEN:
        return ConfigError(f"{given}: '{parent}' has no key '{last}' yet; write +{given}")
    names = [path.removeprefix(f"{parent}.").split(".")[0] for path in below]
    if names:
        return ConfigError(
            f"{given}: the config has no key '{last}' in '{parent}'; {suggest(last, set(names))}"
        )
    if not parent and (whole := [path for path in known if path.endswith(f".{key}")]):
        lines = [f"{path}={value}" if value else path for path in whole]
        return ConfigError(f"{given}: the config has no key '{key}'; write {' or '.join(lines)}")
    first = {path.partition(".")[0] for path in known}
    return ConfigError(f"{given}: the config has no key '{key}'; {suggest(key, known, first)}")


def _explain_option(key: str, given: str, text: str) -> ConfigError:
    """Error for `hydra.sweeper.*`: an option that sweeps do not have, or have in another place."""
    file = find_config("student_perf", "hydra/sweeper")
    options = [str(name) for name in OmegaConf.load(file) if str(name) not in _OF_THE_FILE]
    name, *rest = key.removeprefix(_SWEEPER).split(".")
    if name in ELSEWHERE:
        return ConfigError(f"{given}: {ELSEWHERE[name]}")
    if name not in options:
        return ConfigError(f"{given}: sweeps have no such option; {suggest(name, options)}")
    if rest and key.startswith(f"{_SAMPLER}."):
        value = given.partition("=")[2]
        if rest == ["seed"]:
            return ConfigError(f"{given}: write hydra.sweeper.seed={value}")
        return ConfigError(
            f"{given}: the sampler has no such option; choose the sampler, for example "
            f"hydra/sweeper/sampler=tpe, or write +hydra.sweeper.sampler_options.{rest[0]}={value}"
        )
    return ConfigError(f"{given}: {one_line(ConfigError(text))}")


def _known_keys(overrides: Sequence[str], config_dir: str | None) -> tuple[list[str], str | None]:
    """Groups and leaf keys of the config that the group choices in `overrides` compose to, and the
    task of its dataset.
    """
    parser = OverridesParser.create()
    parsed = {text: parser.parse_override(text) for text in overrides}
    chosen = [text for text, override in parsed.items() if override.key_or_group in GROUPS]
    if config_dir is not None:
        chosen.append(f"hydra.searchpath=['file://{Path(config_dir).absolute()}']")
    try:
        cfg = standard_source().compose(chosen)
    except (HydraException, OmegaConfBaseException):
        return list(GROUPS), None
    plain = OmegaConf.to_container(without_hydra(cfg), resolve=False)
    assert isinstance(plain, dict)
    leaves = iter_leaves({str(key): value for key, value in plain.items()})
    task = OmegaConf.select(cfg, "dataset.task", throw_on_resolution_failure=False)
    return [*GROUPS, *(path for path, _ in leaves)], task
