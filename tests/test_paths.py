from student_perf import paths


def test_workspace_is_the_project_unless_the_variable_names_another(monkeypatch, tmp_path):
    assert paths.workspace() == tmp_path / "workspace"
    monkeypatch.delenv(paths.WORKSPACE_VARIABLE)
    assert paths.workspace() == paths.PROJECT_DIR
    assert (paths.CONF_DIR / "config.yaml").is_file()


def test_an_installed_package_writes_where_it_is_called(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "PROJECT_DIR", None)
    monkeypatch.delenv(paths.WORKSPACE_VARIABLE)
    monkeypatch.chdir(tmp_path)
    assert paths.workspace() == tmp_path


def test_a_checkout_has_conf_and_pyproject_beside_the_package(tmp_path):
    package = tmp_path / "student_perf"
    (package / "conf").mkdir(parents=True)
    assert paths.find_checkout(package) is None
    (tmp_path / "conf").mkdir()  # as in a folder of packages that has some `conf`
    assert paths.find_checkout(package) is None
    (tmp_path / "pyproject.toml").touch()
    assert paths.find_checkout(package) == tmp_path
    assert paths.find_checkout(paths.PACKAGE_DIR) == paths.PROJECT_DIR
