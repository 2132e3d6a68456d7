"""Where the vehicle is when the ground that it sees is not level: the matched ground has heights.

A ray of the view with the tangents t (east and north per metre down) meets the ground at p if

    p + T(p) t = v + A t

with the vehicle at v, its altitude A and the terrain T. A match gives p for every ray of the view, but as a similarity
of the level ground that the view was rectified to; v, A and a turn of the heading are its least squares. Over level
ground that is exact: v is the matched centre less the view's offset. Elsewhere the true p, to which the match is the
nearest similarity, are found by casting the rays from (v, A), until they stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.rectify import GroundView, turned
from mift_ros.geometry.terrain import Terrain

Vector = npt.NDArray[np.float64]
RAYS_PER_SIDE = 7
STEPS = 12
"""Castings at most: each shrinks the error by the slope times the tangent of the view's tilt."""
SETTLED_M = 0.001
KNOWN_SHARE = 0.5
"""Of the view's rays at least so many must meet ground whose height is known."""


@dataclass(frozen=True)
class Stance:
    """Where a match puts the vehicle.

    `altitude_m` is above the terrain's datum, NaN where the ground is taken as level. `height_agl_m` is above the
    ground under the vehicle, `height_seen_m` above the ground that it sees, and `slope` [2] how the latter rises per
    metre east and north. `turned_rad` is by how much the vehicle's heading is to the left of the match's.
    """

    vehicle_m: tuple[float, float]
    altitude_m: float
    height_agl_m: float
    height_seen_m: float
    slope: tuple[float, float] = (0.0, 0.0)
    turned_rad: float = 0.0

    @property
    def on_terrain(self) -> bool:
        """Whether the terrain was used."""
        return math.isfinite(self.altitude_m)


@dataclass(frozen=True)
class Rays:
    """Rays of a view as `tangents` [N, 2], and the ground [N, 2] at which a match puts them."""

    tangents: Vector
    ground_m: Vector


def rays_of(view: GroundView, height_m: float, heading_deg: float, scale: float, centre_m: tuple[float, float]) -> Rays:
    """Rays all over what a view shows, matched with its centre at `centre_m`; it was rectified for `height_m`."""
    size = len(view.valid)
    at = np.linspace(0, size - 1, RAYS_PER_SIDE).round().astype(int)
    rows, cols = (index.ravel() for index in np.meshgrid(at, at, indexing="ij"))
    shown = view.valid[rows, cols] > 0
    middle = (size - 1) / 2
    ahead, right = (middle - rows[shown]) * view.gsd_m, (cols[shown] - middle) * view.gsd_m
    axes = np.stack([turned((1.0, 0.0), heading_deg), turned((0.0, 1.0), heading_deg)])
    about = np.stack([ahead, right], axis=-1) @ axes
    return Rays((about + view.offset_enu_m(heading_deg)) / height_m, np.array(centre_m) + scale * about)


def stand(terrain: Terrain, rays: Rays, height_agl_m: float | None = None, turn: bool = True) -> Stance | None:
    """The vehicle of a match over a terrain, None where too little of it is known.

    The altitude comes from the scale of the match, or from a height above the ground under the vehicle if one is given.
    `turn` when the match searched the heading: then it took some of what the slope shears for a turn.
    """
    heights = terrain.at(rays.ground_m)
    known = np.isfinite(heights)
    if known.sum() < max(KNOWN_SHARE * len(known), 3):
        return None
    t, ground, heights = rays.tangents[known], rays.ground_m[known], heights[known]
    vehicle = ground.mean(axis=0) - (height_agl_m or 0.0) * t.mean(axis=0)
    turned_rad = 0.0
    for _ in range(STEPS):
        placed = ground + heights[:, None] * t
        altitude, aside = _rise(placed, t)
        if height_agl_m is not None:
            altitude = float(terrain.at(vehicle)) + height_agl_m
        before, vehicle = vehicle, placed.mean(axis=0) - altitude * t.mean(axis=0)
        seen = vehicle + (altitude - heights)[:, None] * t
        heights = terrain.at(seen)
        if not (np.isfinite(heights).all() and altitude > heights.mean()):
            return None
        if turn:
            step_rad = aside / (altitude - float(heights.mean()))
            t, turned_rad = _turned(t, step_rad), turned_rad + step_rad
        if math.dist(vehicle, before) < SETTLED_M:
            break
    under = float(terrain.at(vehicle))
    if not altitude > under:
        return None
    east, north = (float(v) for v in vehicle)
    seen_m = altitude - float(heights.mean())
    return Stance((east, north), altitude, altitude - under, seen_m, _slope(seen, heights), turned_rad)


def _rise(placed: Vector, t: Vector) -> tuple[float, float]:
    """The altitude A of the least squares of placed = v + A t, and its like for t turned to the left by 90 degrees."""
    apart = t - t.mean(axis=0)
    size = max(float((apart**2).sum()), 1e-12)
    return float((apart * placed).sum()) / size, float((_turned(apart, math.pi / 2) * placed).sum()) / size


def _turned(vectors: Vector, left_rad: float) -> Vector:
    cos, sin = math.cos(left_rad), math.sin(left_rad)
    return np.asarray(vectors @ np.array([[cos, sin], [-sin, cos]]))


def _slope(points: Vector, heights: Vector) -> tuple[float, float]:
    """Of the plane through heights at points."""
    apart = points - points.mean(axis=0)
    (east, north), *_ = np.linalg.lstsq(apart, heights - heights.mean(), rcond=1e-6)
    return float(east), float(north)
