"""Positions of photos from a CSV, where EXIF was lost or a better truth exists."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Mapping
from pathlib import Path

from mift_ros.errors import BagError
from mift_ros.photos.exif import image_size
from mift_ros.photos.photo import Photo, stamp_of

NEEDED = ("file", "datetime", "lat", "lon")
OPTIONAL = {
    "height_m": ("rel_alt_m",),
    "flight_yaw_deg": ("flight_yaw_deg", "flight_yaw"),
    "flight_pitch_deg": ("flight_pitch_deg", "flight_pitch"),
    "flight_roll_deg": ("flight_roll_deg", "flight_roll"),
    "gimbal_yaw_deg": ("gimbal_yaw_deg", "gimbal_yaw"),
    "gimbal_pitch_deg": ("gimbal_pitch_deg", "gimbal_pitch"),
}
"""Field of Photo and the columns that may hold it."""


def read_table(table: Path, folder: Path) -> list[Photo]:
    """The photos of a folder that a CSV lists, with what it says of them.

    Raises:
        BagError: a column or a photo is missing, or a cell is not a number.
    """
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, skipinitialspace=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BagError(f"{table}: cannot be read as CSV ({error})") from error
    if not rows:
        raise BagError(f"{table}: lists no photos")
    missing = [name for name in NEEDED if name not in rows[0]]
    if missing:
        raise BagError(f"{table}: no column {', '.join(missing)}; it has {', '.join(str(name) for name in rows[0])}")
    return [_photo(row, f"{table} line {line}", folder) for line, row in enumerate(rows, start=2)]


def _photo(row: Mapping[str, str | None], where: str, folder: Path) -> Photo:
    path = folder / str(row["file"])
    if not os.path.isfile(path):  # Path.is_file raises where the name is too long
        raise BagError(f"{where}: names {row['file']}, which is not in {folder}")
    width, height = image_size(path)
    known = {field: _number(row, names, where) for field, names in OPTIONAL.items()}
    lat, lon = (_number(row, (name,), where) for name in ("lat", "lon"))
    return Photo(path, stamp_of(row["datetime"] or "", where), lat, lon, width, height, **known)


def _number(row: Mapping[str, str | None], names: tuple[str, ...], where: str) -> float:
    """The number in the first column that is there; NaN for an empty cell or no such column."""
    text = next((row[name] for name in names if name in row), None)
    try:
        return float(text) if text and text.strip() else math.nan
    except ValueError as error:
        raise BagError(f"{where}: {names[0]} is {text!r}, not a number") from error
