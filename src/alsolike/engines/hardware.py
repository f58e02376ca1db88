"""Measures processors and memory: used, and available to this process."""

import os
import re
from pathlib import Path

# A process that has read a small table, for systems that do not tell.
_USUAL = 175 << 20

_STATUS = Path("/proc/self/status")
_MACHINE = Path("/proc/meminfo")
_OWN_GROUP = Path("/proc/self/cgroup")
_GROUPS = Path("/sys/fs/cgroup")


def processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def taken() -> tuple[int, int]:
    """Return the current and the peak memory of this process, in bytes."""
    said = _sizes(_STATUS)
    present = said.get("VmRSS", _USUAL)
    return present, said.get("VmHWM", present)


def available() -> int | None:
    """Return how many bytes this process may still take; None if unknown."""
    left = [_sizes(_MACHINE).get("MemAvailable")]
    # Containers and services are held to limits of their own, each within those around it.
    own = re.search(r"^0::/(.*)$", _text(_OWN_GROUP), re.MULTILINE)
    group = _GROUPS / (own[1] if own else "")
    left += [_left_to(one) for one in (group, *group.parents) if one.is_relative_to(_GROUPS)]
    return min((size for size in left if size is not None), default=None)


def _left_to(group: Path) -> int | None:
    """Return the bytes left in a control group; its file cache counts as free."""
    limit, used = _text(group / "memory.max"), _text(group / "memory.current")
    cached = re.search(r"^file (\d+)$", _text(group / "memory.stat"), re.MULTILINE)
    if not (limit.strip().isdecimal() and used.strip().isdecimal()):  # "max" is no limit
        return None
    return max(int(limit) - int(used) + (int(cached[1]) if cached else 0), 0)


def _sizes(file: Path) -> dict[str, int]:
    """Return the sizes listed in a system file, in bytes; empty if it is missing."""
    found = re.findall(r"^(\w+):\s+(\d+) kB$", _text(file), re.MULTILINE)
    return {name: 1024 * int(size) for name, size in found}


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
