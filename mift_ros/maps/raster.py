"""The one reader behind every map format: a GDAL dataset, warped window by window into a local frame."""

from __future__ import annotations

import hashlib
import threading
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, Resampling
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform, transform_bounds

from mift_ros.errors import MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.gdal import DRIVERS, gdal
from mift_ros.maps.source import GeoBounds, Patch

_HASH_CHUNK_BYTES = 2**20
_WGS84 = "EPSG:4326"

Raster: TypeAlias = DatasetReader | WarpedVRT


class RasterMap:
    """A georeferenced raster in any CRS; implements MapSource. Thread-safe: one read at a time."""

    def __init__(
        self,
        dataset: Raster,
        name: str,
        files: Sequence[Path],
        reopen: Callable[[int], DatasetReader] | None = None,
    ) -> None:
        """Take over `dataset`, whose affine transform and CRS must be set.

        `files` are what sha256() covers; `reopen` opens an overview level, if there are any.

        Raises:
            MapError: the pixel type, the bands or the georeference cannot be used.
        """
        self.name = name
        self._dataset = dataset
        self._files = tuple(files)
        self._bands, self._alpha = _select_bands(dataset, name)
        self._lock = threading.Lock()
        self._bounds, self._gsd_m = extent_of(dataset, name)
        with gdal(f"{name}: not an image that can be read"):
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
            "add_alpha": self._alpha is None,
        }
        with (
            self._lock,
            gdal(f"{self.name}: the map cannot be read; is the file complete?"),
            WarpedVRT(self._level(gsd_m), **options) as warped,
        ):
            pixels = warped.read([*self._bands, self._alpha or warped.count])
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
            self._levels[level] = self._reopen(level)
        return self._levels[level]


def open_dataset(text: str, name: str, drivers: Sequence[str] = DRIVERS, **options: Any) -> DatasetReader:
    """Open a path or VRT text in one of these formats, with GDAL's `options`; `name` is what an error calls it.

    Raises:
        MapError: GDAL cannot read it.
    """
    with warnings.catch_warnings(), gdal(f"{name}: not an image that can be read"):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return DatasetReader(text, driver=list(drivers), **options)


def _select_bands(dataset: Raster, name: str) -> tuple[list[int], int | None]:
    """Band numbers that make red, green, blue (or one grey), and that of the alpha band."""
    meaning = dict(zip(dataset.indexes, dataset.colorinterp))
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
    return bands, by_name.get(ColorInterp.alpha)


def extent_of(dataset: Raster, name: str) -> tuple[GeoBounds, float]:
    """Bounds in degrees and the ground sample distance at the centre, metres."""
    if dataset.crs.is_geographic and not (abs(dataset.bounds.top) <= 90.0 and abs(dataset.bounds.left) <= 360.0):
        raise MapError(f"{name}: the CRS is in degrees but the extent {tuple(dataset.bounds)} is not; wrong CRS?")
    with gdal(f"{name}: the georeference leads nowhere on Earth"):
        bounds = _unwrapped(*transform_bounds(dataset.crs, _WGS84, *dataset.bounds))
        frame = LocalFrame((bounds.south + bounds.north) / 2, (bounds.west + bounds.east) / 2)
        with WarpedVRT(dataset, crs=crs_of(frame)) as warped:
            if _is_torn(dataset, crs_of(frame)):
                raise MapError(
                    f"{name}: it reaches across the 180th meridian, where its CRS ends; export it in one that goes on "
                    f"there, as EPSG:{_utm(frame)}"
                )
            return bounds, float(sum(warped.res) / 2)


def _unwrapped(west: float, south: float, east: float, north: float) -> GeoBounds:
    """Bounds whose east is the larger, beyond 180 degrees if need be, and whose middle is within 180 degrees."""
    east += 360.0 * (west > east)
    turns = 360.0 * float(np.round((west + east) / 720.0))
    return GeoBounds(west - turns, south, east - turns, north)


def _is_torn(dataset: Raster, metric: CRS) -> bool:
    """Whether the way back from the ground into the raster ends a turn of the Earth beside it for some corner.

    GDAL looks for the pixels of a window that way, and takes what it does not find for a hole.
    """
    b = dataset.bounds
    xs, ys = [b.left, b.left, b.right, b.right], [b.bottom, b.top, b.bottom, b.top]
    back = transform(metric, dataset.crs, *transform(dataset.crs, metric, xs, ys))
    return bool(np.abs(np.subtract(back[0], xs)).max() > abs(b.right - b.left) / 2)


def _utm(frame: LocalFrame) -> int:
    """The EPSG code of the UTM zone."""
    return (32700 if frame.origin_lat_deg < 0 else 32600) + int((frame.origin_lon_deg + 180.0) % 360.0 // 6) + 1


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
