"""Write docs/reference: every key of the config, every command and every message, from the program
itself.

.venv/bin/python -m studies.reference
"""

from __future__ import annotations

import argparse
import inspect
import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType
from typing import Any

import yaml

from student_perf import cli
from student_perf.atomic import write_atomic
from student_perf.commands.arguments import GROUPS
from student_perf.config.schema import (
    SOURCES,
    SPLITS,
    ObjectiveConfig,
    ReportConfig,
    TrackingConfig,
)
from student_perf.paths import CONF_DIR, PROJECT_DIR
from student_perf.sweep.options import SweepOptions
from student_perf.text import markdown_cell
from studies import messages
from studies.editor_schemas import COMMENT

_NOTE = "Written by `python -m studies.reference`; do not edit it."
_SENTENCE_END = re.compile(r"(?<=[\w)'\"]{2}[.:])\s+(?=[A-Z])|:$")
# The option whose values and comments stand for its group.
_USUAL = {"dataset": "csv", "split": "kfold", "objective": "default", "tracking": "default"}
# What the schema of a group asks for, by the name that a config gives its kind.
_TYPED: dict[str, Mapping[str, type]] = {
    "dataset": SOURCES,
    "split": SPLITS,
    "objective": {"": ObjectiveConfig},
    "tracking": {"": TrackingConfig},
}


def main() -> None:
    """Write the pages."""
    assert PROJECT_DIR is not None
    folder = PROJECT_DIR / "docs" / "reference"
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        write_atomic(folder / name, text.encode())


def pages() -> dict[str, str]:
    """The text of each page by its name."""
    return {
        "config.md": _config_page(),
        "cli.md": _cli_page(),
        "messages.md": messages.page(_NOTE),
    }


def _config_page() -> str:
    groups = [
        folder.name
        for folder in sorted(CONF_DIR.iterdir())
        if folder.is_dir() and folder.name != "hydra"
    ]
    lines = ["# Configuration", "", _NOTE, ""]
    lines += [
        "A config is composed from one option of each group. `group=option` chooses another one,",
        "`path.to.key=value` changes a value, and `+` adds a key where a group allows it (`tags`).",
        "`python -m student_perf.train --cfg job` shows the whole config and runs nothing.",
        "",
    ]
    for group in groups:
        lines += [f"## {group}", "", *_options(group), *_keys(group)]
    lines += ["## report", "", *_table("report", {"": ReportConfig}, CONF_DIR / "config.yaml")]
    place = CONF_DIR / "hydra" / "sweeper" / "student_perf.yaml"
    lines += ["## hydra.sweeper", "", "How `-m` runs: [sweeps](../sweeps.md).", ""]
    lines += _table("hydra.sweeper", {"": SweepOptions}, place)
    lines += ["## guards", "", "Levels of the numbered checks: [every check](../checks.md).", ""]
    return "\n".join(lines).rstrip() + "\n"


def _options(group: str) -> Iterator[str]:
    """A table of a group's files, each with the first sentence of its comment."""
    yield from (f"| `{group}=` | what it is |", "|---|---|")
    for file in sorted((CONF_DIR / group).rglob("*.yaml")):
        option = file.relative_to(CONF_DIR / group).with_suffix("").as_posix()
        said = _first_sentence(file) or f"the space of model={option}"
        yield f"| `{option}` | {markdown_cell(said)} |"
    yield ""


def _first_sentence(file: Path) -> str:
    """Of the comment at the top, which begins with the command that uses the file."""
    comment: list[str] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith(("# python -m", "# @package")):
            comment.append(line.removeprefix("#").strip())
    return _SENTENCE_END.split(" ".join(comment))[0].rstrip(":")


def _keys(group: str) -> list[str]:
    if group not in _TYPED:
        return []
    usual = CONF_DIR / group / f"{_USUAL[group]}.yaml"
    others = [file for file in sorted((CONF_DIR / group).glob("*.yaml")) if file != usual]
    return _table(group, _TYPED[group], usual, *others)


def _table(prefix: str, variants: Mapping[str, type], usual: Path, *others: Path) -> list[str]:
    """The keys of one or several schemas: type, value in the usual file, and what they do."""
    values = _values(usual, prefix)
    said = _comments(usual)
    for file in others:  # for keys that the usual file lacks
        said |= {k: v for k, v in _comments(file).items() if k not in values | said}
    kinds: dict[str, list[str]] = {}
    types: dict[str, Any] = {}
    for kind, schema in variants.items():
        said |= _attributes(schema)
        for name, hint in typing.get_type_hints(schema).items():
            kinds.setdefault(name, []).append(kind)
            types[name] = hint
    lines = ["| key | type | default | what it does |", "|---|---|---|---|"]
    for name, hint in types.items():
        only = f"only {', '.join(kinds[name])}" if len(kinds[name]) < len(variants) else ""
        text = markdown_cell("; ".join(filter(None, (said.get(name, ""), only))))
        default = f"`{values[name]}`" if name in values else ""
        lines.append(f"| `{prefix}.{name}` | {markdown_cell(_type(hint))} | {default} | {text} |")
    return [*lines, ""]


def _attributes(schema: type) -> dict[str, str]:
    """What docstrings say of the attributes of a class and of those that it inherits from."""
    found: dict[str, str] = {}
    for one in reversed(schema.__mro__):
        section = (inspect.getdoc(one) or "").partition("Attributes:\n")[2]
        for names, text in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {8}.*)*)", section, re.M):
            found |= dict.fromkeys(names.split(", "), " ".join(text.split()).removesuffix("."))
    return found


def _comments(file: Path) -> dict[str, str]:
    """The comment that a file has beside each key."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return {match[1]: match[2] for line in lines if (match := COMMENT.match(line))}


def _values(file: Path, prefix: str) -> dict[str, str]:
    node = yaml.safe_load(file.read_text(encoding="utf-8"))
    return {
        key: yaml.safe_dump(value, default_flow_style=True).split("\n")[0]
        for key, value in node.get(prefix, node).items()
    }


def _type(hint: Any) -> str:
    """A type in the words of YAML."""
    words = {str: "text", int: "integer", float: "number", bool: "true or false", NoneType: "null"}
    if hint in words:
        return words[hint]
    if hint is Any:
        return "any"
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return "list"
    if origin is dict:
        return "mapping"
    if parts:
        return " or ".join(dict.fromkeys(_type(part) for part in parts))
    return "mapping"


def _cli_page() -> str:
    commands = cli.load_commands()
    parsers = _parsers()
    lines = ["# Command line", "", _NOTE, ""]
    lines += [
        "`python -m student_perf COMMAND`, or `student-perf COMMAND` of an installed package.",
        "Training is `python -m student_perf.train`, with [overrides of the config](config.md).",
        "What a word for a run may be: [naming a run](../after_training.md#naming-a-run).",
        "",
    ]
    for group in GROUPS:
        lines += [f"## {group}", ""]
        for name, command in commands.items():
            if group == command.GROUP:
                lines += _command(name, parsers[name], cli._codes_of(command))
    return "\n".join(lines).rstrip() + "\n"


def _parsers() -> dict[str, argparse.ArgumentParser]:
    parser = cli._make_parser(cli.load_commands())
    (action,) = (a for a in parser._actions if isinstance(a, argparse._SubParsersAction))
    return dict(action.choices)


def _command(name: str, parser: argparse.ArgumentParser, codes: Mapping[Any, str]) -> Iterator[str]:
    yield from (f"### {name}", "", str(parser.description), "")
    yield from ("| argument | what it does |", "|---|---|")
    formatter = parser._get_formatter()
    for action in parser._actions:
        if not isinstance(action, argparse._HelpAction):
            said = formatter._expand_help(action) if action.help else ""
            yield f"| {_argument(action)} | {markdown_cell(said)} |"
    shown = ", ".join(f"{code:d} {meaning}" for code, meaning in codes.items())
    yield from ("", f"Exit codes: {shown}.", "")


def _argument(action: argparse.Action) -> str:
    """As one types it; what may be left out stands in brackets."""
    value = action.metavar or (
        "|".join(map(str, action.choices)) if action.choices else action.dest.upper()
    )
    if not action.option_strings:
        return f"`{action.metavar or action.dest}`" + (" (optional)" if action.nargs == "?" else "")
    long = action.option_strings[-1]
    return f"`{long}`" if action.nargs == 0 else markdown_cell(f"`{long} {value}`")


if __name__ == "__main__":
    main()
