"""Sunlight on a height raster: slopes and cast shadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]

STRIP = 128
"""Rows worked on at a time: a strip stays in the processor's cache."""
STEEPEST = np.float32(1.5)
"""Slopes are limited to this: a wall is one pixel wide and would else be black or white."""


@dataclass(frozen=True)
class Sun:
    """Where the sun stands: azimuth clockwise from north, elevation above the horizon, and how strong it is."""

    azimuth_deg: float
    elevation_deg: float
    direct: float = 0.62
    ambient: float = 0.44

    def towards(self) -> tuple[float, float, float]:
        """Unit vector to the sun: east, north, up."""
        azimuth, elevation = np.radians([self.azimuth_deg, self.elevation_deg])
        flat = np.cos(elevation)
        return float(flat * np.sin(azimuth)), float(flat * np.cos(azimuth)), float(np.sin(elevation))


def illumination(height_m: Field, gsd_m: float, sun: Sun) -> Field:
    """Brightness factor [H, W] of each pixel of a surface: ambient light plus, where not in shadow, the sun's."""
    shadow = shadow_height(height_m, gsd_m, sun)
    light = np.empty_like(height_m)
    for top in range(0, len(height_m), STRIP):
        rows = slice(top, min(top + STRIP, len(height_m)))
        below = height_m[min(rows.stop, len(height_m) - 1)]
        lit = 1.0 - np.clip((shadow[rows] - height_m[rows]) / np.float32(0.6), 0, 1)
        light[rows] = sun.ambient + sun.direct * lit * _cosine(np.vstack([height_m[rows], below[None]]), gsd_m, sun)
    return light


def _cosine(height_m: Field, gsd_m: float, sun: Sun) -> Field:
    """Lambert's cosine [H-1, W] of a strip of H rows, relative to flat ground."""
    east, north, up = (np.float32(v) for v in sun.towards())
    slope_south = np.clip(np.diff(height_m, axis=0) / np.float32(gsd_m), -STEEPEST, STEEPEST)
    slope_east = np.clip(
        np.diff(height_m[:-1], axis=1, append=height_m[:-1, -1:]) / np.float32(gsd_m), -STEEPEST, STEEPEST
    )
    norm = np.sqrt(1 + slope_east**2 + slope_south**2)
    return np.asarray(np.clip((up - east * slope_east + north * slope_south) / norm, 0, None) / up, np.float32)


def shadow_height(height_m: Field, gsd_m: float, sun: Sun, reach_m: float = 45.0) -> Field:
    """Height [H, W] up to which each pixel lies in the shadow of the surface towards the sun, within `reach_m`.

    The running maximum of height minus distance times the tangent of the sun's elevation, by doubling steps.
    """
    east, north, up = sun.towards()
    flat = float(np.hypot(east, north))
    step = np.array([-north, east]) / flat
    top = height_m - np.float32(gsd_m * up / flat)
    top = _shifted(top, step)
    count = 1
    while count * gsd_m < reach_m:
        np.maximum(top, _shifted(top, step * count) - np.float32(count * gsd_m * up / flat), out=top)
        count *= 2
    return top


def _shifted(field: Field, step: npt.NDArray[np.float64]) -> Field:
    """field[row + step[0], col + step[1]] with very low values outside."""
    down, right = (round(float(v)) for v in step)
    out = np.full_like(field, -1e4)
    rows, cols = field.shape
    if abs(down) >= rows or abs(right) >= cols:
        return out
    source = field[max(down, 0) : rows + min(down, 0), max(right, 0) : cols + min(right, 0)]
    top, left = max(-down, 0), max(-right, 0)
    out[top : top + source.shape[0], left : left + source.shape[1]] = source
    return out
