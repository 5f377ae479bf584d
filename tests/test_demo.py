"""The recorded terminal: one picture that plays, small, with the figures of the runs."""

import re
from xml.etree import ElementTree

from studies.demo import COMMANDS, PICTURE, Frame, Run, svg
from tests.documentation import marked

SVG = "{http://www.w3.org/2000/svg}"


def texts(element):
    return [text.text for text in element.iter(f"{SVG}text")]


def test_frames_stand_side_by_side_and_equal_lines_are_drawn_once():
    one, two = (Run(0, "$ a < b", "default", False),), (Run(2, "done", "green", True),)
    picture = svg([Frame((one, ()), 1.0), Frame((one, two), 3.0)])
    root = ElementTree.fromstring(picture)
    assert texts(root) == ["$ a < b", "done"]
    places = [(use.get("x"), use.get("y")) for use in root.iter(f"{SVG}use")]
    width = int(root.get("width"))
    assert places == [("0", "0"), (f"{width}", "0"), (f"{width}", "18")]
    assert "animation:play 4.00s" in picture
    assert f"25.000%{{transform:translateX(-{width}px)}}" in picture


def test_the_picture_is_light_and_has_figures_of_the_front_page():
    assert PICTURE.stat().st_size < 200_000
    shown = " ".join(texts(ElementTree.parse(PICTURE).getroot()))
    assert all(f"$ {command}" in shown for command in COMMANDS)
    for name, model in (
        ("session", "model=logreg"),
        ("session", "model=dummy"),
        ("default-run", ">"),
    ):
        (line,) = re.findall(rf"^.*{model} .*$", marked("README.md", name), re.M)
        figures = re.search(r"(0\.\d{3}).* (0\.\d{3} to 0\.\d{3})", line)
        assert re.search(rf"{figures[1]} .{{1,12}}{figures[2]}", shown), line
