from omegaconf import OmegaConf

from student_perf.config.schema import FORMER_GUARDS
from student_perf.evaluation.guards import all_checks
from student_perf.pages.checks import checks_page
from student_perf.paths import CONF_DIR, PROJECT_DIR


def test_the_page_in_docs_is_the_one_that_the_checks_write(compose_config):
    text = (PROJECT_DIR / "docs/checks.md").read_text(encoding="utf-8")
    assert text == checks_page(compose_config().guards), "run: python -m studies.checks"
    for check in all_checks():
        assert (
            f"\n## {check.code}: {check.title}\n\n{check.what} {check.why}\n\n{check.fix} " in text
        )
    assert "Its former name, `guards.leaking_feature`, still works." in text


def test_the_config_lists_the_checks_that_exist():
    listed = OmegaConf.load(CONF_DIR / "config.yaml").guards
    assert set(listed) == {*FORMER_GUARDS, *(check.code for check in all_checks())}
