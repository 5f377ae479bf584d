"""What the numbered checks say of a dataset, for the tests of each module of them."""

from dataclasses import replace

from student_perf.config.schema import GuardsConfig, KFoldSplit
from student_perf.evaluation.guards import check_guards
from student_perf.evaluation.registry import Subject
from student_perf.evaluation.splits import make_split
from tests.conftest import SMALL_CONFIG

KFOLD = KFoldSplit("kfold", 0.2, 0, True, 4)
WARN = GuardsConfig({})


def findings_of(dataset, config=SMALL_CONFIG, guards=WARN, split=KFOLD):
    return check_guards(Subject(dataset, make_split(dataset, split), config, split), guards)


def lines_of(*args, **options):
    return [finding.text for finding in findings_of(*args, **options)]


def with_column(dataset, name, values):
    return replace(dataset, features=dataset.features.assign(**{name: values}))
