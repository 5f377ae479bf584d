import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from tests.sweep.test_run import study_of, sweep_folder


def test_hydra_finds_the_sweeper_in_its_namespace():
    found = [cls.__module__ for cls in Plugins.instance().discover(Sweeper)]
    assert "hydra_plugins.student_perf" in found


@pytest.mark.slow
def test_workers_run_through_another_launcher(train, workspace):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    outcome = train("-m", "tracking=off", "hydra/launcher=joblib", "model.C=range(1,7)",
                    "hydra.sweeper.n_jobs=2", "split.n_splits=2")  # fmt: skip
    assert outcome.code == 0, outcome.err
    trials = study_of(sweep_folder(workspace)).trials
    assert [t.state.name for t in trials] == ["COMPLETE"] * 6
