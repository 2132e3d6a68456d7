"""What the formats with told bounds share: safe file access and checks of degrees."""

from __future__ import annotations

import logging
import math
import reprlib
from collections.abc import Iterable
from pathlib import Path

from mift_ros.errors import MapError
from mift_ros.maps.mosaic import ImageFile, PlacedImage

_MAX_TEXT_BYTES = 2**26
_MAX_NAME_BYTES = 255
_MAX_STRETCH = 1.2

logger = logging.getLogger(__name__)


def read_text(path: Path) -> str:
    """The text of a CSV or JSON of sensible size."""
    if path.stat().st_size > _MAX_TEXT_BYTES:
        raise MapError(f"{path}: larger than any list of map tiles ({path.stat().st_size} bytes)")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise MapError(f"{path}: not a text file ({error.reason})") from error


def inside(folder: Path, name: str, where: str) -> Path:
    """A file of the folder: a list of tiles must not reach out of it."""
    if not name or Path(name).name != name or len(name.encode(errors="replace")) > _MAX_NAME_BYTES:
        raise MapError(f"{where}: {reprlib.repr(name)} must be the name of an image in the same folder")
    return folder / name


def place(image: ImageFile, north: float, west: float, south: float, east: float, where: str) -> PlacedImage:
    """An image between its outer edges in degrees, checked for swapped axes."""
    check_degrees((north, south), (west, east), where)
    if not (north > south and east > west):
        raise MapError(
            f"{where}: top-left ({north}, {west}) is not north-west of bottom-right ({south}, {east}); "
            "are latitude and longitude swapped?"
        )
    return PlacedImage(image, west, north, east, south)


def check_degrees(lats: Iterable[float], lons: Iterable[float], where: str) -> None:
    """Refuse what is no latitude or longitude."""
    lats, lons = tuple(lats), tuple(lons)
    if not all(math.isfinite(v) and abs(v) <= 90.0 for v in lats):
        raise MapError(f"{where}: latitudes {lats} are not within 90 deg; are latitude and longitude swapped?")
    if not all(math.isfinite(v) and abs(v) <= 180.0 for v in lons):
        raise MapError(f"{where}: longitudes {lons} are not within 180 deg")


def warn_of_stretch(placed: Iterable[PlacedImage], path: Path) -> None:
    """Imagery has square pixels; bounds that make them oblong are a mistake that no later step can see."""
    for p in placed:
        wide = (p.east - p.west) * math.cos(math.radians(p.north)) / p.image.width
        ratio = wide * p.image.height / (p.north - p.south)
        if not 1 / _MAX_STRETCH < ratio < _MAX_STRETCH:
            name = p.image.path.name
            logger.warning("%s: pixels of %s are %.2f times as wide as high; are its bounds right?", path, name, ratio)
            return
