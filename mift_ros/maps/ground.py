"""Imagery to cut pieces of ground from: maps with their own scale, and plain images whose scale is told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from rasterio.enums import Resampling
from rasterio.windows import Window

from mift_ros.errors import MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.gdal import gdal
from mift_ros.maps.mosaic import ImageFile, probe_image
from mift_ros.maps.open import open_map
from mift_ros.maps.raster import open_dataset
from mift_ros.maps.source import GeoBounds, MapSource, Patch

_GEOREFERENCED = (".tif", ".tiff", ".vrt")
_IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


class Ground(Protocol):
    """A rectangle of ground shown by an image; `group` is what the user called it, `bounds` None where unknown."""

    group: str
    width_m: float
    height_m: float
    bounds: GeoBounds | None

    def cut(self, left_m: float, top_m: float, pixels: int, gsd_m: float) -> Patch:
        """A square of `pixels` at `gsd_m`, its top-left corner that far right of and below the rectangle's."""
        ...


class MapGround:
    """The extent of a map; parts of it may have no data."""

    def __init__(self, source: MapSource, group: str) -> None:
        self.group = group
        b = source.bounds
        self.bounds: GeoBounds | None = b
        self._source = source
        self._frame = LocalFrame((b.south + b.north) / 2, (b.west + b.east) / 2)
        (west, south), (east, north) = self._frame.to_local([b.south, b.north], [b.west, b.east])
        self._west_m, self._north_m = float(west), float(north)
        self.width_m, self.height_m = float(east - west), float(north - south)

    def cut(self, left_m: float, top_m: float, pixels: int, gsd_m: float) -> Patch:
        """See Ground."""
        return self._source.read(self._frame, self._west_m + left_m, self._north_m - top_m, pixels, pixels, gsd_m)


class ImageGround:
    """An image without a place, at a scale that the user knows."""

    bounds: GeoBounds | None = None

    def __init__(self, image: ImageFile, gsd_m: float, group: str) -> None:
        self.group = group
        self._image, self._gsd_m = image, gsd_m
        self.width_m, self.height_m = image.width * gsd_m, image.height * gsd_m

    def cut(self, left_m: float, top_m: float, pixels: int, gsd_m: float) -> Patch:
        """See Ground.

        Raises:
            MapError: the image is damaged.
        """
        side = pixels * gsd_m / self._gsd_m
        window = Window(left_m / self._gsd_m, top_m / self._gsd_m, side, side)
        bands = [1, 2, 3] if self._image.bands >= 3 else [1]
        how = Resampling.average if gsd_m > self._gsd_m else Resampling.bilinear
        name = str(self._image.path)
        with gdal(f"{name}: the image cannot be read; replace or remove it"), open_dataset(name, name) as dataset:
            read = dataset.read(bands, window=window, out_shape=(len(bands), pixels, pixels), resampling=how)
        rgb = np.ascontiguousarray(np.broadcast_to(read, (3, pixels, pixels)).transpose(1, 2, 0))
        return Patch(rgb, np.ones((pixels, pixels), bool))


def open_grounds(words: Sequence[str]) -> list[Ground]:
    """Imagery as the user names it: a map, a folder of GeoTIFFs, or `PATH=GSD_M` for images without a scale.

    Raises:
        MapError: nothing there, a scale is missing or not positive, or an image cannot be read.
    """
    return [ground for word in words for ground in _open(word)]


def _open(word: str) -> list[Ground]:
    path, gsd_m = _split(word)
    if gsd_m is not None:
        return _plain(path, gsd_m, word)
    found = _files(path, _GEOREFERENCED) if path.is_dir() else []
    try:
        maps = [open_map(file) for file in found] if len(found) > 1 else [open_map(path)]
    except MapError as error:
        raise MapError(f"{error}; images without a place need their scale, as in '{word}=0.6'") from error
    return [MapGround(source, word) for source in maps]


def _split(word: str) -> tuple[Path, float | None]:
    """The path and the metres per pixel of PATH=GSD_M, None without."""
    name, sign, number = word.rpartition("=")
    if not sign or Path(word).exists():
        return Path(word), None
    try:
        gsd_m = float(number)
    except ValueError:
        gsd_m = math.nan
    if not 0.001 <= gsd_m <= 100.0:
        raise MapError(f"{word}: {number!r} is no scale in metres per pixel")
    return Path(name), gsd_m


def _plain(path: Path, gsd_m: float, group: str) -> list[Ground]:
    files = _files(path, _IMAGES) if path.is_dir() else [path]
    if not files:
        raise MapError(f"{path}: no image ({', '.join(_IMAGES)}) in this folder")
    return [ImageGround(probe_image(file), gsd_m, group) for file in files]


def _files(folder: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """Files with these suffixes in the folder and below it, in the order of their names."""
    return sorted(file for file in folder.rglob("*") if file.suffix.lower() in suffixes)
