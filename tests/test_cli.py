import inspect
import re
import subprocess
import sys

import pytest

from student_perf import __version__, cli, train
from student_perf.commands.arguments import GROUPS
from student_perf.exit_codes import OF_EVERY_COMMAND, ExitCode

COMMANDS = cli.load_commands()


def printed(capsys, *arguments):
    with pytest.raises(SystemExit) as done:
        cli.main(list(arguments))
    return done.value.code, capsys.readouterr()


# What names nothing, for each command that reads a run or a file.
NOTHING = [
    ["check", "nobody"], ["compare", "nobody"], ["data", "none.csv"], ["explain", "nobody"],
    ["drift", "none.csv", "none.csv"], ["export", "nobody"], ["predict", "nobody", "in", "out.csv"],
    ["promote", "nobody"], ["report", "nobody"], ["reproduce", "nobody"],
    ["sync", "nobody"], ["ui", "nobody"], ["verify", "nobody"], ["why", "nobody", "nobody"],
]  # fmt: skip


def test_what_is_cheap_to_refuse_is_refused_before_heavy_imports(workspace):
    program = (
        "import sys, student_perf.cli as c\n"
        f"codes = {{int(c.main(words)) for words in {NOTHING!r}}}\n"
        "print(codes, [m for m in ('pandas', 'scipy', 'sklearn', 'mlflow', 'optuna', 'shap')"
        " if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.rstrip() == "{1} []", done.stdout + done.stderr
    assert len(done.stderr.splitlines()) == len(NOTHING)


def test_help_answers_without_heavy_imports():
    program = (
        "import sys, student_perf.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('pandas', 'sklearn', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr


def test_help_lists_every_command_once_below_its_group(capsys):
    code, captured = printed(capsys, "--help")
    assert code == 0
    places = [captured.out.index(f"{group}:") for group in GROUPS]
    assert places == sorted(places)
    for name, module in COMMANDS.items():
        line = f"  {name:<10} {module.HELP}"
        assert captured.out.count(line) == 1, name
        start = places[GROUPS.index(module.GROUP)]
        assert captured.out.index(line) > start


def test_help_fits_a_terminal_of_80_columns(capsys):
    _, captured = printed(capsys, "--help")
    assert max(map(len, captured.out.splitlines())) <= 80


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_its_defaults_and_exit_codes(capsys, name):
    code, captured = printed(capsys, name, "--help")
    assert code == 0
    text = " ".join(captured.out.split())
    assert COMMANDS[name].HELP[1:] in text
    assert "(%(default)s)" not in text
    codes = text.partition("exit codes:")[2]
    source = re.sub(r"^CODES = .*", "", inspect.getsource(COMMANDS[name]), flags=re.MULTILINE)
    named = set(re.findall(r"ExitCode\.(\w+)", source))
    can = {ExitCode[word] for word in named} | set(OF_EVERY_COMMAND)
    if any(parent.get_default("accept_changes") is not None for parent in COMMANDS[name].PARENTS):
        can.add(ExitCode.FINDING)
    for number, meaning in cli._codes_of(COMMANDS[name]).items():
        assert f"{number:d} {meaning}" in codes
        can.remove(number)
    assert not can


@pytest.mark.parametrize(
    "name", [n for n in COMMANDS if n not in ("data", "verify", "evidence", "sync", "worker")]
)
def test_every_command_that_reads_runs_takes_a_store_and_a_workspace(capsys, name):
    _, captured = printed(capsys, name, "--help")
    assert "--store URI" in captured.out
    assert "--workspace FOLDER" in captured.out


def test_a_typo_is_a_usage_error_and_no_finding(capsys):
    code, captured = printed(capsys, "reproduce", "latest", "--chek-only")
    assert code == ExitCode.USAGE == 2
    assert "--chek-only" in captured.err


def test_version(capsys):
    assert printed(capsys, "--version")[0] == 0
    assert printed(capsys, "--version")[1].out == f"student_perf {__version__}\n"


def test_another_workspace_holds_for_one_command_only(kept_run, workspace, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    assert cli.main(["report", "--workspace", str(empty)]) == ExitCode.ERROR
    assert str(empty) in capsys.readouterr().err
    assert cli.main(["report"]) == ExitCode.DONE
    assert cli.main(["report", "--workspace", str(tmp_path / "absent")]) == ExitCode.ERROR
    assert "absent: is not a folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "handed_on"),
    [
        (["train", "model=xgb", "--cfg", "job"], ["model=xgb", "--cfg", "job"]),
        (["train", "-m", "model=rf,xgb"], ["-m", "model=rf,xgb"]),
        (["train", "--help"], ["--help"]),
        (["sweep", "search=tree"], ["--multirun", "search=tree"]),
    ],
)
def test_train_and_sweep_hand_their_words_on_to_hydra(monkeypatch, words, handed_on):
    seen = []
    monkeypatch.setattr(sys, "argv", ["student-perf"])  # puts back what `train` changes
    monkeypatch.setattr(train, "run_process", lambda: seen.append(sys.argv[1:]) or ExitCode.ERROR)
    assert cli.main(words) == ExitCode.ERROR
    assert seen == [handed_on]


def test_help_lists_training_first_and_a_typo_names_it(capsys):
    _, captured = printed(capsys, "--help")
    training = captured.out.partition("Training (python -m student_perf.train):")[2]
    assert re.match(r"\n  train +\w.*\n  sweep +\w", training)
    code, captured = printed(capsys, "trian")
    assert code == ExitCode.USAGE
    assert re.search(r"'?train'?, '?sweep'?,", captured.err)  # quoted until Python 3.13


def test_a_mistake_in_training_is_one_line_and_code_1(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["student-perf"])
    assert cli.main(["train", "model=xbg"]) == ExitCode.ERROR
    assert capsys.readouterr().err == (
        "student_perf: model=xbg: no such option; did you mean xgb?\n"
    )
