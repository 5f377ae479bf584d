"""The page of the numbered checks, docs/checks.md, from the checks themselves."""

from __future__ import annotations

from student_perf.config.schema import FORMER_GUARDS, GuardsConfig
from student_perf.evaluation.guards import all_checks
from student_perf.render import render
from student_perf.text import markdown_table


def checks_page(levels: GuardsConfig) -> str:
    """Every check with its two paragraphs and its level, that of conf/config.yaml in the docs."""
    checks = [(one, levels.level(one.code)) for one in all_checks()]
    return (
        render(
            "checks.md.j2",
            checks=checks,
            former={code: name for name, code in FORMER_GUARDS.items()},
            overview=markdown_table(
                ("code", "default", "finds"),
                [(one.code, level, one.title) for one, level in checks],
            ),
        ).rstrip()
        + "\n"
    )
