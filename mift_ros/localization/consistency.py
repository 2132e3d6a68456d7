"""Whether the fixes of a flight scatter about its odometry as their covariances say.

Some errors show neither in the image nor in a calibration: a gimbal that lags behind the attitude that is told, a
camera's clock that is off. They come and go with the motion, so that fixes jump against the odometry. What is the same
in all fixes (a biased attitude, the map's own shift) leaves no trace here and stays with the covariance.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.localization.types import Fix

Vector = npt.NDArray[np.float64]
KEPT, LEAST = 5, 3
"""Steps between fixes that are judged together, and the fewest; of 5, one may be a jump of the odometry itself."""
MEDIAN = 2.0 * math.log(2.0)
"""Of the squared distance in sigmas over two degrees of freedom."""
AXES = np.arange(6) < 2


class _Seen(NamedTuple):
    """A fix and the odometry with it, east and north, and the fix's covariance [2, 2]."""

    at_m: Vector
    travelled_m: Vector
    spread: Vector


class Consistency:
    """Widens covariances over east and north by as much as the last fixes jumped more than theirs allow."""

    def __init__(self, odometry_sigma: float) -> None:
        """`odometry_sigma` is of the odometry's error per metre travelled."""
        self._odometry_sigma = odometry_sigma
        self.reset()

    def reset(self) -> None:
        """Forget the flight so far."""
        self._last: _Seen | None = None
        self._squared: deque[float] = deque(maxlen=KEPT)

    def widened(self, fix: Fix, odometry_enu_m: tuple[float, float]) -> Fix:
        """The fix with a covariance that the flight so far bears out; the same where no odometry tells."""
        seen = _Seen(np.array(fix.position_m), np.array(odometry_enu_m), fix.covariance[:2, :2])
        if not np.isfinite(seen.travelled_m).all():
            return fix
        if self._last is not None:
            self._squared.append(self._distance(self._last, seen))
        self._last = seen
        if len(self._squared) < LEAST:
            return fix
        width = np.where(AXES, math.sqrt(max(float(np.median(self._squared)) / MEDIAN, 1.0)), 1.0)
        return replace(fix, covariance=fix.covariance * np.outer(width, width))

    def _distance(self, last: _Seen, seen: _Seen) -> float:
        """Squared sigmas between the step of the fixes and that of the odometry."""
        step = seen.travelled_m - last.travelled_m
        gap = seen.at_m - last.at_m - step
        allowed = seen.spread + last.spread + np.eye(2) * float(step @ step) * self._odometry_sigma**2
        return float(gap @ np.linalg.solve(allowed, gap))
