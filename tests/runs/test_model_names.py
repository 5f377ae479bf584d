import subprocess
import sys

from student_perf.models.libraries import packages_of
from student_perf.runs.layout import MODEL_FILE
from student_perf.runs.model_file import trusted_types
from student_perf.runs.model_names import named_types


def test_the_packages_are_those_of_the_types_that_are_loaded(kept_run):
    file = kept_run / MODEL_FILE
    assert set(trusted_types(file)) <= named_types(file)
    assert packages_of(named_types(file)) == packages_of(trusted_types(file))


def test_nothing_that_is_named_is_imported(kept_run):
    code = (
        "import sys; from pathlib import Path; from student_perf.runs.model_names import *\n"
        f"assert named_types(Path({str(kept_run / MODEL_FILE)!r}))\n"
        "print([name for name in ('sklearn', 'skops') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
