import pytest

from student_perf.errors import ConfigError
from student_perf.store.model_folder import is_without_run, model_folder


def test_a_folder_of_a_model_or_an_address_needs_no_run(kept_run, tmp_path):
    assert is_without_run(str(tmp_path))
    assert is_without_run("models:/grades@champion")
    assert not is_without_run(str(kept_run))
    assert model_folder(str(tmp_path)) == tmp_path
    assert model_folder(str(kept_run)) == kept_run


def test_a_word_that_means_no_run_is_refused(workspace):
    with pytest.raises(ConfigError, match="no such run"):
        model_folder("nobody")
