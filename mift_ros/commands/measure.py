"""Times of several things in one run, taken in turns, and the floors beside them: what this machine could do at best.

Rates are per second of processor time, as other work on the machine stretches the clock's but not the processor's.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import typer
from rich.progress import Progress
from rich.table import Table

from mift_ros.commands.machine import machine
from mift_ros.commands.plain import plain_console

WARM_UPS = 3
PAUSE_S = 0.05
"""Before each call: threads of the one before that spin while they wait for more work would take its cores."""
TABLE_WIDTH = 120
"""The table is not squeezed into less, as in a log."""
MATRIX_SIDE = 1024
MATRIX_OPERATIONS = 2 * MATRIX_SIDE**3
"""Of the product that the rate is measured by."""
READ_BLOCK_BYTES = 1 << 18
"""Bytes read at a time, into a place that stays in the processor's cache."""
PACKAGES = ("numpy", "opencv-python-headless", "onnxruntime", "onnxruntime-gpu", "torch")


@dataclass(frozen=True)
class Times:
    """Of each repetition, seconds of the clock and of the processor (all its cores)."""

    clock_s: list[float]
    processor_s: list[float]

    @property
    def median_s(self) -> float:
        """By the clock."""
        return statistics.median(self.clock_s)

    @property
    def p95_s(self) -> float:
        """By the clock."""
        return float(np.percentile(self.clock_s, 95))

    @property
    def median_processor_s(self) -> float:
        """Of the processor."""
        return statistics.median(self.processor_s)


def measure(calls: Mapping[str, Callable[[], object]], repeats: int, title: str) -> dict[str, Times]:
    """Time the calls in turns, so that what slows the machine down for a while slows all of them, after warming up."""
    times: dict[str, Times] = {name: Times([], []) for name in calls}
    with Progress(transient=True) as bars:
        task = bars.add_task(title, total=(WARM_UPS + repeats) * len(calls))
        for turn in range(WARM_UPS + repeats):
            for name, call in calls.items():
                time.sleep(PAUSE_S)
                clock, processor = time.perf_counter(), time.process_time()
                call()
                clock, processor = time.perf_counter() - clock, time.process_time() - processor
                if turn >= WARM_UPS:
                    times[name].clock_s.append(clock)
                    times[name].processor_s.append(processor)
                bars.advance(task)
    return times


def matrix_product() -> Callable[[], object]:
    """A product of two float32 matrices, in MATRIX_OPERATIONS."""
    side = np.ones((MATRIX_SIDE, MATRIX_SIDE), np.float32)
    return lambda: side @ side


def reading(array: npt.NDArray[np.generic]) -> Callable[[], object]:
    """Read an array once from memory."""
    flat = array.reshape(-1).view(np.uint8)
    place = np.empty(READ_BLOCK_BYTES, np.uint8)

    def read() -> None:
        for start in range(0, len(flat), READ_BLOCK_BYTES):
            part = flat[start : start + READ_BLOCK_BYTES]
            np.copyto(place[: len(part)], part)

    return read


class Report:
    """A table of times; a floor is the least processor time that the same work can take on this machine."""

    def __init__(self, title: str) -> None:
        self._table = Table(title=title)
        for column in ("what", "median", "p95", "processor", "floor", "of floor", "per second"):
            self._table.add_column(column, justify="left" if column == "what" else "right", no_wrap=True)

    def add(self, name: str, times: Times, items: int = 1, floor_s: float | None = None) -> None:
        """A row; `items` are done in one repetition."""
        floor = "-" if floor_s is None else f"{floor_s * 1e3:.2f} ms"
        ratio = "-" if floor_s is None else f"{times.median_processor_s / floor_s:.2f}"
        cells = (f"{seconds * 1e3:.2f} ms" for seconds in (times.median_s, times.p95_s, times.median_processor_s))
        self._table.add_row(name, *cells, floor, ratio, f"{items / times.median_s:.0f}")

    def show(self, *notes: str) -> None:
        """Print the table, the notes, the peak of memory, the machine and the versions."""
        plain_console(least_width=TABLE_WIDTH).print(self._table)
        typer.echo("\n".join([*notes, f"peak memory of the process {peak_memory_mib():.0f} MiB", machine(*PACKAGES)]))


def peak_memory_mib() -> float:
    """Largest resident memory of this process so far (Linux counts KiB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rate_notes(matrix: Times | None = None, read: Times | None = None, read_bytes: int = 0) -> list[str]:
    """The measured rates that the floors rest on, in words."""
    notes = []
    if matrix is not None:
        rate = MATRIX_OPERATIONS / matrix.median_processor_s
        notes.append(f"floor of products: operations at {rate / 1e9:.0f} GFLOP/s of a float32 product in this run")
    if read is not None:
        rate = read_bytes / read.median_processor_s
        notes.append(f"floor of reading: bytes at {rate / 1e9:.1f} GB/s of a plain read of as many in this run")
    return notes
