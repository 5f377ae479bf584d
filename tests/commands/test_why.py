from student_perf import cli


def test_a_run_against_itself_is_the_same(dummy_run, capsys):
    assert cli.main(["why", str(dummy_run.folder), "latest"]) == 0
    out = capsys.readouterr().out
    for part in ("config", "data", "environment"):
        assert f"  {part:<11}  same" in out
    assert "difference +0.0000" in out
