import pytest
from jinja2 import DictLoader, UndefinedError

from student_perf import render as module
from student_perf.render import TEMPLATES_DIR, render

NASTY = "</p><script>|[x](y)"


@pytest.fixture
def templates(monkeypatch):
    """Templates of the test in the place of the package's."""

    def use(**files):
        for is_html in (True, False):
            environment = module._environment(is_html)
            named = {name.replace("_", "."): text for name, text in files.items()}
            monkeypatch.setattr(environment, "loader", DictLoader(named))

    return use


def test_html_escapes_every_value(templates):
    templates(own_html_j2="<p>{{ text }}</p>{{ 0.5 | number }}")
    assert render("own.html.j2", text=NASTY) == "<p>&lt;/p&gt;&lt;script&gt;|[x](y)</p>0.500"


def test_markdown_escapes_every_value_but_the_safe(templates):
    templates(
        own_md_j2="# {{ text }} {{ text | code | safe }}\n{{ table(['a'], [[text]]) | safe }}\n"
    )
    assert render("own.md.j2", text=NASTY) == (
        "# &lt;/p>&lt;script>\\|\\[x](y) `</p><script>|[x](y)`\n"
        "| a |\n| --- |\n| &lt;/p>&lt;script>\\|\\[x](y) |\n"
    )


@pytest.mark.parametrize("kind", ["html", "md"])
def test_a_misspelt_name_is_an_error(templates, kind):
    templates(**{f"own_{kind}_j2": "{{ txt }}"})
    with pytest.raises(UndefinedError, match="txt"):
        render(f"own.{kind}.j2", text="x")


def test_every_page_has_the_style_the_policy_and_both_colour_schemes():
    pages = [
        path
        for path in TEMPLATES_DIR.glob("*.html.j2")
        if path.name.split(".")[0] not in ("base", "macros", "notebook")  # parts of pages
    ]
    assert len(pages) >= 3
    for path in pages:
        assert path.read_text("utf-8").startswith('{% extends "base.html.j2" %}')
    text = render("base.html.j2")
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
