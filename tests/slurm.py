"""A Slurm cluster of one node on loopback, made of Debian's packages in a temporary folder.

Nothing is installed: `apt-get download` brings the packages, which are unpacked. Without accounting
and with one user it needs neither munge nor a database. To work with one by hand:

    python -m tests.slurm /tmp/cluster

prints the environment that its programs need, and ends it on Ctrl-C.
"""

from __future__ import annotations

import getpass
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.servers import free_port

_PACKAGES = ("slurm-client", "slurmd", "slurmctld", "slurm-wlm-basic-plugins")
_LIBRARIES = ("libmunge2", "libhwloc15", "libjson-c5", "liblua5.1-0", "libnuma1")
_SECONDS = 60


class NotHereError(RuntimeError):
    """Why there can be no cluster on this machine."""


@contextmanager
def slurm_cluster(folder: Path, cores: int = 2) -> Iterator[dict[str, str]]:
    """The environment in which `sbatch`, `squeue` and `scancel` reach a running cluster.

    Args:
        folder: Where it lives, absolute.
        cores: That its node says it has.

    Raises:
        NotHereError: The packages cannot be loaded, or the cluster does not start.
    """
    root = _unpacked(folder)
    libraries = root / "usr/lib" / f"{platform.machine()}-linux-gnu"
    plugins = libraries / "slurm-wlm"
    file = folder / "slurm.conf"
    file.write_text(_configuration(folder, plugins, cores), encoding="utf-8")
    (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n", encoding="utf-8")
    environment = {
        "SLURM_CONF": str(file),
        "PATH": f"{root}/usr/bin{os.pathsep}{os.environ['PATH']}",
        "LD_LIBRARY_PATH": f"{libraries}{os.pathsep}{plugins}",
    }
    programs = root / "usr/sbin"
    controller = [str(programs / "slurmctld-wlm"), "-D", "-i"]
    node = [str(programs / "slurmd-wlm"), "-D", "-d", str(programs / "slurmstepd-wlm")]
    with _running(controller, environment), _running(node, environment):
        _await_node(environment, folder)
        yield environment


def _unpacked(folder: Path) -> Path:
    """The packages' files below a folder."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise NotHereError("Slurm is tried with Debian's packages, and this system has no apt")
    root = folder / "root"
    root.mkdir(parents=True)
    words = ["apt-get", "download", *_PACKAGES, *_LIBRARIES]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise NotHereError(f"Slurm's packages cannot be loaded: {done.stderr.strip()[-200:]}")
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
    return root


def _configuration(folder: Path, plugins: Path, cores: int) -> str:
    name, user = platform.node(), getpass.getuser()
    for place in ("state", "spool"):
        (folder / place).mkdir()
    return f"""
ClusterName=test
SlurmctldHost={name}(127.0.0.1)
SlurmctldPort={free_port()}
SlurmdPort={free_port()}
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
PluginDir={plugins}
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SwitchType=switch/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
KillWait=5
ReturnToService=2
NodeName={name} NodeAddr=127.0.0.1 CPUs={cores} State=UNKNOWN
PartitionName=debug Nodes={name} Default=YES MaxTime=INFINITE State=UP
"""


@contextmanager
def _running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_node(environment: dict[str, str], folder: Path) -> None:
    """Wait until the node takes jobs."""
    until = time.monotonic() + _SECONDS
    words = ["sinfo", "--noheader", "--format=%t"]
    while time.monotonic() < until:
        done = subprocess.run(words, env=os.environ | environment, capture_output=True, text=True)
        if done.stdout.strip() == "idle":
            return
        time.sleep(0.2)
    logs = [file.read_text()[-300:] for file in folder.glob("*.log")]
    raise NotHereError(f"Slurm does not start here: {done.stdout}{done.stderr} {logs}")


def main() -> None:
    """Keep a cluster until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), slurm_cluster(Path(sys.argv[1]).absolute()) as environment:
        for name, value in environment.items():
            print(f"export {name}={value}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
