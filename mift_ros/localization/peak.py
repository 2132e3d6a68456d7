"""How a match falls off around its best pose: the shape of its error, and the last fraction of a step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.localization.structure import FLAT, Field, parabola

Vector = npt.NDArray[np.float64]
REACH_M = 1.0
"""Distance over which the fall is measured: wider than the smoothing of the edges, narrower than a street."""


class Probe(NamedTuple):
    """Best shift for one heading and scale: the view's centre in the map frame, its score."""

    east_m: float
    north_m: float
    score: float


@dataclass(frozen=True)
class Peak:
    """Fall of the score about its maximum, relative to the maximum.

    `sharpness` [2, 2] per m^2 over east and north, `heading_sharpness` per rad^2, `scale_sharpness` per unit of
    relative height squared; zero where the score does not fall. `drift_m` [2, 2]: how far the best place moves per
    radian of heading (clockwise, first column) and per unit of relative height. `pull_m`, east and north: how far
    smoothing moved the best place.
    """

    sharpness: Vector
    heading_sharpness: float
    scale_sharpness: float
    drift_m: Vector
    pull_m: tuple[float, float] = (0.0, 0.0)


class Line(NamedTuple):
    """Three probes along one unknown, `step` apart; `best` is the step, in [-1, 1] times `step`, to the maximum."""

    low: Probe
    mid: Probe
    high: Probe
    step: float

    @property
    def best(self) -> float:
        """Where a parabola through the three is greatest, else the better end; 0 for what is not searched."""
        if not math.isfinite(self.step):
            return 0.0
        vertex, bend = parabola(self.low.score, self.mid.score, self.high.score)
        if bend < -FLAT and abs(vertex) <= 1:
            return vertex * self.step
        return self.step if self.high.score > self.low.score else -self.step

    @property
    def sharpness(self) -> float:
        """Relative fall per unit squared."""
        _, bend = parabola(self.low.score, self.mid.score, self.high.score)
        return max(-bend, 0.0) / (max(self.mid.score, 1e-6) * self.step**2)

    @property
    def drift_m(self) -> Vector:
        """Move of the best place [2] per unit."""
        return np.array([self.high.east_m - self.low.east_m, self.high.north_m - self.low.north_m]) / (2 * self.step)

    def in_radians(self) -> Line:
        """A line over degrees as one over radians."""
        return self._replace(step=math.radians(self.step))


def sharpness(field: npt.NDArray[np.float32], gsd_m: float) -> Vector:
    """Relative curvature [2, 2] (east, north; per m^2) of a score field [H, W] (rows run south) at its maximum."""
    reach = max(1, round(REACH_M / gsd_m))
    reach = min(reach, (min(field.shape) - 1) // 2)
    if reach < 1:
        return np.zeros((2, 2))
    row, col = divmod(int(field.argmax()), field.shape[1])
    row, col = (min(max(at, reach), size - 1 - reach) for at, size in zip((row, col), field.shape))
    near = field[row - reach : row + reach + 1 : reach, col - reach : col + reach + 1 : reach].astype(float)
    east = near[1, 0] - 2 * near[1, 1] + near[1, 2]
    north = near[0, 1] - 2 * near[1, 1] + near[2, 1]
    both = (near[0, 2] - near[0, 0] - near[2, 2] + near[2, 0]) / 4
    hessian = np.array([[east, both], [both, north]]) / (reach * gsd_m) ** 2
    return _falling(-hessian / max(float(near[1, 1]), 1e-6))


def _falling(matrix: Vector) -> Vector:
    """Without the directions in which the score rises."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def no_line(mid: Probe) -> Line:
    """The line of an unknown that is not searched: it says nothing."""
    return Line(mid, mid, mid, math.inf)


def peak_of(field: Field, gsd_m: float, heading: Line, scale: Line) -> Peak:
    """Put together from the field at the best pose, and the lines over heading (radians) and relative height."""
    drift = np.column_stack([heading.drift_m, scale.drift_m])
    return Peak(sharpness(field, gsd_m), heading.sharpness, scale.sharpness, drift)
