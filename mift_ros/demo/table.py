"""The live table of a flight: what came back, frame by frame, and how far from the truth it is."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.metrics import error_of, percentile
from mift_ros.evaluation.records import FrameRecord

ROWS = 12


class LiveTable:
    """A rich renderable that `add` updates; the last frames, and the median so far."""

    def __init__(self, title: str, flight: Flight) -> None:
        self._title = title
        self._truths = dict(flight.truths())
        self._first_ns = min(self._truths)
        self._rows: deque[tuple[str | Text, ...]] = deque(maxlen=ROWS)
        self._errors_m: list[float] = []
        self._frames = 0

    def add(self, record: FrameRecord) -> None:
        """Take the verdict on one frame."""
        record = replace(record, truth=self._truths.get(record.stamp_ns))
        self._frames += 1
        time = f"{(record.stamp_ns - self._first_ns) / 1e9:.1f}"
        latency = f"{1e3 * record.latency_s:.0f}"
        if record.fix is None:
            self._rows.append((time, Text(record.reason, "yellow"), "", "", "", latency))
            return
        fix = record.fix
        metres = error_of(fix, record.truth).horizontal_m if record.truth else float("nan")
        self._errors_m.append(metres)
        place = f"{fix.lat_deg:.6f} {fix.lon_deg:.6f}"
        self._rows.append((time, Text("fix", "green"), place, f"{metres:.1f}", f"{fix.similarity:.2f}", latency))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render what there is."""
        median = f"median error {percentile(self._errors_m, 50):.1f} m" if self._errors_m else "no fix yet"
        table = Table(title=self._title, caption=f"{self._frames} frames, {len(self._errors_m)} fixes, {median}")
        for name in ("t [s]", "verdict", "latitude longitude", "error [m]", "similarity", "latency [ms]"):
            table.add_column(name, justify="left" if name == "verdict" else "right")
        for row in self._rows:
            table.add_row(*row)
        yield table
