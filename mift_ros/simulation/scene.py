"""The ground that is flown over, in local metres: what it looks like and how high it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import Resampling
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT

from mift_ros.errors import SimulationError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.open import open_map
from mift_ros.maps.raster import crs_of

Points: TypeAlias = "npt.NDArray[np.float64] | npt.NDArray[np.float32]"

MAX_SIDE = 8192
"""Pixels of the longer side of a scene; it lies in memory as a whole (200 MB of colour at most)."""
MOST_CUT, WHOLE = 0.2, 0.999
"""Share of a side that may be cut off at each end to leave a scene of which this share has data."""
HEIGHT_GSD_M = 0.6
"""Finest grid on which heights are kept."""


@dataclass(frozen=True)
class Raster:
    """Pixels [H, W] or [H, W, C] on a north-up metric grid whose top-left corner is (west_m, north_m)."""

    pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32]
    west_m: float
    north_m: float
    gsd_m: float

    def sample(self, east_m: Points, north_m: Points) -> npt.NDArray[np.float32] | npt.NDArray[np.uint8]:
        """Bilinear samples at points of any shape [H, W]; the border continues outwards."""
        cols = np.asarray((east_m - self.west_m) / self.gsd_m - 0.5, np.float32)
        rows = np.asarray((self.north_m - north_m) / self.gsd_m - 0.5, np.float32)
        return cv2.remap(self.pixels, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


@dataclass(frozen=True)
class Scene:
    """Colours and heights above the WGS 84 ellipsoid around the origin of `frame`."""

    frame: LocalFrame
    look: Raster
    surface: Raster
    terrain: Raster

    @cached_property
    def tallest_m(self) -> float:
        """Height above ground of the tallest building or tree."""
        return float((np.asarray(self.surface.pixels, np.float32) - np.asarray(self.terrain.pixels, np.float32)).max())

    @property
    def extent_m(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the look, metres."""
        rows, cols = self.look.pixels.shape[:2]
        west, north, gsd = self.look.west_m, self.look.north_m, self.look.gsd_m
        return west, north - rows * gsd, west + cols * gsd, north


def load_scene(look_path: Path, heights_path: Path | None, gsd_m: float) -> Scene:
    """Read the middle of a map at `gsd_m` (coarser if the map is) and its heights; without heights the ground is 0 m.

    Raises:
        MapError, SimulationError: a file that cannot be read or has holes.
    """
    source = open_map(look_path)
    try:
        bounds = source.bounds
        frame = LocalFrame((bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2)
        gsd_m = max(gsd_m, source.gsd_m)
        west, south, east, north = _inner_box(frame, bounds)
        width = min(int((east - west) / gsd_m), MAX_SIDE)
        height = min(int((north - south) / gsd_m), MAX_SIDE)
        left, top = (west + east - width * gsd_m) / 2, (south + north + height * gsd_m) / 2
        patch = source.read(frame, left, top, width, height, gsd_m)
    finally:
        source.close()
    inset = _inset(patch.valid, look_path)
    whole = np.ascontiguousarray(patch.rgb[inset : height - inset, inset : width - inset])
    look = Raster(whole, left + inset * gsd_m, top - inset * gsd_m, gsd_m)
    surface, terrain = _heights(heights_path, frame, look)
    return Scene(frame, look, surface, terrain)


def _inset(valid: npt.NDArray[np.bool_], path: Path) -> int:
    """Pixels to cut from each side until nothing is missing: a map turned against north has empty corners."""
    rows, cols = valid.shape
    for inset in np.linspace(0, MOST_CUT * min(rows, cols), 40).astype(int):
        if valid[inset : rows - inset, inset : cols - inset].mean() >= WHOLE:
            return int(inset)
    raise SimulationError(f"{path}: {1.0 - float(valid.mean()):.0%} of its middle has no data to fly over")


def _inner_box(frame: LocalFrame, bounds: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """The largest box in local metres that lies inside a box in degrees."""
    west, south, east, north = bounds
    corners = frame.to_local([south, south, north, north], [west, east, west, east])
    left, right = corners[[0, 2], 0].max(), corners[[1, 3], 0].min()
    return float(left), float(corners[:2, 1].max()), float(right), float(corners[2:, 1].min())


def _heights(path: Path | None, frame: LocalFrame, look: Raster) -> tuple[Raster, Raster]:
    """Surface and terrain; a file of one band holds the surface only, and its lowest heights nearby are the terrain."""
    rows, cols = look.pixels.shape[:2]
    gsd_m = max(look.gsd_m, HEIGHT_GSD_M)
    if path is None:
        flat = Raster(np.zeros((2, 2), np.float32), look.west_m, look.north_m, max(rows, cols) * look.gsd_m)
        return flat, flat
    shape = (max(int(rows * look.gsd_m / gsd_m), 1), max(int(cols * look.gsd_m / gsd_m), 1))
    grid = Affine(gsd_m, 0, look.west_m, 0, -gsd_m, look.north_m)
    options = {"crs": crs_of(frame), "transform": grid, "height": shape[0], "width": shape[1], "nodata": np.nan}
    try:
        with rasterio.open(path) as dataset, WarpedVRT(dataset, resampling=Resampling.bilinear, **options) as warped:
            bands = [warped.read(band, out_dtype="float32") for band in warped.indexes[:2]]
    except rasterio.errors.RasterioError as error:
        raise SimulationError(f"{path}: the heights cannot be read ({error})") from error
    if any(np.isfinite(band).mean() < WHOLE for band in bands):
        raise SimulationError(f"{path}: the heights do not cover all of the map, or have holes")
    # The tips of the corners may be missing, as in the look.
    bands = [np.where(np.isfinite(band), band, np.nanmin(band)) for band in bands]
    surface = bands[0]
    terrain = bands[1] if len(bands) > 1 else _bare(surface, gsd_m)
    return Raster(surface, look.west_m, look.north_m, gsd_m), Raster(terrain, look.west_m, look.north_m, gsd_m)


def _bare(surface_m: npt.NDArray[np.float32], gsd_m: float) -> npt.NDArray[np.float32]:
    """Terrain under a surface: an opening wider than a building, smoothed."""
    size = max(3, round(40.0 / gsd_m))
    opened = cv2.morphologyEx(surface_m, cv2.MORPH_OPEN, np.ones((size, size), np.uint8))
    return np.asarray(cv2.blur(opened, (size, size)), np.float32)
