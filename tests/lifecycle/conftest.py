import pytest

from student_perf.experiment import run_experiment
from student_perf.terminal import Terminal


@pytest.fixture
def kept_run(compose_config, workspace, grades):
    """Folder of a finished run on the grades file; numbers, text and missing cells."""
    config = compose_config(
        "dataset=csv",
        f"dataset.path={grades}",
        "dataset.target=grade",
        "dataset.classes=[low,mid,high]",
        "tracking=off",
        "report.importance=false",
        "split=holdout",
    )
    folder = workspace / "outputs/2026-01-02/03-04-05_abcdef01"
    run_experiment(config, folder, Terminal(quiet=True))
    return folder
