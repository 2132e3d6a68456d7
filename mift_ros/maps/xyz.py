"""A folder of web map tiles, {z}/{x}/{y}.png, as one mosaic at its deepest zoom."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from mift_ros.errors import MapError
from mift_ros.image_size import image_size
from mift_ros.maps.mosaic import PlacedImage, mosaic_vrt, probe_image
from mift_ros.maps.raster import RasterMap, open_dataset

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_MAX_ZOOM = 24
_HEAD_BYTES = 1 << 16
"""In which a tile tells its size; GDAL takes minutes to open all tiles of a large set."""
_HALF_WORLD_M = math.pi * 6378137.0
"""Half the side of EPSG:3857's square, in its metres."""


def zoom_levels(folder: Path) -> list[int]:
    """Zoom levels that the folder holds, deepest last; empty when it is no tile folder."""
    return sorted(int(entry.name) for entry in folder.iterdir() if entry.is_dir() and _number(entry.name) <= _MAX_ZOOM)


def open_xyz(folder: Path) -> RasterMap:
    """Open a tile folder in the XYZ numbering (row 0 in the north), EPSG:3857; tiles all of one size and format.

    Raises:
        MapError: there are no tiles at the deepest zoom, one has another size, or rows may count from the south.
    """
    if (folder / "tilemapresource.xml").exists():
        raise MapError(
            f"{folder}: its tilemapresource.xml is that of TMS, whose rows count from the south; write the tiles with "
            "'gdal2tiles --xyz', or delete it if theirs count from the north"
        )
    zoom = zoom_levels(folder)[-1]
    found = sorted(
        (int(column.name), int(tile.stem), tile)
        for column in (folder / str(zoom)).iterdir()
        if column.is_dir() and _number(column.name) < 2**zoom
        for tile in column.iterdir()
        if tile.suffix.lower() in _SUFFIXES and _number(tile.stem) < 2**zoom
    )
    if not found:
        raise MapError(f"{folder}: no tiles like {zoom}/X/Y.png")
    first = probe_image(found[0][2])
    side = 2 * _HALF_WORLD_M / 2**zoom
    placed = []
    for x, y, path in found:
        if (size := _size(path)) != (first.width, first.height):
            raise MapError(
                f"{path}: {size[0]}x{size[1]} pixels, but {found[0][2].name} is {first.width}x{first.height}; "
                "tiles must be of one size"
            )
        west, north = x * side - _HALF_WORLD_M, _HALF_WORLD_M - y * side
        placed.append(PlacedImage(replace(first, path=path), west, north, west + side, north - side))
    files = [path for _, _, path in found]
    return RasterMap(open_dataset(mosaic_vrt(placed, 3857), str(folder)), folder.name, files)


def _size(path: Path) -> tuple[int, int]:
    """Width and height in pixels, of any format that a map may have."""
    with path.open("rb") as file:
        size = image_size(file.read(_HEAD_BYTES))
    if size is None:
        image = probe_image(path)
        size = image.width, image.height
    return size


def _number(text: str) -> float:
    """The text as a whole number, infinity when it is none."""
    return int(text) if text.isascii() and text.isdigit() else float("inf")
