"""Heights of the ground on a regular grid in a local frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Vector = npt.NDArray[np.float64]
ELLIPSOID = "ellipsoid"
DATUMS = (ELLIPSOID, "egm96", "egm2008", "amsl")
"""What heights may be above: the WGS 84 ellipsoid, one of two geoids, or mean sea level by some other definition."""


@dataclass(frozen=True)
class Terrain:
    """`heights_m` [H, W] float32 above `datum`, NaN where unknown, at the middles of pixels of `gsd_m`.

    (west_m, north_m) is the outer corner of the first pixel, in the frame of the map.
    """

    heights_m: npt.NDArray[np.float32]
    west_m: float
    north_m: float
    gsd_m: float
    datum: str

    def at(self, points_m: npt.ArrayLike) -> Vector:
        """Heights [...] at east/north points [..., 2], bilinear; NaN outside, beside unknown ground and at NaN."""
        points = np.asarray(points_m, float)
        rows, cols = self.heights_m.shape
        x = (points[..., 0] - self.west_m) / self.gsd_m - 0.5
        y = (self.north_m - points[..., 1]) / self.gsd_m - 0.5
        inside = (x >= 0) & (x <= cols - 1) & (y >= 0) & (y <= rows - 1)
        x, y = np.where(inside, x, 0.0), np.where(inside, y, 0.0)
        col, row = np.minimum(x.astype(int), cols - 2), np.minimum(y.astype(int), rows - 2)
        right, down = x - col, y - row
        upper = (1 - right) * self.heights_m[row, col] + right * self.heights_m[row, col + 1]
        lower = (1 - right) * self.heights_m[row + 1, col] + right * self.heights_m[row + 1, col + 1]
        return np.where(inside, (1 - down) * upper + down * lower, np.nan)
