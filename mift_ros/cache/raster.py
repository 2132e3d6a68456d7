"""The grey raster of a cache, and which tiles have imagery."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.cache.ahead import load_ahead
from mift_ros.cache.grid import TileGrid
from mift_ros.cache.tiles import Progress
from mift_ros.cache.workfile import WorkFile
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.source import MapSource, Patch

MIN_VALID_SHARE = 0.5
"""A tile with less imagery than this is left out."""
STRIP_PIXELS = 4_000_000


def draw_raster(
    source: MapSource, frame: LocalFrame, work: WorkFile, shape: tuple[int, int], progress: Progress
) -> None:
    """Fill the grey raster strip by strip; 0 is kept for "no data"."""
    m, (height, width) = work.manifest, shape
    rows = max(1, STRIP_PIXELS // width)

    def read(first: int) -> Patch:
        north = m.raster_north_m - first * m.raster_gsd_m
        return source.read(frame, m.raster_west_m, north, width, min(rows, height - first), m.raster_gsd_m)

    for first, patch in load_ahead(range(work.raster_rows, height, rows), read):
        progress("raster", first, height)
        grey = np.maximum(cv2.cvtColor(patch.rgb, cv2.COLOR_RGB2GRAY), 1)
        work.write_raster(np.where(patch.valid, grey, 0).astype(np.uint8))
    progress("raster", height, height)


def cells_with_data(work: WorkFile, grid: TileGrid, shape: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Row and column [N, 2] of the tiles with enough imagery, in row-major order."""
    m, (height, width) = work.manifest, shape
    side = grid.tile_size_m / m.raster_gsd_m
    column = (grid.west_m - m.raster_west_m + np.arange(grid.cols) * grid.stride_m) / m.raster_gsd_m
    left, right = (np.clip(np.round(edge), 0, width).astype(int) for edge in (column, column + side))
    found = []
    for row in range(grid.rows):
        start = (m.raster_north_m - grid.north_m + row * grid.stride_m) / m.raster_gsd_m
        top, bottom = (int(v) for v in np.clip(np.round([start, start + side]), 0, height))
        filled = np.concatenate([[0], np.cumsum((work.read_raster(top, bottom) > 0).sum(axis=0))])
        cols = np.flatnonzero(filled[right] - filled[left] >= MIN_VALID_SHARE * side * side)
        found.append(np.stack([np.full_like(cols, row), cols], axis=1))
    return np.concatenate(found).astype(np.int32)
