"""Trees: round crowns of uneven height, alone, in rows or as forest."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.simulation.canvas import Canvas, Kind, Points
from mift_ros.simulation.materials import CROWNS, varied
from mift_ros.simulation.noise import smooth_noise

STAMPS = 24
"""Crown shapes and crown materials drawn once per town."""


class Nursery:
    """Plants trees on a canvas from a stock of crown shapes and colours."""

    def __init__(self, canvas: Canvas, rng: np.random.Generator) -> None:
        self._canvas = canvas
        self._rng = rng
        self._shapes = [_crown(rng) for _ in range(STAMPS)]
        self._materials = [canvas.add(varied(rng, Kind.TREE, CROWNS[i % len(CROWNS)], 7.0, 9.0)) for i in range(STAMPS)]

    def plant(self, points: Points, radius_m: float, spread: float = 0.3) -> None:
        """Plant a tree at each point [N, 2] that is not on a road, a roof or water."""
        kinds = self._canvas.kind_at(points)
        for point in points[np.isin(kinds, (Kind.GROUND, Kind.TREE))]:
            self._stamp(point, float(radius_m * np.clip(self._rng.normal(1.0, spread), 0.5, 1.8)))

    def _stamp(self, point: Points, radius_m: float) -> None:
        """Raise one crown: the higher of what stands there and the crown wins."""
        canvas = self._canvas
        size = max(3, round(2 * radius_m / canvas.gsd_m))
        col, row = np.round(canvas.pixels(point[None])[0] - size / 2).astype(int)
        side = len(canvas.material)
        if row < 0 or col < 0 or row + size > side or col + size > side:
            return
        shape = self._shapes[self._rng.integers(STAMPS)]
        crown = cv2.resize(shape, (size, size), interpolation=cv2.INTER_LINEAR) * np.float32(1.9 * radius_m)
        area = np.s_[row : row + size, col : col + size]
        higher = (crown > 0.6 * radius_m) & (crown > canvas.height_m[area])
        canvas.height_m[area][higher] = crown[higher]
        canvas.material[area][higher] = self._materials[self._rng.integers(STAMPS)]
        canvas.detail[area][higher] = 0
        canvas.building[area][higher] = 0


def _crown(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """An uneven dome [32, 32] of height about 1 over a disc of diameter 32."""
    axis = (np.arange(32, dtype=np.float32) - 15.5) / 16
    radius = np.hypot(*np.meshgrid(axis, axis)) + 0.10 * smooth_noise(rng, (32, 32), 14)
    dome = np.sqrt(np.clip(1.0 - radius**2, 0.0, None)) + 0.06 * smooth_noise(rng, (32, 32), 6)
    return np.where(radius < 1.0, dome, 0.0).astype(np.float32)


def scatter(rng: np.random.Generator, outline: Points, spacing_m: float) -> Points:
    """Jittered grid points [N, 2] inside a polygon, about `spacing_m` apart."""
    low, high = outline.min(axis=0), outline.max(axis=0)
    east, north = (np.arange(a, b, spacing_m) for a, b in zip(low, high))
    points = np.stack(np.meshgrid(east, north), axis=-1).reshape(-1, 2)
    return inside(outline, points + rng.uniform(-0.42, 0.42, points.shape) * spacing_m)


def inside(outline: Points, points: Points, margin_m: float = 0.0) -> Points:
    """Those of points [N, 2] that lie in a polygon, at least `margin_m` from its edge."""
    contour = outline.astype(np.float32).reshape(-1, 1, 2)
    kept = [cv2.pointPolygonTest(contour, (float(x), float(y)), margin_m > 0) >= max(margin_m, 0.0) for x, y in points]
    return np.asarray(points[np.array(kept, bool)])
