"""Whether a cache's arrays and manifest describe one grid: what is read from one is used to index the other."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mift_ros.cache.grid import MetricBounds, TileGrid, plan_grid, raster_shape
from mift_ros.cache.manifest import CacheManifest
from mift_ros.errors import CacheError, ConfigError, MapError

TOLERANCE_M = 1e-3


def check_grid(manifest: CacheManifest, raster: tuple[int, int], where: str) -> TileGrid:
    """The grid that a build over the manifest's bounds makes, which must be the manifest's own.

    Raises:
        CacheError: grid, bounds, corner or size of the raster disagree.
    """
    m, extent = manifest, MetricBounds(*manifest.bounds_m)
    try:
        grid = plan_grid(extent, m.tile_size_m, m.stride_m, m.input_size, "the manifest")
        wanted = raster_shape(extent, m.raster_gsd_m, m.tile_size_m)
    except (ConfigError, MapError, ArithmeticError) as error:
        raise CacheError(f"{where}: no grid can be as its manifest says ({error}); build the cache again") from error
    pairs = {
        "grid": ((m.grid_rows, m.grid_cols), (grid.rows, grid.cols)),
        "raster": (raster, wanted),
        "raster corner": ((m.raster_west_m, m.raster_north_m), (extent.west, extent.north)),
    }
    for what, (said, follows) in pairs.items():
        if said != follows:
            raise CacheError(
                f"{where}: the {what} is {said}, but bounds and tile size make it {follows}; build the cache again"
            )
    if not math.isclose(grid.stride_m, m.stride_m, rel_tol=1e-6):
        raise CacheError(f"{where}: the stride {m.stride_m} m is not a whole number of pixels; build the cache again")
    return grid


def check_tiles(grid: TileGrid, cells: npt.NDArray[np.int32], centres_m: npt.NDArray[np.float64], where: str) -> None:
    """Every tile lies in the grid, once, with its centre where its cell is; some 10 ms for 300,000 tiles.

    Raises:
        CacheError: one does not.
    """
    inside = ((cells >= 0) & (cells < (grid.rows, grid.cols))).all()
    if not (inside and (np.diff(cells[:, 0].astype(np.int64) * grid.cols + cells[:, 1]) > 0).all()):
        raise CacheError(f"{where}: its cells are not those of a grid of {grid.rows} x {grid.cols}; copy it again")
    if not (np.abs(grid.centres_m(cells) - centres_m) <= TOLERANCE_M).all():
        raise CacheError(f"{where}: centres of tiles are not where their cells are; copy or build the cache again")
