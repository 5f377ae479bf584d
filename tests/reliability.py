"""The table of docs/reliability.md, made by the tests that bring faults about.

Such a test carries `@pytest.mark.fault(part, what, result)`: of which part, what goes wrong, and
what the test asserts then. `pytest -m fault --write-reliability` runs them and writes how often
each was tried; a row whose tests did not run stays. A test that tries its fault several times says
so by `record_property("times", n)`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from student_perf.paths import PACKAGE_DIR

PAGE = PACKAGE_DIR.parent / "docs/reliability.md"
_TESTS = Path(__file__).parent
_BEGIN, _END = "<!-- faults -->\n", "<!-- /faults -->\n"
_NOT_TRIED = "not tried"

Fault = tuple[str, str, str]  # part, what goes wrong, what holds then


@dataclass
class Tally:
    """How often the tests of one fault passed or failed, and why any was skipped."""

    passed: int = 0
    failed: int = 0
    skipped: str = ""

    def row(self, fault: Fault) -> str:
        """Its line in the table."""
        result = fault[2]
        if self.failed:
            result = f"**failed {self.failed} times**: {result}"
        elif not self.passed:
            result = f"{_NOT_TRIED}: {self.skipped}"
        return f"| {fault[1]} | {self.passed + self.failed} | {result} |\n"


def declared() -> set[Fault]:
    """Every fault that a test names."""
    return {fault for file in sorted(_TESTS.rglob("test_*.py")) for fault in _declared_in(file)}


def _declared_in(file: Path) -> Iterator[Fault]:
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.fault":
            part, what, result = (ast.literal_eval(word) for word in node.args)
            yield part, what, result


def rows(page: str) -> dict[tuple[str, str], list[str]]:
    """Cells of the table's rows by part and fault."""
    found, part = {}, ""
    for line in page.partition(_BEGIN)[2].partition(_END)[0].splitlines():
        if line.startswith("## "):
            part = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith("| fault"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            found[part, cells[0]] = cells
    return found


@dataclass(eq=False)  # pytest hashes its plugins
class Writer:
    """Collects what became of each fault, and writes the table after each."""

    tallies: dict[Fault, Tally] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count one test; in several processes, the one that started them gets all reports."""
        known = dict(report.user_properties)
        if "fault" not in known or (report.when != "call" and report.passed):
            return
        part, what, result = map(str, known["fault"])  # type: ignore[call-overload]
        tally = self.tallies.setdefault((part, what, result), Tally())
        times = int(str(known.get("times", 1)))
        if report.skipped:
            tally.skipped = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            tally.skipped = tally.skipped.removeprefix("Skipped: ")
        elif report.failed:
            tally.failed += 1
        else:
            tally.passed += times
        self._write()

    def _write(self) -> None:
        """Replace the rows of what was tried."""
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(_BEGIN)
        after = rest.partition(_END)[2]
        table = "".join(self._sections(rows(page)))
        PAGE.write_text(f"{before}{_BEGIN}{table}\n{_END}{after}", encoding="utf-8")

    def _sections(self, old: dict[tuple[str, str], list[str]]) -> Iterator[str]:
        part = ""
        for fault in sorted(declared()):
            row = self.tallies.get(fault, Tally(skipped="left out so far")).row(fault)
            if fault not in self.tallies and fault[:2] in old:
                row = f"| {' | '.join(old[fault[:2]])} |\n"
            if fault[0] != part:
                part = fault[0]
                yield f"\n## {part}\n\n| fault | times tried | what holds |\n|---|---|---|\n"
            yield row


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option that writes the page."""
    parser.addoption("--write-reliability", action="store_true", help="write docs/reliability.md")


def pytest_configure(config: pytest.Config) -> None:
    """Only the process that sees all reports writes."""
    if config.getoption("--write-reliability") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Writer())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the report of a test name its fault, wherever it runs."""
    for item in items:
        if (mark := item.get_closest_marker("fault")) is not None:
            item.user_properties.append(("fault", list(mark.args)))
