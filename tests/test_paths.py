from student_perf import paths


def test_workspace_is_the_project_unless_the_variable_names_another(monkeypatch, tmp_path):
    assert paths.workspace() == tmp_path / "workspace"
    monkeypatch.delenv(paths.WORKSPACE_VARIABLE)
    assert paths.workspace() == paths.PROJECT_DIR
    assert (paths.CONF_DIR / "config.yaml").is_file()
