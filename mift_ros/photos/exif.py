"""Read a geotagged photo: EXIF, and the XMP that DJI drones add."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image
from PIL.ExifTags import GPS, IFD, Base

from mift_ros.errors import BagError, first_line
from mift_ros.photos.photo import Photo, stamp_of

HEAD_BYTES = 1 << 17
"""Part of the file that is searched for XMP: it stands before the pixels."""
DJI = {
    "height_m": "RelativeAltitude",
    "flight_yaw_deg": "FlightYawDegree",
    "flight_pitch_deg": "FlightPitchDegree",
    "flight_roll_deg": "FlightRollDegree",
    "gimbal_yaw_deg": "GimbalYawDegree",
    "gimbal_pitch_deg": "GimbalPitchDegree",
}
"""Field of Photo and the name in DJI's XMP."""


def read_photo(path: Path) -> Photo:
    """Read one photo.

    Raises:
        BagError: not an image, no GPS position, or no time.
    """
    with _opened(path) as image:
        (width, height), exif = image.size, image.getexif()
        gps, detail = exif.get_ifd(IFD.GPSInfo), exif.get_ifd(IFD.Exif)
    if GPS.GPSLatitude not in gps or GPS.GPSLongitude not in gps:
        raise BagError(f"{path}: no GPS position in its EXIF; give the positions with --truth-csv")
    time = detail.get(Base.DateTimeOriginal) or exif.get(Base.DateTime)
    if not time:
        raise BagError(f"{path}: no DateTimeOriginal in its EXIF; give the times with --truth-csv")
    return Photo(
        path,
        stamp_of(str(time), str(path)),
        _degrees(gps, GPS.GPSLatitude, GPS.GPSLatitudeRef, "S", path),
        _degrees(gps, GPS.GPSLongitude, GPS.GPSLongitudeRef, "W", path),
        width,
        height,
        focal_35mm=_focal(detail.get(Base.FocalLengthIn35mmFilm)),
        **_dji(path),
    )


def image_size(path: Path) -> tuple[int, int]:
    """Width and height in pixels.

    Raises:
        BagError: missing or not an image.
    """
    with _opened(path) as image:
        return image.size


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Only what stands before the pixels is read, so that their number, 200 million on some phones, is no danger."""
    most, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        with Image.open(path) as image:
            yield image
    except Exception as error:  # Pillow raises whatever it stumbles over in a damaged file
        raise BagError(f"{path}: cannot be read as a photo ({first_line(error)})") from error
    finally:
        Image.MAX_IMAGE_PIXELS = most


def _focal(value: Any) -> float:
    """Millimetres; NaN for what is no length, as where there is none."""
    try:
        focal_mm = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return math.nan
    return focal_mm if 0 < focal_mm < math.inf else math.nan


def _degrees(gps: Mapping[int, Any], value: int, reference: int, negative: str, path: Path) -> float:
    try:
        degrees, minutes, seconds = (float(part) for part in gps[value])
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise BagError(f"{path}: GPS position {gps[value]!r} is not degrees, minutes, seconds") from error
    sign = -1.0 if str(gps.get(reference, "")).upper().startswith(negative) else 1.0
    return sign * (degrees + minutes / 60 + seconds / 3600)


def _dji(path: Path) -> dict[str, float]:
    """Numbers of DJI's XMP, written as attributes or as elements; empty for other cameras."""
    with path.open("rb") as file:
        head = file.read(HEAD_BYTES)
    found = {}
    for field, name in DJI.items():
        match = re.search(rb"drone-dji:" + name.encode() + rb'(?:="|>)\s*([+-]?\d+(?:\.\d+)?)', head)
        if match:
            found[field] = float(match.group(1))
    return found
