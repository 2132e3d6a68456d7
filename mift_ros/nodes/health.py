"""What the node tells of itself once a second: rates, ages, drops, and what to do when no image arrives."""

from __future__ import annotations

import math
import threading
from collections import Counter

from mift_ros.conversion.outputs import OK, WARN, Status
from mift_ros.localization.types import Fix, Result

STARVED_S = 2.0
"""So long without an image, while somebody publishes them, is starvation and not a pause."""


class Health:
    """Counts frames and inputs; the executor and the worker both tell it. Times in seconds."""

    def __init__(self, started_s: float) -> None:
        self._lock = threading.Lock()
        self._started_s = self._reported_s = started_s
        self._counts: Counter[str] = Counter()
        self._reported: Counter[str] = Counter()
        self._seen_s: dict[str, float] = {}
        self._complaints: dict[str, str] = {}
        self._latency_s = math.nan

    def seen(self, name: str, now_s: float) -> None:
        """A message arrived on an input."""
        with self._lock:
            self._seen_s[name] = now_s
            self._counts[name] += 1

    def dropped(self) -> None:
        """A frame was replaced by a newer one before the localizer came to it."""
        with self._lock:
            self._counts["dropped"] += 1

    def complain(self, name: str, why: str) -> None:
        """A message of an input said nothing; the last reason is kept."""
        with self._lock:
            self._complaints[name] = why

    def done(self, result: Result) -> None:
        """The localizer answered."""
        with self._lock:
            self._counts["fixes" if isinstance(result, Fix) else f"rejected {result.reason.value}"] += 1
            self._latency_s = result.latency_s

    def report(self, now_s: float, publishers: int, remedy: str) -> Status:
        """Rates since the last report and totals; `remedy` is told when the camera's images do not arrive."""
        with self._lock:
            return self._report(now_s, publishers, remedy)

    def _report(self, now_s: float, publishers: int, remedy: str) -> Status:
        span = max(now_s - self._reported_s, 1e-3)
        recent = self._counts - self._reported
        self._reported_s, self._reported = now_s, self._counts.copy()
        values = {
            f"{name} rate_hz": f"{recent[name] / span:.2f}" for name in (*sorted(self._seen_s), "fixes", "dropped")
        }
        values |= {f"{name} age_s": f"{now_s - at:.2f}" for name, at in sorted(self._seen_s.items())}
        values |= {f"{name} total": str(count) for name, count in sorted(self._counts.items())}
        values |= {f"{name} ignored": why for name, why in sorted(self._complaints.items())}
        values |= {"latency_s": f"{self._latency_s:.4f}", "image publishers": str(publishers)}
        return Status(*self._verdict(now_s, publishers, remedy, recent["fixes"]), values)

    def _verdict(self, now_s: float, publishers: int, remedy: str, fixes: int) -> tuple[int, str]:
        if publishers > 0 and now_s - self._seen_s.get("image", self._started_s) > STARVED_S:
            return WARN, f"images are published but do not arrive: {remedy}"
        if publishers == 0:
            return WARN, "nobody publishes images"
        return (OK, "fixes") if fixes else (WARN, "no fix since the last report")
