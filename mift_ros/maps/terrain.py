"""Terrain models: a raster of heights in metres, of which it must be known what they are above."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyproj
import rasterio
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.errors import CRSError
from rasterio.io import DatasetReader
from rasterio.transform import Affine
from rasterio.vrt import WarpedVRT

from mift_ros.errors import ConfigError, MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.geometry.terrain import DATUMS, ELLIPSOID
from mift_ros.maps.gdal import gdal
from mift_ros.maps.raster import crs_of, extent_of, open_dataset, sha256_of

LOWEST_M, HIGHEST_M = -500.0, 9000.0
"""Ground on Earth lies between; what does not is an undeclared no-data value or another unit."""
MOST_UNDULATION_M = 120.0
"""The geoid is nowhere further from the ellipsoid."""
_METRES = ("", "m", "metre", "metres", "meter", "meters")


class TerrainModel:
    """An opened DEM; `datum` is what the heights that `read` returns are above, `undulation_m` what it adds to them."""

    def __init__(self, dataset: DatasetReader, path: Path, datum: str, undulation_m: float) -> None:
        """Use `open_terrain`."""
        self.name, self.datum, self.undulation_m = path.name, datum, undulation_m
        self._dataset, self._path = dataset, path
        self.gsd_m = extent_of(dataset, str(path))[1]

    def sha256(self) -> str:
        """SHA-256 of the file, in hex."""
        return sha256_of(self._path)

    def read(
        self, frame: LocalFrame, west_m: float, north_m: float, shape: tuple[int, int], gsd_m: float
    ) -> npt.NDArray[np.float32]:
        """Heights [H, W] in metres above `datum` on a north-up grid with a top-left corner; NaN where unknown.

        Raises:
            MapError: the file is damaged, has no heights there, or heights that are not of the Earth.
        """
        options = {
            "src_crs": _horizontal(self._dataset.crs), "crs": crs_of(frame), "nodata": math.nan, "dtype": "float32",
            "transform": Affine(gsd_m, 0, west_m, 0, -gsd_m, north_m), "height": shape[0], "width": shape[1],
            "src_nodata": self._dataset.nodata, "resampling": _resampling(gsd_m, self.gsd_m),
        }  # fmt: skip
        with (
            gdal(f"{self._path}: the terrain model cannot be read; is it complete?"),
            WarpedVRT(self._dataset, **options) as warped,
        ):
            found = warped.read(1, out_dtype="float32")
        if not np.isfinite(found).any():
            raise MapError(f"{self._path}: the terrain model covers none of the map")
        heights = found * self._dataset.scales[0] + self._dataset.offsets[0]
        low, high = float(np.nanmin(heights)), float(np.nanmax(heights))
        if low < LOWEST_M or high > HIGHEST_M:
            raise MapError(
                f"{self._path}: heights from {low:g} to {high:g} m are not of the Earth's ground; are they metres, "
                "and is the no-data value declared ('rio edit-info --nodata VALUE')?"
            )
        return np.asarray(heights + self.undulation_m, np.float32)

    def close(self) -> None:
        """Release the file."""
        self._dataset.close()


def open_terrain(path: str | Path, datum: str = "", geoid_undulation_m: float = math.nan) -> TerrainModel:
    """Open a DEM: one band of heights in metres, in any CRS.

    `datum` is one of DATUMS, "" if the file's vertical CRS says it. `geoid_undulation_m`, the height of the geoid
    above the ellipsoid at the site, turns heights above the geoid into heights above the ellipsoid.

    Raises:
        MapError: not such a file, or nobody says what the heights are above.
        ConfigError: a datum or an undulation that cannot be.
    """
    path = Path(path)
    if datum and datum not in DATUMS:
        raise ConfigError(f"terrain datum {datum!r} is not one of {', '.join(DATUMS)}")
    if not path.is_file():
        raise MapError(f"{path}: no such terrain model")
    with rasterio.Env(GTIFF_REPORT_COMPD_CS=True):
        dataset = open_dataset(str(path), str(path))
    _check(dataset, path)
    datum = _datum(dataset, path, datum)
    if math.isnan(geoid_undulation_m):
        return TerrainModel(dataset, path, datum, 0.0)
    if datum == ELLIPSOID:
        raise ConfigError(f"{path}: heights are above the ellipsoid already; give no geoid undulation")
    if not abs(geoid_undulation_m) <= MOST_UNDULATION_M:
        raise ConfigError(f"geoid undulation {geoid_undulation_m:g} m is beyond {MOST_UNDULATION_M:g} m")
    return TerrainModel(dataset, path, ELLIPSOID, geoid_undulation_m)


def _check(dataset: DatasetReader, path: Path) -> None:
    if dataset.crs is None or dataset.transform.is_identity:
        raise MapError(f"{path}: no {'CRS' if dataset.crs is None else 'geotransform'}, so its heights have no place")
    if dataset.count != 1:
        raise MapError(
            f"{path}: {dataset.count} bands, a terrain model has one; take the ground's: 'gdal_translate -b BAND'"
        )
    unit = dataset.units[0] or ""
    if unit.lower() not in _METRES:
        raise MapError(f"{path}: heights are in {unit!r}, not metres; convert them first (gdal_calc.py)")


def _datum(dataset: DatasetReader, path: Path, said: str) -> str:
    """What the heights are above, by the file and the user, who must not contradict each other."""
    vertical = _vertical(dataset.crs)
    if vertical is None:
        if not said:
            raise MapError(
                f"{path}: nothing in it says what its heights are above; give --terrain-datum: {', '.join(DATUMS)}"
            )
        return said
    axis = vertical.axis_info[-1]
    if axis.unit_conversion_factor != 1.0:
        raise MapError(f"{path}: heights are in {axis.unit_name!r}, not metres; convert them first (gdal_calc.py)")
    found = _named(vertical)
    if said and said != found:
        raise ConfigError(f"{path}: its heights are {found} ({vertical.name}), but the terrain datum given is {said}")
    return found


def _vertical(crs: CRS) -> pyproj.CRS | None:
    """The CRS of the heights, of three axes or one; None when the file has none."""
    found = _pyproj(crs)
    if found.is_compound:
        return next((part for part in found.sub_crs_list if part.is_vertical), None)
    return found if len(found.axis_info) == 3 else None


def _named(vertical: pyproj.CRS) -> str:
    if len(vertical.axis_info) == 3:
        return ELLIPSOID
    name = vertical.name.lower().replace(" ", "").replace("_", "")
    return next((datum for datum in DATUMS[:-1] if datum in name), DATUMS[-1])


def _horizontal(crs: CRS) -> CRS:
    """Without heights, so that GDAL never shifts them by a grid that happens to be installed."""
    return CRS.from_wkt(_pyproj(crs).to_2d().to_wkt())


def _pyproj(crs: CRS) -> pyproj.CRS:
    try:
        return pyproj.CRS.from_wkt(crs.to_wkt(version="WKT2_2019"))
    except (CRSError, pyproj.exceptions.CRSError) as error:
        raise MapError(f"the terrain model's CRS cannot be understood ({error})") from error


def _resampling(gsd_m: float, native_gsd_m: float) -> Resampling:
    return Resampling.average if gsd_m > native_gsd_m else Resampling.bilinear
