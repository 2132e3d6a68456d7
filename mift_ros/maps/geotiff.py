"""GeoTIFF, COG, VRT, MBTiles: any file that carries its own georeference and that GDAL reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rasterio.enums import Resampling
from rasterio.io import DatasetReader
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

from mift_ros.errors import MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.gdal import gdal
from mift_ros.maps.mbtiles import open_mbtiles
from mift_ros.maps.raster import RasterMap, crs_of, open_dataset


def open_geotiff(path: Path) -> RasterMap:
    """Open a georeferenced file for reading by windows.

    Raises:
        MapError: not an image, no CRS, no geotransform, or pixels that cannot be used.
    """
    dataset = _open(path)
    with gdal(f"{path}: not an image that can be read"):
        # QGIS and gdalinfo write statistics into an .aux.xml beside any map they open
        files = [file for name in dataset.files if (file := Path(name)).is_file() and not name.endswith(".aux.xml")]
    if dataset.gcps[0] and dataset.transform.is_identity:
        return RasterMap(straighten(dataset, str(path)), path.name, files)
    if dataset.crs is None:
        raise MapError(f"{path}: no CRS; assign the one it was made in: 'rio edit-info --crs EPSG:... {path.name}'")
    if dataset.transform.is_identity:
        raise MapError(f"{path}: a CRS but no geotransform, so its pixels have no place; georeference it first")
    return RasterMap(dataset, path.name, files, lambda level: _open(path, overview_level=level))


def is_georeferenced(path: Path) -> bool:
    """Whether the file itself says where it lies."""
    with _open(path) as dataset:
        return dataset.crs is not None or bool(dataset.gcps[0])


def _open(path: Path, **options: Any) -> DatasetReader:
    if path.suffix.lower() == ".mbtiles":
        return open_mbtiles(path, **options)
    return open_dataset(str(path), str(path), **options)


def straighten(dataset: DatasetReader, name: str, **warp: str) -> WarpedVRT:
    """A north-up metric view of a raster that is placed by control points.

    rasterio warps control points to its own default grid only, so the windows are read from this view. `warp` goes to
    GDAL's transformer, e.g. SRC_METHOD.

    Raises:
        MapError: the points have no CRS or make no image of the ground.
    """
    points, crs = dataset.gcps
    with gdal(f"{name}: its control points place it nowhere on Earth"):
        lon, lat = transform(crs, "EPSG:4326", [p.x for p in points], [p.y for p in points])[:2]
        frame = LocalFrame((min(lat) + max(lat)) / 2, (min(lon) + max(lon)) / 2)
        return WarpedVRT(dataset, src_crs=crs, crs=crs_of(frame), resampling=Resampling.cubic, **warp)
