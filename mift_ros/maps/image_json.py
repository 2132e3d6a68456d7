"""An image with its bounds or four corners in a JSON beside it."""

from __future__ import annotations

import json
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mift_ros.errors import MapError
from mift_ros.maps.bounds import check_degrees, inside, place, read_text, warn_of_stretch
from mift_ros.maps.geotiff import straighten
from mift_ros.maps.mosaic import ImageFile, corners_vrt, mosaic_vrt, probe_image
from mift_ros.maps.raster import RasterMap, open_dataset

_CORNERS = ("TL", "TR", "BR", "BL")
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


def open_json(path: Path) -> RasterMap:
    """A JSON beside an image: "corners_lonlat" (TL, TR, BR, BL as [lon, lat]), or "nw_latlon" and "se_latlon".

    The image is the JSON's "image", else the one of the same stem, else the only one in the folder.

    Raises:
        MapError: not such a JSON, the image is missing, or latitude and longitude are swapped.
    """
    try:
        content = json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise MapError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise MapError(f"{path}: an object with the image's corners is needed")
    image = _image_of(content, path)
    if "corners_lonlat" in content:
        corners = _corners(content["corners_lonlat"], path)
        dataset = open_dataset(corners_vrt(image, corners), str(path))
        # A cubic is within 0.02 m per km of a perspective where opposite sides differ by a tenth, 0.2 m by a fifth, 7 m
        # by a half. A spline through the same points is no nearer and four times as slow.
        return RasterMap(
            straighten(dataset, str(path), SRC_METHOD="GCP_POLYNOMIAL", MAX_GCP_ORDER="3"),
            image.path.name,
            [path, image.path],
        )
    if "nw_latlon" in content and "se_latlon" in content:
        north, west = _pair(content["nw_latlon"], "nw_latlon", path)
        south, east = _pair(content["se_latlon"], "se_latlon", path)
        placed = place(image, north, west, south, east, str(path))
        warn_of_stretch([placed], path)
        return RasterMap(open_dataset(mosaic_vrt([placed], 4326), str(path)), image.path.name, [path, image.path])
    raise MapError(f"{path}: needs 'corners_lonlat' with TL, TR, BR, BL, or 'nw_latlon' and 'se_latlon'")


def _image_of(content: dict[str, Any], path: Path) -> ImageFile:
    if "image" in content:
        return probe_image(inside(path.parent, str(content["image"]), str(path)))
    images = [file for file in sorted(path.parent.iterdir()) if file.suffix.lower() in _IMAGE_SUFFIXES]
    same_stem = [file for file in images if file.stem == path.stem]
    for candidates in (same_stem, images):
        if len(candidates) == 1:
            return probe_image(candidates[0])
    raise MapError(f"{path}: which image? Name it under 'image'; the folder has {len(images)}")


def _corners(raw: Any, path: Path) -> Mapping[str, tuple[float, float]]:
    """The four corners as (lon, lat), checked to run clockwise seen from above."""
    if not isinstance(raw, dict) or set(raw) != set(_CORNERS):
        raise MapError(f"{path}: 'corners_lonlat' needs exactly {', '.join(_CORNERS)}")
    corners = {key: _pair(raw[key], key, path) for key in _CORNERS}
    ring = [corners[key] for key in _CORNERS]
    check_degrees([lat for _, lat in ring], [lon for lon, _ in ring], str(path))
    turns = [_cross(ring[i - 2], ring[i - 1], ring[i]) for i in range(4)]
    if not all(turn < 0 for turn in turns):
        raise MapError(f"{path}: TL, TR, BR, BL do not run clockwise; are latitude and longitude swapped?")
    return corners


def _cross(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _pair(raw: Any, key: str, path: Path) -> tuple[float, float]:
    try:
        first, second = (float(value) for value in raw)
    except (TypeError, ValueError, OverflowError) as error:
        raise MapError(f"{path}: {key!r} must be two numbers, not {reprlib.repr(raw)}") from error
    return first, second
