import json
from wsgiref.util import setup_testing_defaults

import optuna
import pytest

from student_perf.sweep.dashboard import study_page
from student_perf.sweep.storage import open_storage


@pytest.fixture
def journal(tmp_path):
    pytest.importorskip("optuna_dashboard")
    file = tmp_path / "study.journal"
    study = optuna.create_study(study_name="mine", storage=open_storage(str(file)))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
    return file


def asked(page, path, method="GET"):
    """Status and content of an answer."""
    environ = {"PATH_INFO": path, "REQUEST_METHOD": method}
    setup_testing_defaults(environ)
    status = []
    content = b"".join(page(environ, lambda line, headers, *_: status.append(int(line[:3]))))
    return status[0], json.loads(content or "{}")


def test_trials_that_come_are_shown(journal):
    page = study_page(journal)
    status, found = asked(page, "/api/studies")
    assert status == 200
    assert [study["study_name"] for study in found["study_summaries"]] == ["mine"]
    assert len(asked(page, "/api/studies/0")[1]["trials"]) == 2
    study = optuna.load_study(study_name="mine", storage=open_storage(str(journal)))
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert len(open_storage(str(journal)).get_all_trials(0)) == 3


def test_the_page_changes_nothing(journal):
    before = journal.read_bytes()
    status, _ = asked(study_page(journal), "/api/studies/0", "DELETE")
    assert status == 500
    assert journal.read_bytes() == before
