from hydra import compose
from omegaconf import OmegaConf

from student_perf.config.load import register_resolvers
from student_perf.config.search_path import hydra_ready
from student_perf.sweep.start import start_sweep


def test_a_preview_runs_nothing_and_gives_no_folder(workspace, capsys):
    register_resolvers()
    words = ["model=tree", "model.max_depth=1,2", "tracking=off"]
    with hydra_ready() as loader:
        config = compose("config", [words[0], words[2]], return_hydra_config=True)
    options = OmegaConf.to_container(config.hydra.sweeper, resolve=True)
    node = {name: value for name, value in options.items() if not name.startswith("_")}
    assert start_sweep(config, node | {"preview": True}, words, loader) is None
    assert "2 trials, every combination once" in capsys.readouterr().out
    assert not (workspace / "multirun").exists()
    folder = start_sweep(config, node, words, loader)
    assert folder == next((workspace / "multirun").glob("*/winner"))
