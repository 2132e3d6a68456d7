"""Buildings: footprints with gabled, hipped or flat roofs, painted and raised."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.simulation.canvas import Canvas, Kind, Material, Points

Grid = npt.NDArray[np.float64]


class Roof(Enum):
    """Shape of a roof."""

    FLAT = "flat"
    GABLE = "gable"
    HIP = "hip"


class Building(NamedTuple):
    """A rectangle: centre [2] in metres, direction of its length (radians from east), size, height of the eaves."""

    centre: Points
    angle_rad: float
    length_m: float
    width_m: float
    eaves_m: float
    roof: Roof
    pitch: float = 0.7

    def corners(self, margin_m: float = 0.0) -> Points:
        """Corners [4, 2], `margin_m` outside the walls."""
        half = np.array([self.length_m, self.width_m]) / 2 + margin_m
        signs = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]])
        return self.centre + (signs * half) @ axes(self.angle_rad)


def axes(angle_rad: float) -> Points:
    """Unit vectors along length and width as rows."""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    return np.array([[c, s], [-s, c]])


def fits(canvas: Canvas, building: Building, margin_m: float = 1.5) -> bool:
    """Whether the building and a margin around it stand on open ground."""
    outer = building.corners(margin_m)
    edges = np.concatenate([np.linspace(a, b, 5) for a, b in zip(outer, np.roll(outer, -1, axis=0))])
    probes = np.concatenate([edges, building.corners(-0.25 * building.width_m), building.centre[None]])
    return bool(np.isin(canvas.kind_at(probes), (Kind.GROUND, Kind.PAVED)).all())


def raise_building(canvas: Canvas, building: Building, roof: Material, rng: np.random.Generator) -> None:
    """Paint the roof, set its heights, and draw its courses of tiles or seams."""
    window = canvas.window(building.centre, np.hypot(building.length_m, building.width_m) / 2)
    offsets = np.stack([window.east_m, window.north_m], axis=-1) - building.centre
    along, across = np.moveaxis(offsets @ axes(building.angle_rad).T, -1, 0)
    inside = (abs(along) <= building.length_m / 2) & (abs(across) <= building.width_m / 2)
    heights = building.eaves_m + _roof_height(building, along, across)
    canvas.material[window.rows, window.cols][inside] = canvas.add(roof)
    canvas.height_m[window.rows, window.cols][inside] = heights[inside]
    canvas.buildings.append(building)
    canvas.building[window.rows, window.cols][inside] = len(canvas.buildings)
    period = rng.uniform(1.1, 2.4)
    seams = 7.0 * np.sign(np.sin(2 * np.pi * (along if building.roof is Roof.FLAT else across) / period))
    canvas.detail[window.rows, window.cols][inside] = seams[inside].astype(np.int8)


def _roof_height(building: Building, along: Grid, across: Grid) -> Grid:
    """Height above the eaves; a flat roof has a parapet."""
    to_side = building.width_m / 2 - abs(across)
    to_end = building.length_m / 2 - abs(along)
    if building.roof is Roof.GABLE:
        return building.pitch * to_side
    if building.roof is Roof.HIP:
        return building.pitch * np.minimum(to_side, to_end)
    return np.where(np.minimum(to_side, to_end) < 0.5, 0.8, 0.0)
