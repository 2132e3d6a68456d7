"""A CSV of images with the latitude and longitude of their edges, as one mosaic."""

from __future__ import annotations

import csv
from pathlib import Path

from mift_ros.errors import MapError
from mift_ros.maps.bounds import inside, place, read_text, warn_of_stretch
from mift_ros.maps.mosaic import PlacedImage, mosaic_vrt, probe_image
from mift_ros.maps.raster import RasterMap, open_dataset

_COLUMNS = ("filename", "top_left_lat", "top_left_lon", "bottom_right_lat", "bottom_right_lon")


def open_csv(path: Path) -> RasterMap:
    """A CSV of image names with latitude and longitude of their outer top-left and bottom-right edges, as one mosaic.

    Raises:
        MapError: a column or image is missing, a number cannot be read, or latitude and longitude are swapped.
    """
    try:
        rows = [_unquote(row) for row in csv.reader(read_text(path).splitlines(), skipinitialspace=True) if row]
    except csv.Error as error:
        raise MapError(f"{path}: not a list of images ({error})") from error
    if len(rows) < 2:
        raise MapError(f"{path}: no tiles; a header and one line per image are needed")
    columns = _columns(rows[0], path)
    _check_images([row[columns[0]] for row in rows[1:] if len(row) > columns[0]], path)
    placed = [_placed_row(row, columns, f"{path}, line {line}", path.parent) for line, row in enumerate(rows[1:], 2)]
    warn_of_stretch(placed, path)
    files = [path, *(p.image.path for p in placed)]
    return RasterMap(open_dataset(mosaic_vrt(placed, 4326), str(path)), path.parent.name, files)


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
    missing = [name for name in names if not inside(path.parent, name, str(path)).is_file()]
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
    return place(probe_image(inside(folder, name, where)), north, west, south, east, where)
