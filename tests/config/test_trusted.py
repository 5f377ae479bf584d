import os
import sys

import pytest

from student_perf.config.trusted import (
    ALLOW_PICKLES,
    import_trusted,
    refuse_pickles,
    trusted_modules,
    trusted_places,
    trusted_sources,
)
from student_perf.errors import ConfigError


@pytest.fixture
def conf(tmp_path, monkeypatch):
    """A folder `conf` in the current folder."""
    (tmp_path / "conf").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path / "conf"
    for name in ("own_part", "own_parts"):
        sys.modules.pop(name, None)


def test_without_a_file_nothing_is_trusted(conf):
    import_trusted()
    assert trusted_modules() == ()
    assert trusted_sources() == []


def test_a_module_and_a_package_beside_conf_are_imported(conf):
    (conf / "trusted.yaml").write_text("trusted: [own_part, own_parts]\n")
    (conf.parent / "own_part.py").write_text("HERE = 1\n")
    package = conf.parent / "own_parts"
    package.mkdir()
    (package / "__init__.py").write_text("from own_parts.inner import HERE\n")
    (package / "inner.py").write_text("HERE = 2\n")
    import_trusted()
    assert (sys.modules["own_part"].HERE, sys.modules["own_parts"].HERE) == (1, 2)
    assert trusted_places() == [conf.parent / "own_part.py", package]
    assert {file.name for file in trusted_sources()} == {"own_part.py", "__init__.py", "inner.py"}


@pytest.mark.parametrize(
    "text", ["", "trusted: os\n", "[a]\n", "trusted: ['a b']\n", "other: [a]\n"]
)
def test_a_file_that_names_no_modules_is_refused(conf, text):
    (conf / "trusted.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"trusted\.yaml: names no modules; write"):
        import_trusted()


def test_a_module_that_cannot_be_imported_is_one_line(conf):
    (conf / "trusted.yaml").write_text("trusted: [own_part]\n")
    with pytest.raises(ConfigError, match=r"own_part cannot be imported.*or put it into"):
        import_trusted()
    (conf.parent / "own_part.py").write_text("1 / 0\n")
    with pytest.raises(ConfigError, match=r"own_part cannot be imported .ZeroDivisionError"):
        import_trusted()


def test_commands_let_mlflow_refuse_pickles_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.setenv(ALLOW_PICKLES, "true")
    refuse_pickles()
    assert os.environ[ALLOW_PICKLES] == "true"
    monkeypatch.delenv(ALLOW_PICKLES)
    refuse_pickles()
    assert os.environ[ALLOW_PICKLES] == "false"
    from mlflow.environment_variables import MLFLOW_ALLOW_PICKLE_DESERIALIZATION

    assert not MLFLOW_ALLOW_PICKLE_DESERIALIZATION.get()
