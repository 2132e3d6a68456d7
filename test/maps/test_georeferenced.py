"""A map pixel lies where pyproj says it does, in every CRS."""

from __future__ import annotations

import hashlib
import os
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.transform import Affine

from mift_ros.errors import MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.open import open_map

LAT, LON = 60.4, 22.46
FRAME = LocalFrame(LAT, LON)
SIZE = 400


def corner_and_step(epsg: int, step_m: float) -> tuple[float, float, float, float]:
    """Top-left corner and pixel size, in the CRS, of a map of SIZE pixels around the frame's origin."""
    to_crs = Transformer.from_crs(4326, epsg, always_xy=True)
    (south, west), (north, east) = FRAME.to_geodetic([[-step_m / 2, -step_m / 2], [step_m / 2, step_m / 2]])
    (x0, x1), (y0, y1) = to_crs.transform([west, east], [south, north])
    x, y = to_crs.transform(LON, LAT)
    return x - SIZE / 2 * (x1 - x0), y + SIZE / 2 * (y1 - y0), x1 - x0, y1 - y0


def spots(rows: list[int], cols: list[int]) -> np.ndarray:
    """A dark RGB image with a bright 5 x 5 spot centred on each pixel."""
    pixels = np.full((3, SIZE, SIZE), 20, np.uint8)
    for row, col in zip(rows, cols):
        pixels[:, row - 2 : row + 3, col - 2 : col + 3] = 250
    return pixels


def centroid(grey: np.ndarray, row: float, col: float, reach: int = 6) -> tuple[float, float]:
    """Centre of brightness near a pixel, in pixels."""
    r0, c0 = round(row) - reach, round(col) - reach
    part = grey[r0 : r0 + 2 * reach + 1, c0 : c0 + 2 * reach + 1].astype(float) - 20
    rows, cols = np.mgrid[: part.shape[0], : part.shape[1]]
    return r0 + (rows * part).sum() / part.sum(), c0 + (cols * part).sum() / part.sum()


@pytest.mark.parametrize("epsg", [32634, 3857, 4326])
@pytest.mark.parametrize("gsd_m", [0.5, 1.0])
def test_pixels_lie_where_pyproj_puts_them(write_raster: Any, epsg: int, gsd_m: float) -> None:
    rows, cols = [60, 60, 200, 340, 320], [60, 340, 200, 70, 330]
    x, y, dx, dy = corner_and_step(epsg, 0.5)
    source = open_map(write_raster(spots(rows, cols), Affine(dx, 0, x, 0, -dy, y), f"EPSG:{epsg}"))
    west, north, pixels = -100.0, 100.0, round(200 / gsd_m)
    patch = source.read(FRAME, west, north, pixels, pixels, gsd_m)
    to_degrees = Transformer.from_crs(epsg, 4326, always_xy=True)
    for row, col in zip(rows, cols):
        lon, lat = to_degrees.transform(x + (col + 0.5) * dx, y - (row + 0.5) * dy)
        east_m, north_m = FRAME.to_local(lat, lon)
        at_row, at_col = (north - north_m) / gsd_m - 0.5, (east_m - west) / gsd_m - 0.5
        assert centroid(patch.rgb[..., 1], at_row, at_col) == pytest.approx((at_row, at_col), abs=0.2)


@pytest.mark.parametrize("epsg", [32634, 3857, 4326])
def test_resolution_and_bounds_are_those_of_the_ground(write_raster: Any, epsg: int) -> None:
    """Web Mercator at 60 degrees stretches by 2.02, degrees of longitude shrink by 2: neither reaches the user."""
    x, y, dx, dy = corner_and_step(epsg, 0.5)
    source = open_map(write_raster(spots([], []), Affine(dx, 0, x, 0, -dy, y), f"EPSG:{epsg}"))
    (west, south), (east, north) = FRAME.to_local(
        [source.bounds.south, source.bounds.north], [source.bounds.west, source.bounds.east]
    )
    assert source.gsd_m == pytest.approx(0.5, rel=0.05)
    assert (west, south, east, north) == pytest.approx((-100, -100, 100, 100), abs=5.0)  # UTM north leans by 1.3 deg


def test_outside_the_map_there_is_no_data(write_raster: Any) -> None:
    x, y, dx, dy = corner_and_step(32634, 0.5)
    source = open_map(write_raster(np.full((3, SIZE, SIZE), 90, np.uint8), Affine(dx, 0, x, 0, -dy, y), "EPSG:32634"))
    patch = source.read(FRAME, 0.0, 0.0, 200, 50, 1.0)
    assert patch.valid[:, :97].all() and not patch.valid[:, 103:].any()
    assert not patch.rgb[~patch.valid].any()
    assert not source.read(FRAME, 50_000.0, 0.0, 20, 20, 1.0).valid.any()


@pytest.mark.parametrize("how", ["nodata", "alpha", "mask"])
@pytest.mark.parametrize("gsd_m", [0.25, 1.0])
def test_holes_are_honoured_however_they_are_marked(write_raster: Any, how: str, gsd_m: float) -> None:
    pixels = np.full((3, SIZE, SIZE), 90, np.uint8)
    pixels[:, :, 200:] = 7
    x, y, dx, dy = corner_and_step(32634, 0.5)
    place = (Affine(dx, 0, x, 0, -dy, y), "EPSG:32634")
    good = np.where(np.arange(SIZE) < 200, 255, 0).astype(np.uint8)[None].repeat(SIZE, axis=0)
    if how == "nodata":
        path = write_raster(pixels, *place, nodata=7)
    elif how == "alpha":
        path = write_raster(np.concatenate([pixels, good[None]]), *place, photometric="RGB", alpha="YES")
    else:
        path = write_raster(pixels, *place)
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(good)
    patch = open_map(path).read(FRAME, -50.0, 50.0, round(100 / gsd_m), 40, gsd_m)
    half, slack = round(50 / gsd_m), round(2 / gsd_m)  # UTM north leans 1.1 m to the side over these 50 m
    assert patch.valid[:, : half - slack].all() and not patch.valid[:, half + slack :].any()
    assert (patch.rgb[patch.valid] == 90).mean() > 0.95


def test_grey_and_four_band_maps_become_rgb(write_raster: Any) -> None:
    x, y, dx, dy = corner_and_step(32634, 0.5)
    place = (Affine(dx, 0, x, 0, -dy, y), "EPSG:32634")
    grey = open_map(write_raster(np.full((1, SIZE, SIZE), 90, np.uint8), *place, name="grey.tif"))
    assert grey.read(FRAME, 0, 0, 4, 4, 0.5).rgb.tolist() == [[[90] * 3] * 4] * 4
    values = np.array([10, 20, 30, 40], np.uint8)[:, None, None].repeat(SIZE, 1).repeat(SIZE, 2)
    infrared = open_map(write_raster(values, *place, name="rgbn.tif", photometric="RGB", alpha="NO"))
    assert infrared.read(FRAME, 0, 0, 4, 4, 0.5).rgb[0, 0].tolist() == [10, 20, 30]


def test_named_colours_are_found_in_any_order(write_raster: Any) -> None:
    x, y, dx, dy = corner_and_step(32634, 0.5)
    values = np.array([1, 30, 20, 10, 2], np.uint8)[:, None, None].repeat(SIZE, 1).repeat(SIZE, 2)
    path = write_raster(values, Affine(dx, 0, x, 0, -dy, y), "EPSG:32634")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [
            ColorInterp.undefined, ColorInterp.blue, ColorInterp.green, ColorInterp.red, ColorInterp.undefined,
        ]  # fmt: skip
    assert open_map(path).read(FRAME, 0, 0, 4, 4, 0.5).rgb[0, 0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    "order", [(0, 1, 2, 3, 4), (3, 0, 1, 2, 4)], ids=["R, G, B, alpha, NIR", "alpha, R, G, B, NIR"]
)
def test_the_alpha_band_is_found_wherever_it_is(write_raster: Any, order: tuple[int, ...]) -> None:
    x, y, dx, dy = corner_and_step(32634, 0.5)
    values = np.array([10, 20, 30, 255, 40], np.uint8)[:, None, None].repeat(SIZE, 1).repeat(SIZE, 2)
    values[3, :, 200:] = 0
    kinds = [ColorInterp.red, ColorInterp.green, ColorInterp.blue, ColorInterp.alpha, ColorInterp.undefined]
    path = write_raster(values[list(order)], Affine(dx, 0, x, 0, -dy, y), "EPSG:32634", photometric="MINISBLACK")
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [kinds[band] for band in order]
    patch = open_map(path).read(FRAME, -50, 50, 100, 100, 1.0)
    assert patch.valid[:, :45].all() and not patch.valid[:, 55:].any()
    assert (patch.rgb[:, :45] == (10, 20, 30)).all()


@pytest.mark.filterwarnings("ignore:Use `@`")  # older releases of affine know only *
@pytest.mark.parametrize("epsg", [3832, 3460, 32760])
def test_a_map_across_the_180th_meridian(write_raster: Any, epsg: int) -> None:
    rows, cols = [60, 200, 340], [60, 340, 70]
    to_crs = Transformer.from_crs(4326, epsg, always_xy=True)
    x, y = to_crs.transform(180.0, -17.0)
    place = Affine(0.5, 0, x - 100, 0, -0.5, y + 100)
    source = open_map(write_raster(spots(rows, cols), place, f"EPSG:{epsg}"))
    b = source.bounds
    assert b.west < b.east < b.west + 0.01 and abs((b.west + b.east) / 2) <= 180.0
    frame = LocalFrame((b.south + b.north) / 2, (b.west + b.east) / 2)
    patch = source.read(frame, -110.0, 110.0, 440, 440, 0.5)
    for row, col in zip(rows, cols):
        lon, lat = to_crs.transform(*(place * (col + 0.5, row + 0.5)), direction="INVERSE")
        east_m, north_m = frame.to_local(lat, lon)
        at_row, at_col = (110.0 - north_m) / 0.5 - 0.5, (east_m + 110.0) / 0.5 - 0.5
        assert centroid(patch.rgb[..., 1], at_row, at_col, 8) == pytest.approx((at_row, at_col), abs=0.3)


@pytest.mark.parametrize(
    ("epsg", "place", "zone"),
    [
        (4326, Affine(4e-6, 0, 179.999, 0, -4e-6, -17), 32760),
        (4326, Affine(4e-6, 0, 350.0, 0, -4e-6, 17), 32629),
        (3857, Affine(0.5, 0, 20037400, 0, -0.5, -1920800), 32760),
    ],
)
def test_a_map_across_the_edge_of_its_crs_is_refused(write_raster: Any, epsg: int, place: Affine, zone: int) -> None:
    path = write_raster(spots([], []), place, f"EPSG:{epsg}")
    with pytest.raises(MapError, match=rf"map\.tif: it reaches across the 180th meridian.* as EPSG:{zone}"):
        open_map(path)


def test_coarse_windows_come_from_the_overviews(write_raster: Any) -> None:
    """An overview painted white shows which level was read."""
    x, y, dx, dy = corner_and_step(32634, 0.5)
    path = write_raster(np.full((3, SIZE, SIZE), 90, np.uint8), Affine(dx, 0, x, 0, -dy, y), "EPSG:32634")
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4])
    with rasterio.open(path, "r+", overview_level=1) as coarse:
        coarse.write(np.full((3, SIZE // 4, SIZE // 4), 255, np.uint8))
    source = open_map(path)
    means = [source.read(FRAME, -50, 50, 40, 40, gsd_m).rgb.mean() for gsd_m in (0.5, 1.9, 2.1)]
    assert means == pytest.approx([90, 90, 255], abs=1)


def test_a_chequerboard_averages_to_grey_when_reduced(write_raster: Any) -> None:
    board = (np.indices((SIZE, SIZE)).sum(axis=0) % 2 * 200).astype(np.uint8)[None].repeat(3, axis=0)
    x, y, dx, dy = corner_and_step(32634, 0.5)
    source = open_map(write_raster(board, Affine(dx, 0, x, 0, -dy, y), "EPSG:32634"))
    patch = source.read(FRAME, -50, 50, 25, 25, 4.0)
    assert patch.rgb == pytest.approx(np.full(patch.rgb.shape, 100), abs=8)


def test_a_map_placed_by_control_points(write_raster: Any) -> None:
    rows, cols = [60, 200, 330], [330, 200, 90]
    (south, west), (north, east) = FRAME.to_geodetic([[-100, -100], [100, 100]])
    corners = [(0, 0, west, north), (0, SIZE, east, north), (SIZE, SIZE, east, south), (SIZE, 0, west, south)]
    points = [GroundControlPoint(row, col, x, y) for row, col, x, y in corners]
    path = write_raster(spots(rows, cols), gcps=points, crs="EPSG:4326")
    patch = open_map(path).read(FRAME, -100, 100, SIZE, SIZE, 0.5)
    for row, col in zip(rows, cols):
        assert centroid(patch.rgb[..., 0], row, col) == pytest.approx((row, col), abs=1.0)


def test_sha256_of_one_file_is_that_of_sha256sum(write_raster: Any) -> None:
    x, y, dx, dy = corner_and_step(3857, 0.5)
    path = write_raster(spots([], []), Affine(dx, 0, x, 0, -dy, y), "EPSG:3857")
    assert open_map(path).sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_statistics_that_a_viewer_leaves_beside_the_map_are_not_the_map(write_raster: Any) -> None:
    path = write_raster(spots([60], [60]), *UTM)
    path.with_name("map.tif.aux.xml").write_text(
        '<PAMDataset><Metadata><MDI key="MEAN">1</MDI></Metadata></PAMDataset>'
    )
    with rasterio.open(path) as dataset:
        assert len(dataset.files) == 2
    assert open_map(path).sha256() == hashlib.sha256(path.read_bytes()).hexdigest()


UTM = (Affine(0.5, 0, 500000, 0, -0.5, 6700000), "EPSG:32634")


def test_no_crs(write_raster: Any) -> None:
    with pytest.raises(MapError, match=r"map\.tif: no CRS; assign"):
        open_map(write_raster(spots([], []), UTM[0]))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_no_geotransform(write_raster: Any) -> None:
    with pytest.raises(MapError, match=r"map\.tif: a CRS but no geotransform"):
        open_map(write_raster(spots([], []), crs="EPSG:32634"))


def test_metres_under_a_crs_in_degrees(write_raster: Any) -> None:
    with pytest.raises(MapError, match=r"map\.tif: the CRS is in degrees but the extent"):
        open_map(write_raster(spots([], []), UTM[0], "EPSG:4326"))


LOCAL = 'LOCAL_CS["Site",UNIT["metre",1]]'
MOON = "+proj=longlat +R=1737400 +no_defs"
SQUARE = [(0, 0, -5, 45), (0, SIZE, -4.998, 45), (SIZE, SIZE, -4.998, 44.998), (SIZE, 0, -5, 44.998)]


@pytest.mark.parametrize(
    ("place", "told"),
    [
        ({"transform": UTM[0], "crs": LOCAL}, "the georeference leads nowhere on Earth"),
        ({"transform": Affine(1e-5, 0, 10, 0, -1e-5, 10), "crs": MOON}, "the georeference leads nowhere on Earth"),
        ({"transform": Affine(0.5, 0, 5e9, 0, -0.5, 6.7e6), "crs": UTM[1]}, r"nowhere on Earth \(no local frame at"),
        ({"gcps": SQUARE, "crs": CRS()}, "its control points place it nowhere on Earth"),
        ({"gcps": SQUARE, "crs": LOCAL}, "its control points place it nowhere on Earth"),
        ({"gcps": SQUARE[:1], "crs": "EPSG:4326"}, "control points .* Not enough points"),
        ({"gcps": SQUARE[:1] * 4, "crs": "EPSG:4326"}, "control points .* not solvable"),
        ({"gcps": [(0, 0, np.nan, 45), *SQUARE[1:]], "crs": "EPSG:4326"}, "control points place it nowhere"),
    ],
)
def test_places_that_are_not_on_earth(write_raster: Any, place: dict[str, Any], told: str) -> None:
    if "gcps" in place:
        place = {**place, "gcps": [GroundControlPoint(*point) for point in place["gcps"]]}
    path = write_raster(np.full((3, SIZE, SIZE), 90, np.uint8), **place)
    with pytest.raises(MapError, match=rf"map\.tif: .*{told}") as caught:
        open_map(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def vrt(source: str, side: int = SIZE) -> str:
    return (
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}"><SRS>EPSG:32634</SRS><GeoTransform>500000, 0.5, 0, '
        '6700000, 0, -0.5</GeoTransform><VRTRasterBand dataType="Byte" band="1"><SimpleSource>'
        f"<SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource></VRTRasterBand></VRTDataset>"
    )


def test_a_vrt_beyond_all_size(tmp_path: Path) -> None:
    (tmp_path / "huge.vrt").write_text(vrt("absent.tif", 2**31 - 1))
    with pytest.raises(MapError, match=r"huge\.vrt: .*nowhere on Earth \(Computed dimensions are too big"):
        open_map(tmp_path / "huge.vrt")


def test_a_path_that_is_not_utf8(write_raster: Any, tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"b\xe4d.tif")
    write_raster(spots([], []), *UTM).rename(path)
    with pytest.raises(MapError, match=r"not an image that can be read .*surrogates not allowed"):
        open_map(path)


WMS = (
    '<GDAL_WMS><Service name="TMS"><ServerUrl>{url}</ServerUrl></Service><DataWindow><UpperLeftX>2400000</UpperLeftX>'
    "<UpperLeftY>8500000</UpperLeftY><LowerRightX>2500000</LowerRightX><LowerRightY>8400000</LowerRightY><TileLevel>9"
    "</TileLevel></DataWindow><Projection>EPSG:3857</Projection><BandsCount>3</BandsCount></GDAL_WMS>"
)


@pytest.mark.parametrize(
    "named",
    [
        "/vsicurl/{url}",
        "/vsicurl_streaming/{url}",
        "/vsicurl?url={url}",
        "{url}",
        "WMTS:{url}",
        "/vsizip//vsicurl/{url}",
    ],
)
def test_no_map_reaches_for_the_network(tmp_path: Path, named: str) -> None:
    asked: list[str] = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/map.tif"
        for content in (vrt(named.format(url=url)), vrt(escape(WMS.format(url=url))), WMS.format(url=url)):
            path = tmp_path / "map.tif"
            path.write_text(content)
            with pytest.raises(MapError, match=r"map\.tif"):
                source = open_map(path)
                b = source.bounds
                source.read(LocalFrame((b.south + b.north) / 2, (b.west + b.east) / 2), -50, 50, 100, 100, 1.0)
        server.shutdown()
    assert not asked


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int16"])
def test_other_pixel_types_are_refused_with_the_command_that_scales(write_raster: Any, dtype: str) -> None:
    with pytest.raises(MapError, match=rf"map\.tif: pixels are {dtype}, not uint8; scale .*gdal_translate"):
        open_map(write_raster(np.ones((3, 8, 8), dtype), *UTM))


def test_two_unnamed_bands(write_raster: Any) -> None:
    with pytest.raises(MapError, match="2 bands and none named red, green, blue"):
        open_map(write_raster(np.ones((2, 8, 8), np.uint8), *UTM))


def test_palette_indices(write_raster: Any) -> None:
    path = write_raster(np.ones((1, 8, 8), np.uint8), *UTM, photometric="PALETTE")
    with rasterio.open(path, "r+") as dataset:
        dataset.write_colormap(1, {1: (255, 0, 0, 255)})
    with pytest.raises(MapError, match="palette"):
        open_map(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99])
def test_a_truncated_file_is_an_error_and_not_black_ground(write_raster: Any, tmp_path: Path, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (3, SIZE, SIZE), dtype=np.uint8)
    x, y, dx, dy = corner_and_step(32634, 0.5)
    whole = write_raster(noise, Affine(dx, 0, x, 0, -dy, y), "EPSG:32634", compress="deflate").read_bytes()
    path = tmp_path / "short.tif"
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(MapError, match=r"short\.tif"):
        open_map(path).read(FRAME, -100, 100, SIZE, SIZE, 0.5)


def test_a_catalogue_entry_beside_a_geotiff_is_left_alone(write_raster: Any) -> None:
    x, y, dx, dy = corner_and_step(32634, 0.5)
    path = write_raster(spots([], []), Affine(dx, 0, x, 0, -dy, y), "EPSG:32634")
    path.with_suffix(".json").write_text('{"type": "Feature"}')
    assert open_map(path).name == open_map(path.parent).name == "map.tif"


def test_two_maps_in_a_folder(write_raster: Any) -> None:
    write_raster(spots([], []), *UTM, name="a.tif")
    folder = write_raster(spots([], []), *UTM, name="b.tif").parent
    with pytest.raises(MapError, match=r"2 .*files; name the one"):
        open_map(folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(MapError, match="no such map"):
        open_map(tmp_path / "absent.tif")
    with pytest.raises(MapError, match="no GeoTIFF"):
        open_map(tmp_path)
    (tmp_path / "notes.txt").write_text("not a map")
    with pytest.raises(MapError, match="not an image that can be read"):
        open_map(tmp_path / "notes.txt")


@pytest.mark.filterwarnings("ignore:Use `@`")  # older releases of affine know only *
@pytest.mark.parametrize("kind", ["rotated by 30 degrees", "south up"])
def test_a_map_that_is_not_north_up(write_raster: Any, kind: str) -> None:
    rows, cols = [80, 200, 300], [120, 200, 90]
    x, y = Transformer.from_crs(4326, 32634, always_xy=True).transform(LON, LAT)
    turn = Affine.rotation(30) * Affine.scale(0.5, -0.5) if kind.startswith("rotated") else Affine.scale(0.5, 0.5)
    place = Affine.translation(x, y) * turn * Affine.translation(-SIZE / 2, -SIZE / 2)
    source = open_map(write_raster(spots(rows, cols), place, "EPSG:32634"))
    patch = source.read(FRAME, -150.0, 150.0, 600, 600, 0.5)
    to_degrees = Transformer.from_crs(32634, 4326, always_xy=True)
    for row, col in zip(rows, cols):
        lon, lat = to_degrees.transform(*(place * (col + 0.5, row + 0.5)))
        east_m, north_m = FRAME.to_local(lat, lon)
        at_row, at_col = (150.0 - north_m) / 0.5 - 0.5, (east_m + 150.0) / 0.5 - 0.5
        assert centroid(patch.rgb[..., 1], at_row, at_col) == pytest.approx((at_row, at_col), abs=0.3)
    b = source.bounds
    (west, south), (east, north) = FRAME.to_local([b.south, b.north], [b.west, b.east])
    half = 100 * (np.cos(np.pi / 6) + 0.5) if kind.startswith("rotated") else 100
    assert (west, south, east, north) == pytest.approx((-half, -half, half, half), abs=6.0)
