"""One door to every map format, chosen by what is there."""

from __future__ import annotations

from pathlib import Path

from mift_ros.errors import MapError
from mift_ros.maps.bounded import open_csv, open_json
from mift_ros.maps.geotiff import open_geotiff
from mift_ros.maps.source import MapSource
from mift_ros.maps.xyz import open_xyz, zoom_levels


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
    return open_json(beside) if beside.is_file() else open_geotiff(path)


def _open_folder(folder: Path) -> MapSource:
    for pattern, opener in (("*.csv", open_csv), ("*.json", open_json)):
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return opener(found[0])
        if found:
            raise MapError(f"{folder}: {len(found)} files {pattern}; name the one to open")
    if zoom_levels(folder):
        return open_xyz(folder)
    rasters = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".tif", ".tiff", ".vrt", ".mbtiles"))
    if len(rasters) == 1:
        return open_geotiff(rasters[0])
    raise MapError(f"{folder}: no map.csv, map.json, {{z}}/{{x}}/{{y}} tiles or single GeoTIFF in it")
