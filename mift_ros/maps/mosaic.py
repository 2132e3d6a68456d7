"""Describe images with known places as one GDAL virtual raster, so that a single reader serves them all."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rasterio.enums import ColorInterp

from mift_ros.errors import MapError
from mift_ros.maps.raster import open_dataset

_BAND_NAMES = ("Red", "Green", "Blue", "Alpha")
_MAX_SIDE = 2**31 - 1
_CONTROL_POINTS = 7
_MIN_PIXEL = 1e-12
"""In degrees or metres: far below what a camera can tell, far above where divisions by it overflow."""


@dataclass(frozen=True)
class ImageFile:
    """An image on disk: its path, size in pixels and number of bands."""

    path: Path
    width: int
    height: int
    bands: int


@dataclass(frozen=True)
class PlacedImage:
    """An image and the outer edges of its pixels in CRS units, x to the east and y to the north."""

    image: ImageFile
    west: float
    north: float
    east: float
    south: float


def probe_image(path: Path) -> ImageFile:
    """Read an image's header.

    Raises:
        MapError: the file is missing, is not an image, or its pixels are not uint8.
    """
    if not path.is_file():
        raise MapError(f"{path}: the image is missing")
    with open_dataset(str(path), str(path)) as dataset:
        if set(dataset.dtypes) != {"uint8"} or ColorInterp.palette in dataset.colorinterp:
            raise MapError(f"{path}: pixels must be 8-bit grey or RGB, not {dataset.dtypes[0]} or palette indices")
        return ImageFile(path, dataset.width, dataset.height, dataset.count)


def mosaic_vrt(images: Sequence[PlacedImage], epsg: int) -> str:
    """VRT text that places axis-aligned images at the finest resolution among them; gaps are transparent."""
    west, south = min(i.west for i in images), min(i.south for i in images)
    east, north = max(i.east for i in images), max(i.north for i in images)
    x_res = min((i.east - i.west) / i.image.width for i in images)
    y_res = min((i.north - i.south) / i.image.height for i in images)
    if min(x_res, y_res) < _MIN_PIXEL:
        raise MapError(f"{images[0].image.path.parent}: bounds of no size for images of so many pixels; wrong bounds?")
    width, height = round((east - west) / x_res), round((north - south) / y_res)
    if max(width, height) > _MAX_SIDE:
        raise MapError(f"{images[0].image.path.parent}: the images are {width}x{height} pixels apart; wrong bounds?")
    root = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    ET.SubElement(root, "SRS").text = f"EPSG:{epsg}"
    ET.SubElement(root, "GeoTransform").text = f"{west!r}, {x_res!r}, 0, {north!r}, 0, {-y_res!r}"
    for number, name in enumerate(_BAND_NAMES, 1):
        band = _band(root, number, name)
        for placed in images:
            target = (
                (placed.west - west) / x_res,
                (north - placed.north) / y_res,
                (placed.east - placed.west) / x_res,
                (placed.north - placed.south) / y_res,
            )
            _source(band, placed.image, number, target)
    return ET.tostring(root, encoding="unicode")


def corners_vrt(image: ImageFile, corners_lonlat: Mapping[str, tuple[float, float]]) -> str:
    """VRT text of one image placed by the perspective that takes its outer corners TL, TR, BR, BL to lon, lat.

    GDAL knows no perspective before 3.11, so it is told as a grid of control points.
    """
    root = ET.Element("VRTDataset", rasterXSize=str(image.width), rasterYSize=str(image.height))
    points = ET.SubElement(root, "GCPList", Projection="EPSG:4326")
    to_lonlat = _perspective([corners_lonlat[key] for key in ("TL", "TR", "BR", "BL")])
    for u in np.linspace(0.0, 1.0, _CONTROL_POINTS):
        for v in np.linspace(0.0, 1.0, _CONTROL_POINTS):
            lon, lat = to_lonlat(u, v)
            pixel, line = repr(float(u) * image.width), repr(float(v) * image.height)
            ET.SubElement(points, "GCP", Pixel=pixel, Line=line, X=repr(lon), Y=repr(lat))
    for number, name in enumerate(_BAND_NAMES, 1):
        _source(_band(root, number, name), image, number, (0, 0, image.width, image.height))
    return ET.tostring(root, encoding="unicode")


def _perspective(corners: Sequence[tuple[float, float]]) -> Callable[[float, float], tuple[float, float]]:
    """The perspective that takes the unit square's corners (0, 0), (1, 0), (1, 1), (0, 1) to the given points."""
    first, second, third, fourth = (np.array(corner) - corners[0] for corner in corners)
    # Heckbert, Fundamentals of Texture Mapping (1989), section 2.2.3: square to quadrilateral.
    excess = first - second + third - fourth
    g, h = np.linalg.solve(np.stack([second - third, fourth - third], axis=1), excess)
    along_u, along_v = second - first + g * second, fourth - first + h * fourth

    def place(u: float, v: float) -> tuple[float, float]:
        x, y = (along_u * u + along_v * v + first) / (g * u + h * v + 1.0) + corners[0]
        return float(x), float(y)

    return place


def _band(root: ET.Element, number: int, name: str) -> ET.Element:
    band = ET.SubElement(root, "VRTRasterBand", dataType="Byte", band=str(number))
    ET.SubElement(band, "ColorInterp").text = name
    return band


def _source(band: ET.Element, image: ImageFile, number: int, target: tuple[float, float, float, float]) -> None:
    """Add an image to a VRT band; the alpha band takes the image's mask, so a gap between images has no data."""
    exact = all(math.isclose(value, round(value), abs_tol=1e-6) for value in target)
    source = ET.SubElement(band, "SimpleSource", {} if exact or number == 4 else {"resampling": "bilinear"})
    ET.SubElement(source, "SourceFilename", relativeToVRT="0").text = str(image.path.resolve())
    colour = number if image.bands >= 3 else 1
    ET.SubElement(source, "SourceBand").text = "mask,1" if number == 4 else str(colour)
    size = (str(image.width), str(image.height))
    ET.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=size[0], ySize=size[1])
    x, y, width, height = (repr(float(value)) for value in target)
    ET.SubElement(source, "DstRect", xOff=x, yOff=y, xSize=width, ySize=height)
