import argparse

import pytest

from student_perf import cli
from student_perf.commands import arguments


def parsed(*words, parents=()):
    parser = argparse.ArgumentParser(parents=list(parents), formatter_class=arguments.HelpFormatter)
    return parser, parser.parse_args(list(words))


def test_the_first_format_is_the_default_and_others_are_refused(capsys):
    parser, chosen = parsed(parents=[arguments.formats("text", "json")])
    assert chosen.format == "text"
    with pytest.raises(SystemExit):
        parser.parse_args(["--format", "yaml"])
    assert "choose from" in capsys.readouterr().err


def test_defaults_are_shown_once_and_in_one_way():
    parser = argparse.ArgumentParser(formatter_class=arguments.HelpFormatter)
    parser.add_argument("--rows", type=int, default=5, help="how many")
    parser.add_argument("--place", help="where (default: here)")
    parser.add_argument("--quiet", action="store_true", help="say nothing")
    text = " ".join(parser.format_help().split())
    assert "how many (default: 5)" in text
    assert text.count("default:") == 2


def test_a_run_with_a_default_may_be_left_out():
    parser = argparse.ArgumentParser()
    arguments.add_run(parser, default="latest")
    assert parser.parse_args([]).run == "latest"
    assert parser.parse_args(["abcd"]).run == "abcd"


def test_the_store_is_the_named_one_or_that_of_the_config(monkeypatch, workspace):
    _, chosen = parsed("--store", "http://here", parents=[arguments.reading()])
    assert arguments.store_of(chosen) == "http://here"
    _, chosen = parsed(parents=[arguments.reading()])
    assert arguments.store_of(chosen) == f"sqlite:///{workspace}/mlflow.db"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["latest"], arguments.MODEL_NAME),
        (["models:/grades@challenger"], "grades"),
        (["models:/grades/3"], "grades"),
        (["models:/grades@challenger", "--name", "other"], "other"),
    ],
)
def test_the_model_is_named_by_itself_or_in_the_address_of_its_run(words, expected):
    parser = argparse.ArgumentParser()
    arguments.add_run(parser)
    arguments.add_registry(parser, takes_run=True)
    assert arguments.model_name(parser.parse_args(words)) == expected
    without_run = argparse.ArgumentParser()
    arguments.add_registry(without_run)
    assert arguments.model_name(without_run.parse_args([])) == arguments.MODEL_NAME


@pytest.mark.parametrize("port", ["-1", "65536"])
@pytest.mark.parametrize("command", [["ui"], ["ui", "--optuna"], ["serve", "latest"]])
def test_what_cannot_be_a_port_is_refused_first(command, port, capsys):
    assert cli.main([*command, "--port", port]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"--port {port}: must be " in line


def test_an_empty_name_of_a_model_is_refused(capsys):
    assert cli.main(["rollback", "--name", ""]) == 1
    assert "--name: is empty" in capsys.readouterr().err
