"""The one reader behind every map format: a GDAL dataset, warped window by window into a local frame."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform_bounds

from mift_ros.errors import MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.source import GeoBounds, Patch

BLOCK_CACHE_BYTES = 64 * 2**20
"""GDAL's default is 5 % of the machine's memory; a fixed figure keeps reading flat for a map of any size."""

_HASH_CHUNK_BYTES = 2**20
_WGS84 = "EPSG:4326"

Raster: TypeAlias = DatasetReader | WarpedVRT


class RasterMap:
    """A georeferenced raster in any CRS; implements MapSource. Thread-safe: one read at a time."""

    def __init__(self, dataset: Raster, name: str, files: Sequence[Path], reopen: str | None = None) -> None:
        """Take over `dataset`, whose affine transform and CRS must be set.

        `files` are what sha256() covers; `reopen` is the path that overview levels are opened from, if there are any.

        Raises:
            MapError: the pixel type, the bands or the georeference cannot be used.
        """
        self.name = name
        self._dataset = dataset
        self._files = tuple(files)
        self._bands, self._has_alpha = _select_bands(dataset, name)
        self._lock = threading.Lock()
        self._bounds, self._gsd_m = extent_of(dataset, name)
        factors = dataset.overviews(1) if reopen else []
        self._overviews = {factor: level for level, factor in enumerate(factors)}
        self._reopen = reopen
        self._levels: dict[int, DatasetReader] = {}

    @property
    def bounds(self) -> GeoBounds:
        """Extent in WGS 84 degrees."""
        return self._bounds

    @property
    def gsd_m(self) -> float:
        """Native ground sample distance at the map's centre, metres per pixel on the ground."""
        return self._gsd_m

    def sha256(self) -> str:
        """SHA-256 of the file; of several files, of the lines `sha256sum` would print for them (names only)."""
        digests = [(sha256_of(path), path.name) for path in sorted(self._files)]
        if len(digests) == 1:
            return digests[0][0]
        return hashlib.sha256("".join(f"{digest}  {name}\n" for digest, name in digests).encode()).hexdigest()

    def read(self, frame: LocalFrame, west_m: float, north_m: float, width: int, height: int, gsd_m: float) -> Patch:
        """Read a north-up window of `width` x `height` pixels whose top-left corner is (west_m, north_m) in `frame`.

        Pixels are averaged where the window is coarser than the map and interpolated where it is finer.

        Raises:
            MapError: the file is damaged, or the window has no size.
        """
        if width < 1 or height < 1 or not gsd_m > 0:
            raise MapError(f"{self.name}: no window of {width}x{height} pixels at {gsd_m} m can be read")
        grid = Affine(gsd_m, 0, west_m, 0, -gsd_m, north_m)
        options = {
            "crs": crs_of(frame),
            "transform": grid,
            "width": width,
            "height": height,
            "resampling": Resampling.average if gsd_m > self._gsd_m else Resampling.bilinear,
            "add_alpha": not self._has_alpha,
        }
        try:
            with (
                self._lock,
                rasterio.Env(GDAL_CACHEMAX=BLOCK_CACHE_BYTES),
                WarpedVRT(self._level(gsd_m), **options) as warped,
            ):
                pixels = warped.read([*self._bands, warped.count])
        except RasterioError as error:
            raise MapError(f"{self.name}: the map cannot be read ({error}); is the file complete?") from error
        valid = pixels[-1] > 127
        rgb = np.ascontiguousarray(np.broadcast_to(pixels[:-1], (3, height, width)).transpose(1, 2, 0))
        rgb[~valid] = 0
        return Patch(rgb, valid)

    def close(self) -> None:
        """Release file handles."""
        for dataset in (*self._levels.values(), self._dataset):
            dataset.close()

    def _level(self, gsd_m: float) -> Raster:
        """The coarsest overview that still holds every detail of a window at gsd_m, or the full resolution."""
        fitting = [factor for factor in self._overviews if factor * self._gsd_m <= gsd_m]
        if not fitting or self._reopen is None:
            return self._dataset
        level = self._overviews[max(fitting)]
        if level not in self._levels:
            self._levels[level] = rasterio.open(self._reopen, overview_level=level)
        return self._levels[level]


def open_dataset(text: str, name: str) -> DatasetReader:
    """Open a path or VRT text; `name` is what an error calls it.

    Raises:
        MapError: GDAL cannot read it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        try:
            return rasterio.open(text)
        except RasterioError as error:
            raise MapError(f"{name}: not an image that can be read ({error})") from error


def _select_bands(dataset: Raster, name: str) -> tuple[list[int], bool]:
    """Band numbers that make red, green, blue (or one grey), and whether there is an alpha band."""
    meaning = dict(zip(dataset.indexes, dataset.colorinterp))
    has_alpha = ColorInterp.alpha in meaning.values()
    colours = [band for band in dataset.indexes if meaning[band] is not ColorInterp.alpha]
    by_name = {kind: band for band, kind in meaning.items()}
    if all(kind in by_name for kind in (ColorInterp.red, ColorInterp.green, ColorInterp.blue)):
        bands = [by_name[kind] for kind in (ColorInterp.red, ColorInterp.green, ColorInterp.blue)]
    elif len(colours) == 1:
        bands = colours
    elif len(colours) in (3, 4):
        bands = colours[:3]
    else:
        raise MapError(f"{name}: {len(colours)} bands and none named red, green, blue; set their colour interpretation")
    if ColorInterp.palette in meaning.values():
        raise MapError(f"{name}: pixels are palette indices; expand them first with 'gdal_translate -expand rgb'")
    wrong = {dataset.dtypes[band - 1] for band in bands} - {"uint8"}
    if wrong:
        raise MapError(
            f"{name}: pixels are {', '.join(sorted(wrong))}, not uint8; scale them with the range you want to see: "
            "'gdal_translate -ot Byte -scale LOW HIGH 1 255'"
        )
    return bands, has_alpha


def extent_of(dataset: Raster, name: str) -> tuple[GeoBounds, float]:
    """Bounds in degrees and the ground sample distance at the centre, metres."""
    if dataset.crs.is_geographic and not (abs(dataset.bounds.top) <= 90.0 and abs(dataset.bounds.left) <= 360.0):
        raise MapError(f"{name}: the CRS is in degrees but the extent {tuple(dataset.bounds)} is not; wrong CRS?")
    try:
        bounds = GeoBounds(*transform_bounds(dataset.crs, _WGS84, *dataset.bounds))
        frame = LocalFrame((bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2)
        with WarpedVRT(dataset, crs=crs_of(frame)) as warped:
            return bounds, float(sum(warped.res) / 2)
    except RasterioError as error:
        raise MapError(f"{name}: the georeference leads nowhere on Earth ({error})") from error


@lru_cache(maxsize=16)
def crs_of(frame: LocalFrame) -> CRS:
    """The frame's CRS as rasterio wants it."""
    return CRS.from_wkt(frame.crs.to_wkt())


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_HASH_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
