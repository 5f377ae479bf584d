"""Write docs/checks.md, the page of the numbered checks, from the checks themselves.

.venv/bin/python -m studies.checks
"""

from student_perf.atomic import write_atomic
from student_perf.config.load import compose_config, register_resolvers, validate
from student_perf.pages.checks import checks_page
from student_perf.paths import PROJECT_DIR


def main() -> None:
    """Write the page."""
    register_resolvers()
    levels = validate(compose_config([])).guards
    assert PROJECT_DIR is not None
    write_atomic(PROJECT_DIR / "docs/checks.md", checks_page(levels).encode())


if __name__ == "__main__":
    main()
