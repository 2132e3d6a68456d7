"""Terrain models: what heights are above, and every kind of file that cannot be flown with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyproj import Transformer
from rasterio.transform import Affine

from mift_ros.errors import ConfigError, MapError, MiftError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.terrain import open_terrain

UTM = "EPSG:32632"
PLACE = Affine(10, 0, 500_000, 0, -10, 5_300_000)
LON, LAT = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True).transform(500_300, 5_299_750)
FRAME = LocalFrame(LAT, LON)
RAMP = (100.0 + np.arange(60, dtype=np.float32) + np.zeros((50, 1), np.float32))[None]
"""Rises by 1 m per 10 m eastwards; the frame's origin is at 129.5 m."""


@pytest.fixture
def dem(write_raster: Any) -> Any:
    def write(crs: str | None = UTM, pixels: np.ndarray = RAMP, place: Affine | None = PLACE, **profile: Any) -> Path:
        path: Path = write_raster(pixels, place, crs, name="dem.tif", **profile)
        return path

    return write


def test_heights_are_read_where_they_are(dem: Any) -> None:
    model = open_terrain(dem(), "egm96")
    heights = model.read(FRAME, -100.0, 100.0, (20, 20), 10.0)
    middles = np.arange(-95.0, 100.0, 10.0)
    assert heights[10] == pytest.approx(129.5 + 0.1 * middles * 0.9996, abs=0.02)
    assert model.datum == "egm96"


def test_beyond_its_edge_and_in_holes_nothing_is_known(dem: Any) -> None:
    pixels = RAMP.copy()
    pixels[0, 20:30, 20:30] = -9999.0
    heights = open_terrain(dem(pixels=pixels, nodata=-9999.0), "egm96").read(FRAME, -500.0, 100.0, (20, 60), 10.0)
    assert np.isnan(heights[:, :19]).all()
    assert np.isnan(heights[10, 42])
    assert np.isfinite(heights[10, 22:38]).all()
    assert np.nanmin(heights) >= 99.0


@pytest.mark.parametrize(
    ("crs", "datum"),
    [(f"{UTM}+5773", "egm96"), (f"{UTM}+3855", "egm2008"), (f"{UTM}+7837", "amsl"), ("EPSG:4979", "ellipsoid")],
)
def test_a_vertical_crs_says_what_heights_are_above(dem: Any, crs: str, datum: str) -> None:
    place = Affine(1e-4, 0, 9.0, 0, -1e-4, 47.85) if crs == "EPSG:4979" else PLACE
    assert open_terrain(dem(crs, place=place)).datum == datum


def test_a_vertical_crs_never_moves_a_height(dem: Any) -> None:
    heights = open_terrain(dem(f"{UTM}+5773")).read(FRAME, -100.0, 100.0, (20, 20), 10.0)
    assert heights[10, 10] == pytest.approx(130.0, abs=0.02)


def test_an_undulation_makes_heights_ellipsoidal(dem: Any) -> None:
    model = open_terrain(dem(), "egm96", 47.0)
    assert (model.datum, model.undulation_m) == ("ellipsoid", 47.0)
    assert model.read(FRAME, -100.0, 100.0, (20, 20), 10.0)[10, 10] == pytest.approx(177.0, abs=0.02)


REFUSED = [
    ({}, (), "nothing in it says what its heights are above; give --terrain-datum"),
    ({"crs": None}, ("egm96",), "no CRS"),
    ({"place": None}, ("egm96",), "no geotransform"),
    ({"pixels": np.repeat(RAMP, 2, axis=0)}, ("egm96",), "2 bands"),
    ({"crs": f"{UTM}+8228"}, (), "heights are in 'foot', not metres"),
    ({"crs": f"{UTM}+5773"}, ("ellipsoid",), "its heights are egm96"),
    ({}, ("wgs84",), "datum 'wgs84' is not one of"),
    ({}, ("ellipsoid", 47.0), "above the ellipsoid already"),
    ({}, ("egm96", 470.0), "geoid undulation 470 m is beyond"),
]


@pytest.mark.parametrize(("written", "given", "told"), REFUSED, ids=[case[2] for case in REFUSED])
def test_what_cannot_be_used_is_refused_in_one_line(dem: Any, written: Any, given: Any, told: str) -> None:
    with pytest.raises(MiftError, match=told) as caught:
        open_terrain(dem(**written), *given)
    assert "\n" not in str(caught.value)


def test_units_of_the_band_are_read(dem: Any) -> None:
    import rasterio

    path = dem()
    with rasterio.open(path, "r+") as dataset:
        dataset.units = ("ft",)
    with pytest.raises(MapError, match="heights are in 'ft'"):
        open_terrain(path, "egm96")


@pytest.mark.parametrize("value", [-32768.0, 65535.0])
def test_an_undeclared_no_data_value_is_not_ground(dem: Any, value: float) -> None:
    pixels = RAMP.copy()
    pixels[0, 20:30, 20:30] = value
    with pytest.raises(MapError, match="not of the Earth's ground"):
        open_terrain(dem(pixels=pixels), "egm96").read(FRAME, -100.0, 100.0, (20, 20), 10.0)


def test_a_model_of_other_ground_is_refused(dem: Any) -> None:
    with pytest.raises(MapError, match="covers none of the map"):
        open_terrain(dem(), "egm96").read(LocalFrame(45.0, 7.0), -100.0, 100.0, (20, 20), 10.0)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no such terrain model"):
        open_terrain(tmp_path / "absent.tif", "egm96")
    with pytest.raises(ConfigError):
        open_terrain(tmp_path / "absent.tif", "sea", math.nan)


def test_a_place_of_no_earthly_crs(dem: Any) -> None:
    with pytest.raises(MapError, match=r"\.tif: the georeference leads nowhere on Earth"):
        open_terrain(dem(crs='LOCAL_CS["Site",UNIT["metre",1]]'), "egm96")
