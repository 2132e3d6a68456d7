"""A large map that holds a small one: the needle at its true place, around it pieces of other imagery."""

from __future__ import annotations

import math
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.errors import RasterioError
from rasterio.io import DatasetWriter
from rasterio.transform import Affine
from rasterio.windows import Window

from mift_ros.errors import MapError
from mift_ros.files import replacing
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.gdal import BLOCK_CACHE_BYTES
from mift_ros.maps.ground import Ground
from mift_ros.maps.patchwork import Patchwork
from mift_ros.maps.raster import crs_of
from mift_ros.maps.source import GeoBounds, MapSource

BLOCK_PX = 512
CELL_M = 960.0
"""Largest piece; a cell is a whole number of blocks, so that every block of the file is written once."""
MAX_SIDE_PX = 200_000
BYTES_PER_PIXEL = 0.6
"""Upper estimate for JPEG of this quality, over towns."""
JPEG_QUALITY = 95
Progress = Callable[[int, int], None]
"""Called with how many cells are written, and how many there are."""


@dataclass(frozen=True)
class Haystack:
    """What was made: side in pixels, the needle's centre from the map's (east, north), and km^2 by group of imagery."""

    side_px: int
    needle_at_m: tuple[float, float]
    placed_km2: dict[str, float]


@dataclass(frozen=True)
class _Grid:
    """The pixel grid of the map in the needle's frame: metres of the north-west corner, and the side."""

    frame: LocalFrame
    west_m: float
    north_m: float
    gsd_m: float
    side_px: int

    @property
    def cell_px(self) -> int:
        return max(round(CELL_M / self.gsd_m) // BLOCK_PX, 1) * BLOCK_PX


def write_haystack(
    needle: MapSource,
    grounds: Sequence[Ground],
    out: Path,
    size_m: float,
    gsd_m: float,
    seed: int,
    progress: Progress = lambda done, total: None,
) -> Haystack:
    """Write a GeoTIFF of `size_m` squared: the needle's pixels at their place, other ground around; atomic.

    The same inputs and seed give the same file. The CRS is the LocalFrame at the needle's centre. Memory is bounded by
    one cell of CELL_M.

    Raises:
        MapError: sizes that make no sense, no disk space, imagery that shows the needle or is too small, bad files.
    """
    grid, at = _plan(needle, size_m, gsd_m, seed)
    _check_imagery(needle.bounds, grounds)
    _check_disk(out, grid.side_px)
    placed: Counter[str] = Counter()
    try:
        with (
            rasterio.Env(GDAL_CACHEMAX=BLOCK_CACHE_BYTES),
            replacing(out) as temporary,
            _create(temporary, grid) as dataset,
        ):
            _write(dataset, grid, needle, Patchwork(grounds, gsd_m, placed), seed, progress)
    except (OSError, RasterioError) as error:
        raise MapError(f"{out}: cannot be written ({error})") from error
    return Haystack(grid.side_px, at, {name: square_m / 1e6 for name, square_m in placed.items()})


def _plan(needle: MapSource, size_m: float, gsd_m: float, seed: int) -> tuple[_Grid, tuple[float, float]]:
    """The grid, and where in it the needle lies: anywhere that it fits."""
    if not (gsd_m > 0 and size_m > 0 and math.isfinite(size_m) and size_m / gsd_m <= MAX_SIDE_PX):
        raise MapError(f"no map of {size_m:g} m at {gsd_m:g} m per pixel can be written; at most {MAX_SIDE_PX} pixels")
    b = needle.bounds
    frame = LocalFrame((b.south + b.north) / 2, (b.west + b.east) / 2)
    reach = np.abs(frame.to_local([b.south, b.north], [b.west, b.east])).max(axis=0)
    free = size_m / 2 - reach
    if free.min() < 0:
        raise MapError(f"{needle.name}: {2 * reach.max():.0f} m wide, more than the {size_m:g} m of the map around it")
    east, north = (float(v) for v in np.random.default_rng(seed).uniform(-free, free))
    grid = _Grid(frame, -size_m / 2 - east, size_m / 2 - north, gsd_m, round(size_m / gsd_m))
    return grid, (east, north)


def _check_imagery(needle: GeoBounds, grounds: Sequence[Ground]) -> None:
    for ground in grounds:
        b = ground.bounds
        if b and b.west < needle.east and b.east > needle.west and b.south < needle.north and b.north > needle.south:
            raise MapError(f"{ground.group}: shows the ground of the needle; leave it out")


def _check_disk(out: Path, side_px: int) -> None:
    if not out.parent.is_dir():
        raise MapError(f"{out.parent}: no such folder to write the map to")
    needed, free = side_px * side_px * BYTES_PER_PIXEL, shutil.disk_usage(out.parent).free
    if needed > free:
        raise MapError(
            f"{out}: the map may need {needed / 1e6:.0f} MB, {free / 1e6:.0f} MB are free; use a coarser --gsd-m"
        )


def _create(path: Path, grid: _Grid) -> DatasetWriter:
    place = Affine(grid.gsd_m, 0, grid.west_m, 0, -grid.gsd_m, grid.north_m)
    return rasterio.open(
        path, "w", driver="GTiff", width=grid.side_px, height=grid.side_px, count=3, dtype="uint8",
        crs=crs_of(grid.frame), transform=place, tiled=True, blockxsize=BLOCK_PX, blockysize=BLOCK_PX,
        compress="JPEG", photometric="YCBCR", jpeg_quality=JPEG_QUALITY, bigtiff="IF_SAFER",
    )  # fmt: skip


def _write(
    dataset: DatasetWriter, grid: _Grid, needle: MapSource, patchwork: Patchwork, seed: int, progress: Progress
) -> None:
    starts = range(0, grid.side_px, grid.cell_px)
    for done, (top, left) in enumerate((top, left) for top in starts for left in starts):
        progress(done, len(starts) ** 2)
        # a generator per cell: what one cell shows does not depend on the others
        cell = patchwork.square(grid.cell_px, np.random.default_rng([seed, top, left]))
        cell = cell[: grid.side_px - top, : grid.side_px - left]
        _lay_needle(cell, grid, needle, top, left)
        dataset.write(cell.transpose(2, 0, 1), window=Window(left, top, cell.shape[1], cell.shape[0]))
    progress(len(starts) ** 2, len(starts) ** 2)


def _lay_needle(cell: npt.NDArray[np.uint8], grid: _Grid, needle: MapSource, top: int, left: int) -> None:
    """Replace what the needle shows in the cell whose corner is at row `top`, column `left`."""
    height, width = cell.shape[:2]
    patch = needle.read(
        grid.frame, grid.west_m + left * grid.gsd_m, grid.north_m - top * grid.gsd_m, width, height, grid.gsd_m
    )
    cell[patch.valid] = patch.rgb[patch.valid]
