r"""HTML pages and Markdown notes from the templates in `pages/templates`.

Every value is escaped for the template's format, so text of data is never markup, and marks that
would reorder the text around them are written out; `| safe` lets text pass that is escaped already.

>>> from types import SimpleNamespace
>>> decision = SimpleNamespace(outcome="refused", champion=None, metric="accuracy")
>>> print(render("promotion.md.j2", decision=decision, rows=[("FAILED", "not worse", "a|b")]))
**refused**, compared with no champion by accuracy.
<BLANKLINE>
|  | check | reason |
| --- | --- | --- |
| FAILED | not worse | a\|b |
<BLANKLINE>
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from typing import TYPE_CHECKING

from student_perf import __version__, text
from student_perf.paths import PACKAGE_DIR

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES_DIR = PACKAGE_DIR / "pages" / "templates"


def render(template: str, **context: object) -> str:
    """Text of the template, `NAME.html.j2` or `NAME.md.j2`, with the context's values in it."""
    return _environment(template.endswith(".html.j2")).get_template(template).render(context)


@cache
def _environment(is_html: bool) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES_DIR),
        autoescape=select_autoescape(["html.j2"]),
        finalize=_visible if is_html else _escaped_markdown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "number": text.format_number,
        "change": text.format_change,
        "share": "{:.1%}".format,
        "probability": text.format_probability,
        "short": text.format_short,
        "code": text.markdown_code,
        "base64": _base64,
        "sha256": lambda content: _base64(hashlib.sha256(content.encode()).digest()),
    }
    environment.globals |= {
        "change": text.format_change,
        "table": text.markdown_table,
        "version": __version__,
    }
    return environment


def _visible(value: object) -> object:
    return (
        text.visible(value) if isinstance(value, str) and not hasattr(value, "__html__") else value
    )


def _escaped_markdown(value: object) -> object:
    return value if hasattr(value, "__html__") else text.markdown_cell(value)


def _base64(content: bytes) -> str:
    """As a `data:` URI holds a picture, and a Content-Security-Policy the hash of a script."""
    return base64.b64encode(content).decode("ascii")
