"""What the town is painted on: one raster of materials that both looks share, heights above ground, fine detail."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from mift_ros.simulation.buildings import Building

Points = npt.NDArray[np.float64]
Rgb = tuple[float, float, float]


class Kind(IntEnum):
    """What a material is, for rules such as: no tree on a road."""

    GROUND = 0
    ROAD = 1
    WATER = 2
    PAVED = 3
    BUILDING = 4
    TREE = 5
    CAR = 6


class Material(NamedTuple):
    """One surface: its colour seen by the satellite, its colour seen by the drone, contrast of its grain."""

    kind: Kind
    map_rgb: Rgb
    camera_rgb: Rgb
    grain: float = 6.0


class Window(NamedTuple):
    """A rectangle of the canvas: slices into its rasters, and east/north metres of its pixel centres [h, w]."""

    rows: slice
    cols: slice
    east_m: npt.NDArray[np.float64]
    north_m: npt.NDArray[np.float64]


@dataclass
class Canvas:
    """Rasters of a square town; points are metres east and north of its south-west corner.

    `material` [S, S] uint16 indexes `materials`; `height_m` is above the terrain; `detail` is added to the brightness.
    `building` [S, S] uint16 tells whose roof lies there: 0 is none, k is `buildings[k - 1]`.
    `stalls` are the middles [2] of parking stalls and the direction [2] in which a car stands there.
    """

    size_m: float
    gsd_m: float
    materials: list[Material] = field(default_factory=list)
    buildings: list[Building] = field(default_factory=list)
    stalls: list[tuple[Points, Points]] = field(default_factory=list)

    def __post_init__(self) -> None:
        side = round(self.size_m / self.gsd_m)
        self.material = np.zeros((side, side), np.uint16)
        self.height_m = np.zeros((side, side), np.float32)
        self.detail = np.zeros((side, side), np.int8)
        self.building = np.zeros((side, side), np.uint16)
        self._kinds = np.zeros(1 << 16, np.uint8)

    def add(self, material: Material) -> int:
        """Register a material; returns its index."""
        self._kinds[len(self.materials)] = material.kind
        self.materials.append(material)
        return len(self.materials) - 1

    def pixels(self, points: Points) -> Points:
        """Metres [N, 2] to column/row [N, 2], pixel centres at whole numbers."""
        flipped = np.stack([points[:, 0], self.size_m - points[:, 1]], axis=1)
        return flipped / self.gsd_m - 0.5

    def polygon(self, points: Points, material: Material) -> None:
        """Fill a polygon [N, 2]."""
        corners = np.round(self.pixels(points) * 16).astype(np.int32)
        cv2.fillPoly(self.material, [corners], self.add(material), shift=4)

    def line(self, points: Points, width_m: float, material: Material) -> None:
        """Draw a polyline [N, 2] of a width on the ground."""
        corners = np.round(self.pixels(points) * 16).astype(np.int32)
        thickness = max(1, round(width_m / self.gsd_m))
        cv2.polylines(self.material, [corners], False, self.add(material), thickness, shift=4)

    def kind_at(self, points: Points) -> npt.NDArray[np.int64]:
        """Kinds under points [N, 2]; outside the canvas is WATER, where nothing may stand."""
        cells = np.round(self.pixels(points)).astype(int)
        side = len(self.material)
        inside = ((cells >= 0) & (cells < side)).all(axis=1)
        kinds = np.full(len(points), int(Kind.WATER))
        kinds[inside] = self._kinds[self.material[cells[inside, 1], cells[inside, 0]]]
        return kinds

    def window(self, centre: Points, radius_m: float) -> Window:
        """The part of the canvas within `radius_m` of a point [2], clipped at the border."""
        col, row = self.pixels(centre[None])[0]
        reach = radius_m / self.gsd_m + 1
        side = len(self.material)
        top, bottom = (int(np.clip(row + s * reach, 0, side)) for s in (-1, 1))
        left, right = (int(np.clip(col + s * reach, 0, side)) for s in (-1, 1))
        east = (np.arange(left, right) + 0.5) * self.gsd_m
        north = self.size_m - (np.arange(top, bottom) + 0.5) * self.gsd_m
        grid_east, grid_north = np.meshgrid(east, north)
        return Window(slice(top, bottom), slice(left, right), grid_east, grid_north)
