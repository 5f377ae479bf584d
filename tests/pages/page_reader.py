"""Reads a report as a program does that knows HTML and nothing of our templates."""

from __future__ import annotations

import json
from html.parser import HTMLParser


class Reader(HTMLParser):
    """Cells of each table, all links, the JSON blocks, the elements that were opened."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.json, self.tags, self.links, self.text = [], [], [], [], []
        self._in = None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self._in = (tag, dict(attrs))
        self.links += [value for name, value in attrs if name in ("src", "href", "action")]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        self._in = None

    def handle_data(self, data):
        tag, attrs = self._in or ("", {})
        if tag in ("td", "th"):
            self.tables[-1][-1][-1] += data
        elif tag == "script" and attrs.get("type") == "application/json":
            self.json.append(json.loads(data))
        elif tag not in ("script", "style"):
            self.text.append(data)


def leaderboard(reader):
    """The lines of the first table by column, without the dummy's."""
    header, *rows = reader.tables[0]
    return [dict(zip(header, row, strict=False)) for row in rows if len(row) == len(header)]
