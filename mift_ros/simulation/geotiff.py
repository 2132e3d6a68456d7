"""A World as GeoTIFFs: the map for the localizer, the look and the heights for the simulated camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
import rasterio
from pyproj import Transformer
from rasterio.enums import ColorInterp, Resampling
from rasterio.shutil import copy
from rasterio.transform import from_origin

from mift_ros.errors import SimulationError, first_line
from mift_ros.files import replacing
from mift_ros.maps.gdal import GDAL_ERRORS
from mift_ros.simulation.world import World

TOWN_LAT_DEG, TOWN_LON_DEG = 45.5, -5.0
"""Where the town is put: in the Bay of Biscay, where no town is, and off the meridian of its UTM zone."""
HEIGHT_STEP = 2
"""Heights are stored as means of this many pixels squared."""


class WorldFiles(NamedTuple):
    """Paths of a written World."""

    map: Path
    look: Path
    heights: Path


def write_world(world: World, folder: Path, lat_deg: float = TOWN_LAT_DEG, lon_deg: float = TOWN_LON_DEG) -> WorldFiles:
    """Write map.tif and look.tif (uint8 RGB) and heights.tif (float32; surface, terrain) around a place, in UTM."""
    folder.mkdir(parents=True, exist_ok=True)
    files = WorldFiles(folder / "map.tif", folder / "look.tif", folder / "heights.tif")
    write_geotiff(world.map_rgb, files.map, lat_deg, lon_deg, world.gsd_m)
    write_geotiff(world.camera_rgb, files.look, lat_deg, lon_deg, world.gsd_m)
    side = len(world.surface_m)
    coarse = round(side / HEIGHT_STEP)
    heights = [
        cv2.resize(h, (coarse, coarse), interpolation=cv2.INTER_AREA) for h in (world.surface_m, world.terrain_m)
    ]
    write_geotiff(np.stack(heights, axis=-1), files.heights, lat_deg, lon_deg, world.gsd_m * side / coarse)
    return files


def write_geotiff(pixels: npt.NDArray[Any], path: Path, lat_deg: float, lon_deg: float, gsd_m: float) -> None:
    """Write [H, W, C] as a cloud-optimised GeoTIFF (tiles, overviews) in UTM, its centre at a place; atomic.

    Raises:
        SimulationError: no UTM zone there, or the file cannot be written.
    """
    if not (abs(lat_deg) <= 80.0 and abs(lon_deg) <= 180.0):
        raise SimulationError(f"no UTM zone at latitude {lat_deg}, longitude {lon_deg}")
    epsg = (32600 if lat_deg >= 0 else 32700) + min(int((lon_deg + 180) // 6) + 1, 60)
    east, north = Transformer.from_crs(4326, epsg, always_xy=True).transform(lon_deg, lat_deg)
    height, width, bands = pixels.shape
    grid = from_origin(east - width * gsd_m / 2, north + height * gsd_m / 2, gsd_m, gsd_m)
    profile = {
        "driver": "MEM", "width": width, "height": height, "count": bands, "dtype": pixels.dtype.name,
        "crs": f"EPSG:{epsg}", "transform": grid,
    }  # fmt: skip
    options = {"driver": "COG", "blocksize": 512, "compress": "DEFLATE", "level": 1, "predictor": "YES"}
    try:
        with rasterio.open("", "w+", **profile) as dataset:
            dataset.write(np.moveaxis(pixels, -1, 0))
            if bands == 3:
                dataset.colorinterp = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
            with replacing(path) as temporary:
                copy(dataset, str(temporary), overview_resampling=Resampling.average.name, **options)
    except (OSError, *GDAL_ERRORS) as error:
        raise SimulationError(f"{path} cannot be written: {first_line(error)}") from error
