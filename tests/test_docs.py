"""README and docs agree with the program: links resolve, commands parse, figures have a source."""

import ast
import re
import shlex
import tomllib
from contextlib import suppress
from typing import get_type_hints

import pandas as pd
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from student_perf import cli
from student_perf.paths import PACKAGE_DIR, PROJECT_DIR
from student_perf.scoring.metrics import METRICS
from student_perf.sweep.options import SweepOptions
from studies import power
from studies.reference import pages
from tests.documentation import PAGES, commands, is_shown, lines_of_code, marked, read, without_code

README = read("README.md")
TRAINING = {line: name for line, name in commands().items() if line[0] == "student_perf.train"}


def slug(heading):
    """The anchor of a heading, as GitHub makes it."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", words).replace(" ", "-")


def anchors(page):
    text = without_code(page.read_text(encoding="utf-8"))
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, flags=re.M)}


def links(name):
    text = re.sub(r"`[^`\n]*`", "`code`", without_code(read(name)))
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    found += re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", text)
    return [link for link in found if "://" not in link]


@pytest.mark.parametrize("name", PAGES)
def test_every_link_and_anchor_resolves(name):
    page = PAGES[name]
    for link in links(name):
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), f"{name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{name}: {link}"


def test_every_command_of_the_pages_parses(capsys):
    parser = cli._make_parser(cli.load_commands())
    named = set()
    for (program, *words), name in commands().items():
        if program == "student_perf":
            with suppress(SystemExit):  # what it says of a wrong line is looked at below
                parser.parse_args(words)
            assert capsys.readouterr().err == "", f"{name}: {words}"
            named.add(words[0])
    assert named - {"train", "sweep", "--help"} == set(cli.load_commands())


FIRST_PAGES = {"README.md", "README.es.md", "docs/quickstart.md"}


@pytest.mark.parametrize(
    "pages",
    [FIRST_PAGES, pytest.param(PAGES.keys() - FIRST_PAGES, marks=pytest.mark.slow)],
    ids=["first", "others"],
)
def test_training_commands_of_the_pages_compose(compose_config, grades, monkeypatch, pages):
    """With the first value where a key is swept, and a made file where one is named."""
    monkeypatch.chdir(grades.parent)
    table = pd.read_csv(grades)
    found = [words for (_, *words), page in TRAINING.items() if page in pages]
    changed = {tuple(w for w in words if "=" in w or w[0] == "~") for words in found}
    kept = {tuple(w for w in words if not w.startswith("hydra.")) for words in changed}
    assert len(kept) > 10
    for words in kept - {("model=rf", "model.max_dept=3")}:  # shows its error
        overrides = [first_value(word) for word in words]
        given = dict(word.split("=", 1) for word in overrides if "=" in word)
        if "dataset.path" in given:
            named = table.rename(columns={"grade": given.get("dataset.target", "grade")})
            named.to_csv(given["dataset.path"], index=False)
        compose_config(*overrides)


def test_options_of_sweeps_that_pages_name_exist():
    words = {word for line in TRAINING for word in line if word.startswith("hydra.")}
    named = {word.split("=")[0].removeprefix("hydra.sweeper.") for word in words}
    assert "n_trials" in named
    assert named <= set(get_type_hints(SweepOptions))


def first_value(word):
    """An override with the first of the values that it sweeps."""
    (parsed,) = OverridesParser.create().parse_overrides([word])
    if not parsed.is_sweep_override():
        return word
    key = word.partition("=")[0]
    if parsed.is_interval_sweep():
        return f"{key}={parsed.value().start}"
    return f"{key}={next(parsed.sweep_string_iterator())}"


def test_targets_and_scripts_that_pages_name_exist():
    makefile = (PROJECT_DIR / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for name in PAGES.keys() - {"CHANGELOG.md"}:
        code = "\n".join(lines_of_code(read(name)))
        assert set(re.findall(r"^make ([a-z-]+)", code, re.M)) <= targets, name
        scripts = set(re.findall(r"^\S*python (?:-m )?((?:studies|benchmarks)[./]\w+)", code, re.M))
        scripts |= set(re.findall(r"^(?:\.ci|studies|benchmarks)/[\w.-]+", code, re.M))
        for script in scripts:
            path = PROJECT_DIR / script.replace("studies.", "studies/")
            assert path.exists() or path.with_suffix(".py").exists(), f"{name}: {script}"


def test_modules_that_pages_name_exist():
    for name in PAGES.keys() - {"CHANGELOG.md"}:
        for path in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", read(name)):
            assert (PROJECT_DIR / path).exists() or (PACKAGE_DIR / path).exists(), f"{name}: {path}"


def test_the_reference_is_the_one_that_the_program_writes():
    for name, text in pages().items():
        assert read(f"docs/reference/{name}") == text, "run: python -m studies.reference"
    config = read("docs/reference/config.md")
    assert "| `split.n_splits` | integer | `5` |" in config
    assert "| `xgb` | Gradient-boosted trees;" in config
    assert "\n### promote\n" in read("docs/reference/cli.md")
    said = read("docs/reference/messages.md")
    assert "| …: no trial has finished, or only a preview was asked |" in said
    assert "| --workspace …: is not a folder | name one that exists |" in said


def test_the_python_reference_names_all_that_the_api_offers():
    named = re.findall(
        r"^::: student_perf\.api\.(?:results\.)?(\w+)$", read("docs/reference/api.md"), re.M
    )
    source = (PACKAGE_DIR / "api/__init__.py").read_text(encoding="utf-8")
    offered = re.search(r"^__all__ = (\[.*\])$", source, re.M)[1]
    assert sorted(named) == ast.literal_eval(offered)


def test_the_site_has_every_page():
    text = (PROJECT_DIR / "mkdocs.yml").read_text()
    shown = re.findall(r": (\S+\.md)$", text.partition("\nnav:\n")[2], re.M)
    inside = {name.removeprefix("docs/") for name in PAGES if name != "docs/README.md"}
    assert set(shown) == inside - {"README.md"} | {"index.md"}


def test_pages_show_nothing_of_another_server():
    """Badges of the README are left out of the site; Mermaid would be loaded by it."""
    elsewhere = re.compile(r"^(?!\[!\[).*(?:!\[[^]]*\]\(|src(?:set)?=\")https?:", re.M)
    for name in PAGES:
        assert elsewhere.findall(read(name)) == [], name
        assert "```mermaid" not in read(name), name


def test_errors_of_training_are_those_that_pages_show(train, grades, monkeypatch):
    monkeypatch.chdir(grades.parent)
    grades.rename("notas.csv")  # which a page misspells
    shown = re.compile(r"^\$ \S+ -m student_perf\.train (.+)\n(student_perf: .+)$", re.M)
    pairs = {pair for name in PAGES for pair in shown.findall(read(name))}
    assert len(pairs) >= 2
    for words, line in pairs:
        outcome = train(*shlex.split(words))
        assert (outcome.code, outcome.err) == (1, f"{line}\n")


def test_the_readme_is_short_and_names_what_is_supported():
    assert len(README.splitlines()) < 160
    project = tomllib.loads((PROJECT_DIR / "pyproject.toml").read_text())["project"]
    versions = re.findall(r"Python :: (3\.\d+)", str(project["classifiers"]))
    assert f"[![Python {', '.join(versions)}]" in README
    assert f"python-{'%20%7C%20'.join(versions)}-blue" in README
    assert f"[![{project['license']} licence]" in README


def test_the_speed_table_is_that_of_the_sweeps_page():
    rows = marked("README.md", "speed").splitlines()
    assert len(rows) > 6
    assert set(rows) <= set(read("docs/sweeps.md").splitlines())


def test_the_spanish_report_has_the_figures_of_the_default_run():
    shown = dict(
        re.findall(
            r"^ [> ]  (\S.*?) +(\d\.\d{3}) ",
            marked("docs/what_a_run_shows.md", "default-run"),
            re.M,
        )
    )
    report = read("docs/es/informe_sre.md")
    for metric in METRICS.values():
        for figure in re.findall(rf"`cv_{metric.name}_mean` = (\d\.\d+)", report):
            assert figure == shown.pop(metric.label)
    assert "accuracy" not in shown
    assert "ROC AUC (one vs rest)" not in shown


def test_the_spanish_report_shows_the_versions_of_the_lock():
    shown = read("docs/es/informe_sre.md").partition("\nPackages\n")[2].partition("\n...")[0]
    versions = re.findall(r"([a-z-]+) (\d+(?:\.\d+)*)", shown)
    locks = [(PROJECT_DIR / f"requirements{kind}.txt").read_text() for kind in ("", "-dev")]
    pinned = re.findall(r"^([a-z-]+)==(\d+(?:\.\d+)*)", "\n".join(locks), re.M)
    assert len(versions) > 10
    assert set(versions) <= set(pinned)  # which differ between versions of Python


@pytest.mark.slow
def test_the_session_of_the_readme_prints_what_it_shows(train, capsys):
    """The sweep, `compare` and `reproduce` of the front page, in one workspace."""
    parts = re.split(r"^\$ ", marked("README.md", "session"), flags=re.M)[1:]
    assert len(parts) == 3
    for part in parts:
        line, _, shown = part.partition("\n")
        _, _, program, *words = shlex.split(line)
        if program == "student_perf":
            assert cli.main(words) == 0
            printed = capsys.readouterr().out
        else:
            printed = train(*words, "tracking=off", "report.importance=false").out
        assert is_shown(shown, printed), f"{line}\n{printed}"


def test_the_table_of_power_is_of_the_studys_form():
    text = read("docs/data.md")
    block = power.BEGIN + text.split(power.BEGIN)[1].split(power.END)[0] + power.END
    cells = [line.strip("| ").split(" | ") for line in block.splitlines() if line[:1] == "|"][2:]
    rows = [
        power.Row(name, task, int(n), float(moved), float(alike), float(told), float(found))
        for name, task, n, moved, alike, told, found, _ in cells
    ]
    assert [row.name for row in rows] == [*power.CLASSES, *power.NUMBERS]
    draws = int(re.search(r"(\d+) samples a table", block).group(1))
    # The closing figures follow from powers that are not rounded.
    assert power.table(rows, draws).splitlines()[:3] == block.splitlines()[:3]
    made = [line.rsplit(" | ", 1)[0] for line in power.table(rows, draws).splitlines()[3:23]]
    assert made == [line.rsplit(" | ", 1)[0] for line in block.splitlines()[3:23]]
    near = sum(abs(row.predicted - row.realised) <= power.NEAR + 0.01 for row in rows)
    assert int(re.search(r": (\d+) of 20", block).group(1)) <= near
