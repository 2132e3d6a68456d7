"""builtin_interfaces/Time to and from integer nanoseconds."""

from __future__ import annotations

from typing import Any

NS = 1_000_000_000


def stamp_to_ns(stamp: Any) -> int:
    """A Time with `sec` and `nanosec` to nanoseconds since the epoch."""
    return int(stamp.sec) * NS + int(stamp.nanosec)


def ns_to_stamp(stamp_ns: int) -> tuple[int, int]:
    """Nanoseconds since the epoch to (sec, nanosec); nanosec is never negative."""
    return divmod(stamp_ns, NS)
