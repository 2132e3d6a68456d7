"""Figures of a flight stretch by stretch: over water, after the jump, with the compass wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.evaluation.metrics import Summary, errors_of, summarise
from mift_ros.evaluation.records import FrameRecord


@dataclass(frozen=True)
class Stretch:
    """A named part of a flight; `fix_due` says that the ground is distinctive and what is told of it is right."""

    name: str
    start_ns: int
    end_ns: int
    fix_due: bool = True


@dataclass(frozen=True)
class StretchFigures:
    """Figures of one stretch; waits are in frames and count the frame of the fix that ends them.

    `first_fix` is the wait from the first frame to the first fix that is not false, NaN if none came. `recovery` is the
    longest wait for such a fix, 0 without one; `recovered` is False where the stretch ended before that fix came.
    `malformed` counts the fixes whose covariance is not one.
    """

    stretch: Stretch
    summary: Summary
    false_fixes: int
    first_fix: float
    recovery: int
    recovered: bool
    malformed: int

    @property
    def nees_per_dof(self) -> float:
        """Mean squared distance in sigmas over its two degrees of freedom: 1 for a right covariance."""
        return self.summary.nees / 2.0


def split(records: Sequence[FrameRecord], stretches: Sequence[Stretch]) -> list[list[FrameRecord]]:
    """The records of each stretch, by their place in the flight.

    A stamp may go back for a frame: a record belongs where its predecessors have led.
    """
    parts: list[list[FrameRecord]] = [[] for _ in stretches]
    current = 0
    for record in records:
        while current + 1 < len(stretches) and record.stamp_ns >= stretches[current].end_ns:
            current += 1
        parts[current].append(record)
    return parts


def figures_of(stretch: Stretch, records: Sequence[FrameRecord]) -> StretchFigures:
    """Figures over the records of one stretch."""
    errors = errors_of(records)
    right = [error is not None and not error.is_false for error in errors]
    recovery, recovered = longest_wait(right)
    return StretchFigures(
        stretch=stretch,
        summary=summarise(records),
        false_fixes=sum(error.is_false for error in errors if error is not None),
        first_fix=right.index(True) + 1.0 if True in right else math.nan,
        recovery=recovery,
        recovered=recovered,
        malformed=sum(not is_covariance(record.fix.covariance) for record in records if record.fix),
    )


def longest_wait(right: Sequence[bool]) -> tuple[int, bool]:
    """Frames of the longest wait for a right fix, with the fix that ends it, and whether that fix came."""
    waits = [(0, True)]
    run = 0
    for good in right:
        if good and run:
            waits.append((run + 1, True))
        run = 0 if good else run + 1
    if run:
        waits.append((run + 1, False))
    return max(waits)


def is_covariance(matrix: npt.NDArray[np.float64]) -> bool:
    """Whether a matrix is finite, symmetric and positive definite."""
    if not np.isfinite(matrix).all() or not np.allclose(matrix, matrix.T):
        return False
    return bool(np.linalg.eigvalsh(matrix).min() > 0.0)
