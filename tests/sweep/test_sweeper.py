import pytest
from hydra.core.plugins import Plugins
from hydra.plugins.sweeper import Sweeper

from student_perf.config.recorded import load_recorded
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


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "joblib"])
def test_trials_compose_from_what_the_command_composes_from(train, workspace, tmp_path, launcher):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    lines = ["defaults:", "  - config", "  - override model: tree", "  - _self_", "seed: 77"]
    (tmp_path / "other.yaml").write_text("\n".join(lines))
    outcome = train("-cn", "other", "--config-dir", str(tmp_path), "-m", "tracking=off",
                    f"hydra/launcher={launcher}", "hydra.sweeper.n_jobs=2", "split=holdout",
                    "model.max_depth=2,3", "+tags.team=a,'b c'", "+tags.n='${hydra:job.num}'",
                    "hydra.job.chdir=true")  # fmt: skip
    assert outcome.code == 0, outcome.err
    folder = sweep_folder(workspace)
    configs = [load_recorded(folder / str(number) / "config.yaml") for number in range(4)]
    assert {(config.seed, config.model["name"]) for config in configs} == {(77, "tree")}
    assert [config.tags["team"] for config in configs] == ["a", "b c", "a", "b c"]
    assert [config.tags["n"] for config in configs] == list("0123")
