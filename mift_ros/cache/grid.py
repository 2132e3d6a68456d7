"""The regular grid of overlapping square tiles that covers a map."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.cache.layout import RASTER_WIDTH_UNIT
from mift_ros.errors import ConfigError, MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.source import GeoBounds

BLOCK_PIXELS = 2048
"""Largest side of a block read at once: about 12 MB of RGB, whatever the map's size."""
BLOCK_TILES = 32
_EDGE_POINTS = 21


class MetricBounds(NamedTuple):
    """Extent in metres of a LocalFrame."""

    west: float
    south: float
    east: float
    north: float


class Block(NamedTuple):
    """Tiles read together: first and one past the last row and column."""

    row: int
    row_end: int
    col: int
    col_end: int


@dataclass(frozen=True)
class TileGrid:
    """`rows` x `cols` tiles of `tile_px` pixels, every `stride_px`; (west_m, north_m) is the corner of tile (0, 0)."""

    west_m: float
    north_m: float
    rows: int
    cols: int
    tile_px: int
    stride_px: int
    gsd_m: float

    @property
    def stride_m(self) -> float:
        """Distance between neighbouring tiles."""
        return self.stride_px * self.gsd_m

    @property
    def tile_size_m(self) -> float:
        """Side of a tile."""
        return self.tile_px * self.gsd_m

    def centres_m(self, cells: npt.NDArray[np.int32]) -> npt.NDArray[np.float64]:
        """East, north of the centres of cells [N, 2] (row, column)."""
        half = self.tile_size_m / 2
        east = self.west_m + cells[:, 1] * self.stride_m + half
        north = self.north_m - cells[:, 0] * self.stride_m - half
        return np.stack([east, north], axis=1)

    def blocks(self) -> Iterator[Block]:
        """Blocks in row-major order that cover the grid."""
        side = max(1, min(BLOCK_TILES, (BLOCK_PIXELS - self.tile_px) // self.stride_px + 1))
        for row in range(0, self.rows, side):
            for col in range(0, self.cols, side):
                yield Block(row, min(row + side, self.rows), col, min(col + side, self.cols))

    def window(self, block: Block) -> tuple[float, float, int, int]:
        """West and north edge in metres, width and height in pixels of a block's ground."""
        west = self.west_m + block.col * self.stride_m
        north = self.north_m - block.row * self.stride_m
        width = (block.col_end - block.col - 1) * self.stride_px + self.tile_px
        height = (block.row_end - block.row - 1) * self.stride_px + self.tile_px
        return west, north, width, height


def plan_grid(bounds: MetricBounds, tile_size_m: float, stride_m: float, tile_px: int, name: str) -> TileGrid:
    """The grid that covers the bounds, centred on them; the stride is rounded to whole pixels.

    Raises:
        ConfigError: tile size or stride out of range.
        MapError: the map is smaller than one tile.
    """
    if not (math.isfinite(tile_size_m) and tile_size_m > 0):
        raise ConfigError(f"tile size {tile_size_m} m must be positive")
    if not 0 < stride_m <= tile_size_m:
        raise ConfigError(f"stride {stride_m} m must be positive and at most the tile size, {tile_size_m} m")
    width_m, height_m = bounds.east - bounds.west, bounds.north - bounds.south
    if min(width_m, height_m) < tile_size_m:
        raise MapError(
            f"{name}: the map is {width_m:.1f} x {height_m:.1f} m, smaller than one tile of {tile_size_m:g} m; "
            "use a larger map or smaller tiles"
        )
    gsd_m = tile_size_m / tile_px
    stride_px = max(1, round(stride_m / gsd_m))
    cols, left_over_x = _cover(width_m / gsd_m, tile_px, stride_px)
    rows, left_over_y = _cover(height_m / gsd_m, tile_px, stride_px)
    west, north = bounds.west - left_over_x * gsd_m / 2, bounds.north + left_over_y * gsd_m / 2
    return TileGrid(west, north, rows, cols, tile_px, stride_px, gsd_m)


def raster_shape(bounds: MetricBounds, gsd_m: float, tile_size_m: float) -> tuple[int, int]:
    """Rows and columns of the grey raster over the bounds.

    Raises:
        ConfigError: a pixel is no small part of a tile.
    """
    if not 0 < gsd_m <= tile_size_m / RASTER_WIDTH_UNIT * (1 + 1e-9):
        raise ConfigError(f"raster resolution {gsd_m:g} m must be positive and much finer than a tile")
    rows = math.ceil((bounds.north - bounds.south) / gsd_m)
    units = math.ceil((bounds.east - bounds.west) / gsd_m / RASTER_WIDTH_UNIT)
    return rows, units * RASTER_WIDTH_UNIT


def metric_bounds(bounds: GeoBounds, frame: LocalFrame) -> MetricBounds:
    """The box in `frame` around a box in degrees."""
    steps = np.linspace(0.0, 1.0, _EDGE_POINTS)
    lat = bounds.south + steps * (bounds.north - bounds.south)
    lon = bounds.west + steps * (bounds.east - bounds.west)
    lats = np.concatenate([lat, lat, np.full_like(lon, bounds.south), np.full_like(lon, bounds.north)])
    lons = np.concatenate([np.full_like(lat, bounds.west), np.full_like(lat, bounds.east), lon, lon])
    points = frame.to_local(lats, lons)
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    return MetricBounds(float(west), float(south), float(east), float(north))


def _cover(length_px: float, tile_px: int, stride_px: int) -> tuple[int, float]:
    """How many tiles cover a length, and by how many pixels they reach beyond it together."""
    count = max(0, math.ceil((length_px - tile_px) / stride_px - 1e-9)) + 1
    return count, (count - 1) * stride_px + tile_px - length_px
