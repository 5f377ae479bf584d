r"""How figures, intervals and Markdown are written: the same on the terminal, on pages, in notes.

>>> format_number(0.12345), format_number(12345.6), format_number(None)
('0.123', '12,346', '-')
>>> format_interval(0.41, 0.523)
'0.410 to 0.523'
>>> format_interval(-0.031, 0.055, format_change)
'-0.031 to +0.055'
>>> print(markdown_table(["run", "mean"], [["a|b", "0.5"]], figures=["mean"]))
| run | mean |
| --- | ---: |
| a\|b | 0.5 |
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

NO_VALUE = "-"
_SECONDS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
# What Markdown would take for a table's bar, for HTML, or for a link or picture.
_MARKDOWN = str.maketrans({"|": "\\|", "<": "&lt;", "[": "\\["})
# What reorders or hides the text around it: Unicode's marks of direction, and control characters.
_UNSEEN = [
    *range(0x20),
    0x7F,
    0x61C,
    0x200E,
    0x200F,
    *range(0x202A, 0x202F),
    *range(0x2066, 0x206A),
]
_WRITTEN_OUT = {code: f"\\u{code:04x}" for code in _UNSEEN if chr(code) not in "\t\n\r"}
_FORMULA = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")  # the last four are as wide as an ideograph


def in_nfc(value: Any) -> Any:
    """A text, or the texts in lists and mappings, with a letter and its accent as one character;
    macOS writes them as two.

    >>> in_nfc({"an\u0303o": ["si\u0301", 1]})
    {'año': ['sí', 1]}
    """
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {in_nfc(key): in_nfc(one) for key, one in value.items()}
    return [in_nfc(one) for one in value] if isinstance(value, list) else value


def column_name(header: object) -> str:
    """The name of a column as people type it: without blanks around it, in NFC."""
    return unicodedata.normalize("NFC", str(header).strip())


def format_number(value: float | None) -> str:
    """Three decimals below 100, one above, none from 10,000, four digits from a million, so that
    no column of a table has to cut one; a dash for an unknown value.
    """
    return _format(value, ".3f", {1e2: ",.1f", 1e4: ",.0f", 1e6: ".3e"})


def format_change(value: float | None) -> str:
    """A difference: as a number, with its sign."""
    return _format(value, "+z.3f", {1e2: "+,.0f", 1e6: "+.3e"})


def format_probability(value: float | None) -> str:
    """Two decimals: a probability or p-value."""
    return _format(value, ".2f")


def format_p(value: float) -> str:
    """A p-value with its relation, three decimals.

    >>> format_p(0.0312), format_p(0.00004)
    ('= 0.031', '< 0.001')
    """
    return "< 0.001" if value < 0.0005 else f"= {value:.3f}"


def format_short(value: float | None) -> str:
    """Two significant digits, for example of seconds."""
    return _format(value, ".2g")


def _format(value: float | None, form: str, larger: Mapping[float, str] | None = None) -> str:
    """The value in the form of the largest size that it reaches; `larger` names them upwards."""
    if value is None or math.isnan(value):
        return NO_VALUE
    for size, other in (larger or {}).items():
        form = other if abs(value) >= size else form
    return format(value, form)


def format_interval(
    low: float | None,
    high: float | None,
    form: Callable[[float | None], str] = format_number,
) -> str:
    """Both ends of an interval: `0.410 to 0.523`; a single dash where both are unknown."""
    ends = form(low), form(high)
    return NO_VALUE if ends == (NO_VALUE, NO_VALUE) else " to ".join(ends)


def duration(seconds: float) -> str:
    """`42 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def seconds_of(text: str) -> float | None:
    """The seconds that a text like `90s`, `30min`, `2h` or `1.5 d` means; None if it means none.

    >>> seconds_of("2h"), seconds_of("30min"), seconds_of("soon")
    (7200.0, 1800.0, None)
    """
    found = re.fullmatch(r"([0-9]+\.?[0-9]*) ?(s|min|h|d)", text.strip())
    return float(found[1]) * _SECONDS[found[2]] if found else None


def short_value(value: object) -> str:
    """A config value as text, a fraction with four digits: `0.03434`, `balanced`, `100`."""
    text = str(value)
    try:
        return f"{float(text):.4g}" if "." in text or "e" in text else text
    except ValueError:
        return text


def format_share(share: float) -> str:
    """Whole per cents; a share that is not 0 is never shown as 0.

    >>> format_share(0.37), format_share(0.003)
    ('37%', '<1%')
    """
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


def plural(n: int, noun: str) -> str:
    """`1 fold`, `5 folds`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def folds(n: int, n_repeats: int = 1) -> str:
    """`5 folds`, `1 validation part`, `3 repeats of 5 folds` if `n` are those of all repeats."""
    if n_repeats > 1 and n % n_repeats == 0:
        return f"{n_repeats} repeats of {folds(n // n_repeats)}"
    return "1 validation part" if n == 1 else plural(n, "fold")


def visible(text: str) -> str:
    r"""Text in which what reorders or hides text is written out.

    >>> visible(f"a{chr(0x202e)}b")
    'a\\u202eb'
    """
    return text if text.isprintable() else text.translate(_WRITTEN_OUT)


def is_visible_json(text: str) -> bool:
    r"""Whether all texts in JSON are `visible` as they are, as nearly all are; False if that takes
    a look at each of them.

    >>> is_visible_json('{"a": "b"}'), is_visible_json(r'{"a": "\u202e"}')
    (True, False)
    """
    if "\\u" in text:
        return False
    if text.isascii():  # of these JSON itself allows no other in a text
        return "\x7f" not in text
    return text.replace("\n", "").isprintable()


def visible_tree(value: Any) -> Any:
    """Plain data whose texts, names of values among them, are `visible`."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {visible_tree(key): visible_tree(item) for key, item in value.items()}
    return [visible_tree(item) for item in value] if isinstance(value, list) else value


def spreadsheet_cell(value: object, decimal: str = ".") -> object:
    """A cell of a CSV file that no spreadsheet runs as a formula: such text gets a `'` before it.
    Numbers stay, as text with this decimal sign too.

    >>> [spreadsheet_cell(cell) for cell in ("=1+1", "\uff1d1+1", "-1.5", -1.5, "a=b")]
    ["'=1+1", "'\uff1d1+1", '-1.5', -1.5, 'a=b']
    """
    if not isinstance(value, str) or not value.startswith(_FORMULA):
        return value
    try:
        float(value.replace(decimal, "."))
    except ValueError:
        return f"'{value}"
    return value


def markdown_cell(value: object) -> str:
    """Text of data as one line of Markdown that makes no table cell, HTML, link or picture."""
    return " ".join(visible(str(value)).split()).translate(_MARKDOWN)


def markdown_code(value: object) -> str:
    """Text of data as Markdown's code, in which only a backtick has a meaning."""
    return f"`{' '.join(visible(str(value)).split()).replace('`', chr(39))}`"


def markdown_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], figures: Collection[str] = ()
) -> str:
    """A Markdown table with escaped cells; the columns named in `figures` are aligned right."""
    cells = [[markdown_cell(cell) for cell in row] for row in (header, *rows)]
    cells.insert(1, ["---:" if name in figures else "---" for name in header])
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)
