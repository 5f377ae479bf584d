import os
import threading
from importlib.util import find_spec

import pytest
from omegaconf import OmegaConf

from student_perf.sweep import engines

C = ("tracking=off", "model.C=1,2", "hydra.sweeper.preview=true")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["hydra/launcher=slurm"], "hydra/launcher=slurm: its package is not installed"),
        (["hydra/launcher=ray"], "hydra/launcher=ray: its package is not installed"),
        (["hydra.sweeper.detach=true"], "only jobs of Slurm outlive their command"),
    ],
)  # fmt: skip
def test_an_engine_that_cannot_be_had_is_one_line(train, words, line, monkeypatch):
    monkeypatch.setattr(engines, "find_spec", lambda _name: None)
    if "ray" in words[0] and find_spec("hydra_plugins.hydra_ray_launcher") is not None:
        pytest.skip("it is installed here")
    done = train("-m", *C, *words)
    assert done.code == 1
    assert line in done.err
    assert len(done.err.splitlines()) == 1


@pytest.mark.slow
def test_local_is_the_default(train):
    assert train("-m", *C, "hydra/launcher=local").out == train("-m", *C).out


@pytest.mark.parametrize(
    ("init", "environment", "sizes"),
    [
        ({"address": "head:6379"}, {}, {"object_store_memory": None}),
        ({"address": None}, {"RAY_ADDRESS": "head:6379"}, {"object_store_memory": None}),
        ({"address": None}, {}, {}),
        ({"address": "head:6379", "object_store_memory": 5}, {}, {"object_store_memory": 5}),
    ],
)
def test_a_ray_that_runs_is_given_no_size_and_lines_go_to_the_log_file(
    init, environment, sizes, monkeypatch
):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    node = {"_target_": "hydra_plugins.hydra_ray_launcher.ray_launcher.RayLauncher",
            "ray": {"init": init}}  # fmt: skip
    config = OmegaConf.create({"hydra": {"launcher": node, "hydra_logging": {"version": 1}}})
    made = engines._of_launcher(config)
    assert made.hydra.launcher.ray.init == init | sizes
    assert made.hydra.hydra_logging.root is None
    assert "root" not in config.hydra.hydra_logging


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """Programs of Slurm that say what is in a file, and note how they were called."""

    def says(text, code=0):
        for name in ("squeue", "scancel"):
            program = tmp_path / name
            lines = (
                "#!/bin/sh",
                f"echo $0 $@ >> {tmp_path}/calls",
                f"echo '{text}'",
                f"exit {code}",
            )
            program.write_text("\n".join(lines))
            program.chmod(0o755)
        return tmp_path / "calls"

    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return says


def test_the_queue_is_asked_for_the_jobs_of_the_sweep(slurm):
    calls = slurm("12_0")
    assert engines.is_queued("mine-abc")
    assert f"squeue --user={os.getuid()} --name=mine-abc --noheader" in calls.read_text()
    slurm("")
    assert not engines.is_queued("mine-abc")
    slurm("", code=1)
    assert engines.is_queued("mine-abc")  # nobody knows, so it is waited for
    engines.cancel("mine-abc")
    assert f"scancel --user={os.getuid()} --name=mine-abc" in calls.read_text()


def test_jobs_that_have_left_the_queue_are_not_waited_for_ever(slurm, monkeypatch):
    slurm("")
    monkeypatch.setattr(engines, "_SECONDS_TO_QUEUE", 0)
    monkeypatch.setattr(engines, "_LOOK", 0.01)
    over = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
    with pytest.raises(engines.LostJobsError, match="Slurm has no job mine any more"):
        engines._await(thread, "mine")
    over.set()
    thread.join()
    engines._await(thread, "mine")
