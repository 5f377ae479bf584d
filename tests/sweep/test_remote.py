import multiprocessing
from types import SimpleNamespace

from student_perf.sweep import remote
from student_perf.sweep.places import worker_lock
from student_perf.sweep.study import counts
from tests.sweep.conftest import opened

C = "model.C=tag(log,interval(0.01,10))"


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
    with worker_lock(plan, 0):
        process.start()
        process.join()
    assert process.exitcode == 0
    assert counts(study)["complete"] == 3
    names = sorted(file.name for file in plan.folder.glob("worker_*"))
    assert names == ["worker_0.lock", "worker_1.lock"]
