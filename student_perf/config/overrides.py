"""Overrides as Hydra's grammar takes them: parsed, written from values, and quoted for the user.

>>> quoted("dataset.path=/tmp/grades (1).csv")
"dataset.path='/tmp/grades (1).csv'"
>>> quoted("dataset.drop=[año,age]")
"dataset.drop=['año',age]"
>>> literal(["a b", None, 3], "tags.x")
"['a b',null,3]"
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import yaml
from hydra._internal.grammar import grammar_functions
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import QuotedString, RangeSweep
from hydra.errors import HydraException

from student_perf.config.schema import OPTIONAL_GROUPS
from student_perf.errors import ConfigError
from student_perf.shell import in_shell

_PLAIN = re.compile(r"[A-Za-z_/][\w./+-]*", re.ASCII)  # a text that needs no quotes
_NAME = re.compile(r"[A-Za-z_][\w .]*", re.ASCII)  # keys cannot be quoted
_LAST_KEY = re.compile(r"[A-Za-z_][\w-]*", re.ASCII)  # after the last point of an override's key
_KEY_IN_BRACES = re.compile(r"[A-Za-z_](?:[\w .%+/-]*[\w.%+/-])?", re.ASCII)
_NO_TEXT = {"true", "false", "null", "nan", "inf"}
# What stands for itself in a value: quoted texts, interpolations, and marks around elements.
_PARTS = re.compile(r"""('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|\$\{[^}]*\}|[\[\]{},])""")
# What a backslash takes the meaning from outside quotes.
_ESCAPE = re.compile(r"\\[\\()\[\]{}:=, \t]")
_FUNCTIONS = tuple(create_functions().definitions)
# A call within a value: its commas and brackets are not the user's text.
_CALL = re.compile(
    rf"(?:^|[,\[{{:])\s*(?:(?:{'|'.join(_FUNCTIONS)})\s*\(|\w+\([^)]*\)\s*(?:$|[,\]}}]))"
)


def make_parser(loader: ConfigLoader | None = None) -> OverridesParser:
    """Hydra's parser of overrides, with a `sort(range(...))` that keeps the values.

    Hydra 1.3.8 turns a range round by its ends, not by its values: 2, 6 becomes 5, 1.
    """
    functions = create_functions()
    functions.functions["sort"] = _sort
    return OverridesParser(functions, loader)


def _sort(*args: Any, **options: Any) -> Any:
    sweep = options.get("sweep", args[0] if len(args) == 1 else None)
    if not isinstance(sweep, RangeSweep):
        return grammar_functions.sort(*args, **options)
    reverse = options.get("reverse", False)
    values, step = sorted(sweep.range(), reverse=reverse), abs(sweep.step)
    step = -step if reverse else step
    if not values:
        return sweep
    beyond = step if isinstance(step, int) else step / 2  # a sum of fractions may miss the end
    return RangeSweep(tags=sweep.tags, start=values[0], stop=values[-1] + beyond, step=step)


def literal(value: Any, key: str) -> str:
    """A value in Hydra's grammar of overrides, for example `[1,'a b']`.

    Raises:
        ConfigError: The value of `key` has no form on a command line.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, str):
        return (
            value if _PLAIN.fullmatch(value) and value.lower() not in _NO_TEXT else in_quotes(value)
        )
    if isinstance(value, (list, tuple)):
        return f"[{','.join(literal(item, key) for item in value)}]"
    if isinstance(value, Mapping):
        pairs = (f"{_name(k, key)}:{literal(item, key)}" for k, item in value.items())
        return f"{{{','.join(pairs)}}}"
    raise ConfigError(
        f"{key}={value!r}: is a {type(value).__name__}; give a number, a text, a truth value, "
        "None, a list or a dict"
    )


def _name(name: Any, key: str) -> str:
    if not _NAME.fullmatch(str(name)):
        raise ConfigError(
            f"{key}: {name!r} cannot be a key on a command line; write it into a file in conf/"
        )
    return str(name)


def declaration(section: str, name: str, values: Sequence[str] | str) -> str:
    """What to type to declare the values of a column below `section`; a line of a file if Hydra's
    grammar takes no such name as a key.

    Args:
        section: `dataset.categories` or `dataset.ranges`.
        name: Of the column.
        values: A list, or its text as it was typed.

    >>> declaration("dataset.categories", "sex", ["f", "m"])
    "'+dataset.categories.sex=[f,m]'"
    >>> declaration("dataset.ranges", "exam 1", "[0,10]")
    "'+dataset.ranges={exam 1:[0,10]}'"
    """
    typed = values if isinstance(values, str) else literal(list(values), section)
    typed = typed.replace("'...'", "...")  # stands for what the user knows
    if _LAST_KEY.fullmatch(name):
        return shell_word(f"+{section}.{name}={typed}")
    if _KEY_IN_BRACES.fullmatch(name) and name.lower() not in _NO_TEXT:
        return shell_word(f"+{section}={{{name}:{typed}}}")
    listed = values if isinstance(values, str) else in_yaml(list(values)).replace("'...'", "...")
    return (
        "Hydra takes no such name as a key, so write it into a dataset file, below "
        f"{section.rpartition('.')[2]}: {in_yaml(name)}: {listed} (python -m student_perf data "
        "FILE dataset.target=COLUMN --write conf/dataset/NAME.yaml makes one)"
    )


def in_yaml(value: Any) -> str:
    """A value in YAML's short form, on one line.

    >>> in_yaml(["no", "a: b", 1])
    "['no', 'a: b', 1]"
    """
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("...\n").rstrip()


def setting(key: str, value: Any) -> str:
    """What to type so that a key has a value.

    >>> print(setting("dataset.drop", ["age"]), setting("dataset.drop", ["año"]))
    'dataset.drop=[age]' "dataset.drop=['año']"
    """
    return shell_word(f"{key}={literal(value, key)}")


def shell_word(text: str) -> str:
    """A word in quotes, as a shell takes it.

    >>> print(shell_word("dataset.drop=[a b]"), shell_word("dataset.drop=['a b']"))
    'dataset.drop=[a b]' "dataset.drop=['a b']"
    """
    return in_shell(text) if "'" in text else f"'{text}'"


def in_quotes(text: str) -> str:
    """A text in quotes, as the grammar reads it back."""
    # A backslash counts only before a quote or at the end.
    escaped = re.sub(r"(\\*)('|\Z)", lambda m: m[1] * 2 + ("\\'" if m[2] else ""), text)
    return f"'{escaped}'"


def accepted(word: str) -> str:
    """An override as Hydra takes it: `quoted`, and `~experiment` for `experiment=null`."""
    key, _, value = word.partition("=")
    return f"~{key}" if key in OPTIONAL_GROUPS and value == "null" else quoted(word)


def quoted(word: str) -> str:
    """An override with quotes around each text that the grammar takes only so: one with letters
    beyond ASCII, `~`, `=` or parentheses.

    What the grammar takes, and what quotes do not mend, stays as it is: within quotes an escaped
    comma would be a backslash and a comma.
    """
    key, equals, value = word.partition("=")
    if _is_override(word) or not equals or not _is_override(f"{key}=x"):
        return word
    if _CALL.search(value) or _ESCAPE.search(value):
        return word
    whole = [] if re.match(r"\s*[\[{'\"]", value) or "," in value else [in_quotes(value)]
    for mended in ("".join(_quoted_parts(value)), *whole):
        if _is_override(f"{key}={mended}"):
            return f"{key}={mended}"
    return word


def _quoted_parts(value: str) -> Iterator[str]:
    """The parts of a value, each element in quotes that needs them."""
    inside: list[str] = []
    for place, part in enumerate(_PARTS.split(value)):
        if place % 2 or not part.strip():  # what `_PARTS` found, or nothing between
            if part in ("[", "{"):
                inside.append(part)
            elif part in ("]", "}") and inside:
                inside.pop()
            yield part
            continue
        name, colon, text = part.partition(":") if inside[-1:] == ["{"] else ("", "", part)
        yield f"{name}{colon}{_element(text)}"


def _element(text: str) -> str:
    if not text.strip() or text.strip()[0] in "'\"" or _is_override(f"x={text}"):
        return text
    return text.replace(text.strip(), in_quotes(text.strip()))


@cache
def _plain_parser() -> OverridesParser:
    return OverridesParser.create()


def _is_override(word: str) -> bool:
    """Whether the grammar takes a word."""
    try:
        _plain_parser().parse_override(word)
    except HydraException:
        return False
    return True


def element(text: str) -> Any:
    """The value that a text means in the grammar."""
    value = _plain_parser().parse_override(f"x={text}").value()
    return value.text if isinstance(value, QuotedString) else value
