"""How many threads the runtime that embeds may use, and the libraries beside it."""

from __future__ import annotations

import math
import os
from pathlib import Path

QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""A container's share of the processors: microseconds of processor time, or max, in so many microseconds."""


def processors() -> int:
    """Logical processors that this process may use: those it may run on, and no more than its container's share."""
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = QUOTA.read_text(encoding="ascii").split()
        return min(count, max(math.ceil(int(quota) / int(period)), 1))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max": no limit
        return count


def keep_blas_single() -> None:
    """Give NumPy's OpenBLAS one thread, unless the user asks for more; to be called before NumPy is imported.

    Its products are small here, and its idle threads wait by spinning, on cores that the embedding needs next: with two
    of them a frame takes 1.3 times as long on two logical cores.
    """
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
