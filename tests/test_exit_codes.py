from student_perf.exit_codes import MEANINGS, ExitCode
from student_perf.paths import PROJECT_DIR


def test_every_code_has_a_meaning_and_the_documentation_lists_it():
    assert set(MEANINGS) == set(ExitCode)
    page = (PROJECT_DIR / "docs/after_training.md").read_text(encoding="utf-8")
    for code, meaning in MEANINGS.items():
        assert f"| {code:d} | {meaning} |" in page
