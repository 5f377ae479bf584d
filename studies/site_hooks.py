"""Hooks of mkdocs: the pages beside docs/ join the site, and the README is its first page.

`make docs` calls them (`hooks` in mkdocs.yml).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files
from pymdownx.slugs import slugify

PROJECT = Path(__file__).parents[1]
_OUTSIDE = ("README.md", "README.es.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md")
_FIRST = {"README.md": "index.md"}
_BADGE = re.compile(r"^\[!\[[^\]]*\]\(https://[^)]*\)\]\([^)]*\)\n", re.M)
_LINK = re.compile(r"\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """Name anchors as GitHub does; in YAML that would take a tag of Python."""
    config.mdx_configs["toc"]["slugify"] = slugify(case="lower")
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand beside docs/."""
    for name in _OUTSIDE:
        text = (PROJECT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, _FIRST.get(name, name), content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Point links where the pages stand in the site; what it does not hold becomes text. Badges,
    which are pictures of another server, are left out.
    """
    markdown = _BADGE.sub("", markdown)
    known = {name: _FIRST.get(name, name) for name in _OUTSIDE}
    place = page.file.src_uri
    is_outside = place in known.values()
    up = "../" * place.count("/")

    def moved(match: re.Match[str]) -> str:
        text, address, anchor = match[1], match[2], match[3] or ""
        if "://" in address:
            return match[0]
        inside = address.removeprefix("docs/") if is_outside else address
        if Path(address).name in known and not address.startswith("docs/"):
            inside = up + known[Path(address).name]
        elif address == "docs/README.md":
            inside = "index.md"
        elif is_outside and not address.startswith("docs/"):
            return text
        return f"[{text}]({inside}{anchor})"

    markdown = _LINK.sub(moved, markdown)
    return markdown.replace('="docs/images/', '="images/') if is_outside else markdown
