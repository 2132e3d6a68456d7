"""One door to every map format, chosen by what is there."""

from __future__ import annotations

from pathlib import Path

from mift_ros.errors import MapError
from mift_ros.maps.geotiff import is_georeferenced, open_geotiff
from mift_ros.maps.image_json import open_json
from mift_ros.maps.source import MapSource
from mift_ros.maps.tiles_csv import open_csv
from mift_ros.maps.xyz import open_xyz, zoom_levels

_KINDS = (
    ((".csv",), open_csv),
    ((".tif", ".tiff", ".vrt", ".mbtiles"), open_geotiff),
    ((".json",), open_json),
)


def open_map(path: str | Path) -> MapSource:
    """Open a map: a georeferenced raster, a CSV or JSON beside images, an image with its JSON, or a folder of those.

    Raises:
        MapError: nothing there that can be read, with what is missing.
    """
    path = Path(path)
    if path.is_dir():
        return _open_folder(path)
    if not path.is_file():
        raise MapError(f"{path}: no such map file or folder")
    if path.suffix.lower() == ".csv":
        return open_csv(path)
    if path.suffix.lower() == ".json":
        return open_json(path)
    beside = path.with_suffix(".json")
    # A georeferenced file is trusted before a JSON of the same name, which may be a catalogue entry.
    if beside.is_file() and not is_georeferenced(path):
        return open_json(beside)
    return open_geotiff(path)


def _open_folder(folder: Path) -> MapSource:
    if zoom_levels(folder):
        return open_xyz(folder)
    for kinds, opener in _KINDS:
        found = sorted(file for file in folder.iterdir() if file.suffix.lower() in kinds)
        if len(found) == 1:
            return opener(found[0])
        if found:
            raise MapError(f"{folder}: {len(found)} {'/'.join(kinds)} files; name the one to open")
    raise MapError(f"{folder}: no GeoTIFF, map.csv, map.json or {{z}}/{{x}}/{{y}} tiles in it")
