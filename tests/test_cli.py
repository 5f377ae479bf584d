import subprocess
import sys

import pytest

from student_perf import cli


def test_help_answers_without_heavy_imports():
    program = (
        "import sys, student_perf.cli as c\n"
        "try: c.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('pandas', 'sklearn', 'mlflow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.rstrip().endswith("[]"), done.stdout + done.stderr


def test_every_command_explains_itself(capsys):
    for name, module in cli.COMMANDS.items():
        with pytest.raises(SystemExit) as done:
            cli.main([name, "--help"])
        assert done.value.code == 0
        assert module.HELP in " ".join(capsys.readouterr().out.split())
