"""How much memory there is for a table, and giving back what is not used.

>>> rows_that_fit(10**7, needed=40e9, available=15e9)
3000000
"""

from __future__ import annotations

import ctypes
import math
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

_SHARE = 0.9  # of what is available; other programs may grow meanwhile
_MEMINFO = Path("/proc/meminfo")
_OWN_GROUPS = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")
# Names of the limit, the use, and of the parts of the use that the system takes back if needed.
_CACHED = ("inactive_file", "active_file")
_NAMES = {
    "": ("memory.max", "memory.current", _CACHED),
    "memory": (
        "memory.limit_in_bytes",
        "memory.usage_in_bytes",
        tuple(f"total_{name}" for name in _CACHED),
    ),
}


def available_memory() -> float:
    """Bytes that this process may still take: of the machine, or of its container if those are
    fewer; infinite where the system does not say, as on macOS and Windows.
    """
    return min([*_of_machine(), *_of_groups()], default=math.inf)


def rows_that_fit(n_rows: int, needed: float, available: float) -> int:
    """Of `n_rows` rows that need so many bytes, a round number that fits; 0 if hardly any do."""
    fitting = int(n_rows * _SHARE * available / needed)
    digits = int(10 ** max(0, len(str(fitting)) - 1))
    return fitting // digits * digits


def release_unused() -> None:
    """Give freed memory back to the system: the C library and Arrow keep it, and large tables get
    new memory beside it (of a million rows x 30 columns 0.3 GB of 2.1).
    """
    pa.default_memory_pool().release_unused()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim is not None:
            trim(0)


def _of_machine() -> Iterator[float]:
    if _MEMINFO.exists():
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                yield 1024.0 * int(line.split()[1])


def _of_groups() -> Iterator[float]:
    """What the control groups of this process, and those around them, leave it."""
    if not _OWN_GROUPS.exists():
        return
    for line in _OWN_GROUPS.read_text().splitlines():
        _, controller, place = line.split(":", 2)
        if controller in _NAMES:
            root = _GROUPS / controller
            # Inside a container the group is the root, whatever its place on the host.
            folders = {root, *_upwards(root / place.strip("/"), root)}
            for folder in folders:
                yield from _left_in(folder, *_NAMES[controller])


def _upwards(folder: Path, root: Path) -> Iterator[Path]:
    while folder != root:
        yield folder
        folder = folder.parent


def _left_in(folder: Path, limit: str, used: str, reclaimable: tuple[str, ...]) -> Iterator[float]:
    try:
        most = (folder / limit).read_text().strip()
        if most == "max":
            return
        held = int((folder / used).read_text())
        stat = dict(map(str.split, (folder / "memory.stat").read_text().splitlines()))
    except OSError:  # the group is not visible from here
        return
    cached = sum(int(stat.get(name, 0)) for name in reclaimable)
    yield max(0.0, int(most) - held + cached)
