"""What a process may still take follows the machine and its control groups."""

import math
import platform
import subprocess
import sys

import pytest

from student_perf.tables import memory
from student_perf.tables.memory import available_memory, rows_that_fit


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine with 8 GB available, whose process is in the group /job, yet without a limit."""
    groups = tmp_path / "groups"
    (tmp_path / "meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n")
    for name, path in (("_MEMINFO", "meminfo"), ("_OWN_GROUPS", "own"), ("_GROUPS", "groups")):
        monkeypatch.setattr(memory, name, tmp_path / path)
    (groups / "job").mkdir(parents=True)
    (tmp_path / "own").write_text("0::/job\n")
    return tmp_path


def limited(folder, limit, names=("memory.max", "memory.current", "inactive_file")):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{limit}\n")
    (folder / names[1]).write_text("3000000000\n")
    active = names[2].replace("inactive", "active")
    cached = f"{names[2]} 600000000\n{active} 400000000\n"
    (folder / "memory.stat").write_text(f"anon 2000000000\n{cached}")


def test_without_limits_it_is_what_the_machine_has(system):
    assert available_memory() == 8_192_000_000
    limited(system / "groups" / "job", "max")
    assert available_memory() == 8_192_000_000


@pytest.mark.parametrize("place", ["job", "."])
def test_a_container_leaves_what_its_limit_does_beside_what_can_be_taken_back(system, place):
    limited(system / "groups" / place, 5_000_000_000)
    assert available_memory() == 3_000_000_000
    limited(system / "groups" / place, 1_500_000_000)  # more is in use already
    assert available_memory() == 0


def test_groups_of_the_first_kind_count_too(system):
    (system / "own").write_text("5:cpu:/other\n4:memory:/elsewhere\n0::/\n")
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    limited(system / "groups" / "memory", 4_000_000_000, names)
    assert available_memory() == 2_000_000_000


def test_a_system_that_says_nothing_refuses_nothing(system):
    for name in ("meminfo", "own"):
        (system / name).unlink()
    assert available_memory() == math.inf


@pytest.mark.parametrize(
    ("available", "expected"), [(12e9, 200_000), (20e9, 400_000), (0.0, 0), (1e3, 0)]
)
def test_the_rows_that_fit_are_a_round_number_below_what_is_there(available, expected):
    assert rows_that_fit(1_000_000, 40e9, available) == expected


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide themselves")
def test_what_is_freed_goes_back_to_the_system():
    code = """
import numpy as np
from student_perf.tables.memory import release_unused

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096

kept = [[np.ones(12_500), np.ones(100)] for _ in range(1000)]  # 100 MB with small ones between
kept = [small for _, small in kept]
before = resident()
release_unused()
print(before - resident())
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert int(run.stdout) > 50_000_000
