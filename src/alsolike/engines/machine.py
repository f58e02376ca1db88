"""What this process may use of the machine."""

import os


def processors() -> int:
    """Return how many processors this process may use; not every system has such a choice."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
