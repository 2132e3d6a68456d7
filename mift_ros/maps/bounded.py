"""Plain images whose place is told beside them: a CSV of tiles, or a JSON with bounds or four corners."""

from __future__ import annotations

import csv
import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mift_ros.errors import MapError
from mift_ros.maps.geotiff import straighten
from mift_ros.maps.mosaic import ImageFile, PlacedImage, corners_vrt, mosaic_vrt, probe_image
from mift_ros.maps.raster import RasterMap, open_dataset

_COLUMNS = ("filename", "top_left_lat", "top_left_lon", "bottom_right_lat", "bottom_right_lon")
_CORNERS = ("TL", "TR", "BR", "BL")
_IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")
_MAX_TEXT_BYTES = 2**26
_MAX_STRETCH = 1.2

logger = logging.getLogger(__name__)


def open_csv(path: Path) -> RasterMap:
    """A CSV of image names with latitude and longitude of their outer top-left and bottom-right edges, as one mosaic.

    Raises:
        MapError: a column or image is missing, a number cannot be read, or latitude and longitude are swapped.
    """
    rows = [_unquote(row) for row in csv.reader(_text(path).splitlines(), skipinitialspace=True) if row]
    if len(rows) < 2:
        raise MapError(f"{path}: no tiles; a header and one line per image are needed")
    columns = _columns(rows[0], path)
    _check_images([row[columns[0]] for row in rows[1:] if len(row) > columns[0]], path)
    placed = [_placed_row(row, columns, f"{path}, line {line}", path.parent) for line, row in enumerate(rows[1:], 2)]
    _warn_of_stretch(placed, path)
    files = [path, *(p.image.path for p in placed)]
    return RasterMap(open_dataset(mosaic_vrt(placed, 4326), str(path)), path.parent.name, files)


def open_json(path: Path) -> RasterMap:
    """A JSON beside an image: "corners_lonlat" (TL, TR, BR, BL as [lon, lat]), or "nw_latlon" and "se_latlon".

    The image is the JSON's "image", else the one of the same stem, else the only one in the folder.

    Raises:
        MapError: not such a JSON, the image is missing, or latitude and longitude are swapped.
    """
    try:
        content = json.loads(_text(path))
    except ValueError as error:
        raise MapError(f"{path}: not JSON ({error})") from error
    if not isinstance(content, dict):
        raise MapError(f"{path}: an object with the image's corners is needed")
    image = _image_of(content, path)
    if "corners_lonlat" in content:
        corners = _corners(content["corners_lonlat"], path)
        dataset = open_dataset(corners_vrt(image, corners), str(path))
        # Over one image a cubic is within centimetres of a perspective, and four times as fast as a spline.
        return RasterMap(
            straighten(dataset, SRC_METHOD="GCP_POLYNOMIAL", MAX_GCP_ORDER="3"), image.path.name, [path, image.path]
        )
    if "nw_latlon" in content and "se_latlon" in content:
        north, west = _pair(content["nw_latlon"], "nw_latlon", path)
        south, east = _pair(content["se_latlon"], "se_latlon", path)
        placed = _placed(image, north, west, south, east, str(path))
        _warn_of_stretch([placed], path)
        return RasterMap(open_dataset(mosaic_vrt([placed], 4326), str(path)), image.path.name, [path, image.path])
    raise MapError(f"{path}: needs 'corners_lonlat' with TL, TR, BR, BL, or 'nw_latlon' and 'se_latlon'")


def _text(path: Path) -> str:
    if path.stat().st_size > _MAX_TEXT_BYTES:
        raise MapError(f"{path}: larger than any list of map tiles ({path.stat().st_size} bytes)")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MapError(f"{path}: not a text file ({error.reason})") from error


def _unquote(row: list[str]) -> list[str]:
    """Fields of a row, also where the whole line was put in quotes."""
    fields = row[0].split(",") if len(row) == 1 else row
    return [field.strip() for field in fields]


def _columns(header: list[str], path: Path) -> list[int]:
    """Where the wanted columns are; 'Bottom_right_long' counts as bottom_right_lon."""
    names = [name.lower() for name in header]
    found = [next((i for i, name in enumerate(names) if name.startswith(wanted)), -1) for wanted in _COLUMNS]
    if -1 in found:
        raise MapError(f"{path}: no column {_COLUMNS[found.index(-1)]!r} in the header {header}")
    return found


def _check_images(names: list[str], path: Path) -> None:
    missing = [name for name in names if not _inside(path.parent, name, str(path)).is_file()]
    if missing:
        raise MapError(
            f"{path}: {len(missing)} images are missing: {', '.join(missing[:5])}; delete their lines to do without"
        )


def _placed_row(row: list[str], columns: list[int], where: str, folder: Path) -> PlacedImage:
    try:
        name, *numbers = (row[column] for column in columns)
        north, west, south, east = (float(number) for number in numbers)
    except (IndexError, ValueError) as error:
        raise MapError(f"{where}: needs a name and four numbers ({error})") from error
    return _placed(probe_image(_inside(folder, name, where)), north, west, south, east, where)


def _placed(image: ImageFile, north: float, west: float, south: float, east: float, where: str) -> PlacedImage:
    _check_degrees((north, south), (west, east), where)
    if not (north > south and east > west):
        raise MapError(
            f"{where}: top-left ({north}, {west}) is not north-west of bottom-right ({south}, {east}); "
            "are latitude and longitude swapped?"
        )
    return PlacedImage(image, west, north, east, south)


def _warn_of_stretch(placed: list[PlacedImage], path: Path) -> None:
    """Imagery has square pixels; bounds that make them oblong are a mistake that no later step can see."""
    for p in placed:
        wide = (p.east - p.west) * math.cos(math.radians(p.north)) / p.image.width
        ratio = wide * p.image.height / (p.north - p.south)
        if not 1 / _MAX_STRETCH < ratio < _MAX_STRETCH:
            name = p.image.path.name
            logger.warning("%s: pixels of %s are %.2f times as wide as high; are its bounds right?", path, name, ratio)
            return


def _corners(raw: Any, path: Path) -> Mapping[str, tuple[float, float]]:
    """The four corners as (lon, lat), checked to run clockwise seen from above."""
    if not isinstance(raw, dict) or set(raw) != set(_CORNERS):
        raise MapError(f"{path}: 'corners_lonlat' needs exactly {', '.join(_CORNERS)}")
    corners = {key: _pair(raw[key], key, path) for key in _CORNERS}
    ring = [corners[key] for key in _CORNERS]
    _check_degrees([lat for _, lat in ring], [lon for lon, _ in ring], str(path))
    turns = [_cross(ring[i - 2], ring[i - 1], ring[i]) for i in range(4)]
    if not all(turn < 0 for turn in turns):
        raise MapError(f"{path}: TL, TR, BR, BL do not run clockwise; are latitude and longitude swapped?")
    return corners


def _cross(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _pair(raw: Any, key: str, path: Path) -> tuple[float, float]:
    try:
        first, second = (float(value) for value in raw)
    except (TypeError, ValueError) as error:
        raise MapError(f"{path}: {key!r} must be two numbers, not {raw!r}") from error
    return first, second


def _check_degrees(lats: Any, lons: Any, where: str) -> None:
    if not all(math.isfinite(v) and abs(v) <= 90.0 for v in lats):
        raise MapError(f"{where}: latitudes {tuple(lats)} are not within 90 deg; are latitude and longitude swapped?")
    if not all(math.isfinite(v) and abs(v) <= 180.0 for v in lons):
        raise MapError(f"{where}: longitudes {tuple(lons)} are not within 180 deg")


def _image_of(content: dict[str, Any], path: Path) -> ImageFile:
    if "image" in content:
        return probe_image(_inside(path.parent, str(content["image"]), str(path)))
    images = [file for file in sorted(path.parent.iterdir()) if file.suffix.lower() in _IMAGE_SUFFIXES]
    same_stem = [file for file in images if file.stem == path.stem]
    for candidates in (same_stem, images):
        if len(candidates) == 1:
            return probe_image(candidates[0])
    raise MapError(f"{path}: which image? Name it under 'image'; the folder has {len(images)}")


def _inside(folder: Path, name: str, where: str) -> Path:
    """A file of the folder: a list of tiles must not reach out of it."""
    if not name or Path(name).name != name:
        raise MapError(f"{where}: {name!r} must be the name of an image in the same folder")
    return folder / name
