import multiprocessing
from pathlib import Path
from types import SimpleNamespace

import pytest
from filelock import FileLock

from student_perf.errors import ConfigError
from student_perf.runs.layout import SWEEP_LOCK_FILE
from student_perf.runs.seal import sha256_of
from student_perf.sweep import remote
from student_perf.sweep.places import worker_lock
from student_perf.sweep.plan import of_files
from student_perf.sweep.study import counts
from tests.sweep.conftest import opened

C = "model.C=tag(log,interval(0.01,10))"


@pytest.mark.slow
def test_a_job_looks_after_one_worker_in_a_free_place(plan_of, monkeypatch):
    plan, _ = plan_of(C, n_trials=3, n_jobs=2)
    study = opened(plan)
    hydra = SimpleNamespace(runtime=SimpleNamespace(cwd="/"))
    job = SimpleNamespace(get=lambda: hydra)
    monkeypatch.setattr(remote, "HydraConfig", job)
    # In a process of its own, since the job leaves Ctrl-C to the command.
    process = multiprocessing.get_context("fork").Process(
        target=remote.RemoteWorker(plan), args=(None,)
    )
    with FileLock(plan.folder / SWEEP_LOCK_FILE), worker_lock(plan, 0):
        process.start()
        process.join()
    assert process.exitcode == 0
    assert counts(study)["complete"] == 3
    names = sorted(file.name for file in plan.folder.glob("worker_*"))
    assert names == ["worker_0.lock", "worker_1.lock"]


def test_a_machine_with_other_data_or_code_or_without_the_locks_refuses(plan_of):
    plan, evaluator = plan_of(C, n_trials=3)
    opened(plan)
    data = evaluator.data(plan.base)
    with pytest.raises(ConfigError, match="does not see that the command holds its lock"):
        remote.RemoteWorker(plan)._check(data)
    plan.fingerprints["data"] = "0123"
    with pytest.raises(ConfigError, match=r"has other data, files or code .*\(data was 0123, is"):
        remote.RemoteWorker(plan)._check(data)


def test_a_machine_with_other_files_of_models_refuses(plan_of, tmp_path):
    plan, evaluator = plan_of(C, n_trials=3)
    file = tmp_path / "weights.ckpt"
    plan.fingerprints.update(of_files({file: sha256_of(Path(__file__))}))
    for content, here in ((None, "not there"), (b"others", "SHA-256 ")):
        if content is not None:
            file.write_bytes(content)
        with pytest.raises(ConfigError, match=rf"weights\.ckpt was SHA-256 \w+, is {here}"):
            remote.RemoteWorker(plan)._check(evaluator.data(plan.base))
