"""Images whose place is told beside them: CSV, JSON with corners or bounds, web map tiles."""

from __future__ import annotations

import json
import logging
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pyproj import Transformer

from mift_ros.errors import MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.open import open_map

HEADER = "Filename, Top_left_lat,Top_left_lon,Bottom_right_lat,Bottom_right_long"
FRAME = LocalFrame(17.595, 78.122)
CORNERS = {"TL": [78.1200, 17.5972], "TR": [78.1238, 17.5976], "BL": [78.1203, 17.5930], "BR": [78.1241, 17.5931]}


def write_image(path: Path, value: int, width: int = 64, height: int = 48) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.full((height, width, 3), value, np.uint8))


def tile_bounds(east_m: float, north_m: float) -> str:
    """CSV numbers of a 64 x 48 m tile whose top-left corner is given."""
    (north, west), (south, east) = FRAME.to_geodetic([[east_m, north_m], [east_m + 64, north_m - 48]])
    return f"{north},{west},{south},{east}"


@pytest.fixture
def two_tiles(tmp_path: Path) -> Path:
    """Tiles "a b&.png" (100) and "east.png" (200) side by side, each 64 x 48 m at 1 m per pixel."""
    write_image(tmp_path / "a b&.png", 100)
    write_image(tmp_path / "east.png", 200)
    csv = tmp_path / "map.csv"
    csv.write_text(f"{HEADER}\na b&.png,{tile_bounds(0, 0)}\neast.png,{tile_bounds(64, 0)}\n")
    return csv


def test_tiles_of_a_csv_make_one_mosaic(two_tiles: Path) -> None:
    source = open_map(two_tiles)
    patch = source.read(FRAME, -16.0, 16.0, 160, 80, 1.0)
    assert source.gsd_m == pytest.approx(1.0, rel=0.02)
    assert np.all(patch.rgb[18:62, 18:78] == 100) and np.all(patch.rgb[18:62, 82:142] == 200)
    inside = np.zeros((80, 160), bool)
    inside[16:64, 16:144] = True
    assert (patch.valid == inside).mean() > 0.98


def test_the_hole_of_an_l_shaped_mosaic_has_no_data(two_tiles: Path) -> None:
    write_image(two_tiles.parent / "south.png", 50)
    two_tiles.write_text(two_tiles.read_text() + f"south.png,{tile_bounds(0, -48)}\n")
    patch = open_map(two_tiles).read(FRAME, 0.0, 0.0, 128, 96, 1.0)
    assert patch.valid[50:94, 2:62].all() and not patch.valid[50:94, 66:126].any()


@pytest.mark.parametrize(
    "text",
    [
        '"{header}"\n"a b&.png",   {a}\neast.png,  {b}\n',
        "{header}\r\na b&.png,{a}\r\n\r\neast.png,{b}\r\n",
        '\ufeff{header}\n"a b&.png,{a}"\n"east.png,{b}"\n',
    ],
    ids=["quoted header, spaces", "CRLF and an empty line", "BOM, quoted lines"],
)
def test_csv_as_found_in_the_wild(two_tiles: Path, text: str) -> None:
    content = text.format(header=HEADER, a=tile_bounds(0, 0), b=tile_bounds(64, 0))
    two_tiles.write_bytes(content.encode())
    patch = open_map(two_tiles.parent).read(FRAME, 0.0, 0.0, 128, 48, 1.0)
    assert {int(v) for v in patch.rgb[20, [30, 90], 0]} == {100, 200}


def test_the_hash_of_a_mosaic_covers_every_tile(two_tiles: Path) -> None:
    before = open_map(two_tiles).sha256()
    write_image(two_tiles.parent / "east.png", 201)
    assert open_map(two_tiles).sha256() != before


@pytest.mark.parametrize("gsd_m", [0.5, 1.0])
def test_four_corners_place_the_image_by_the_perspective_through_them(tmp_path: Path, gsd_m: float) -> None:
    """Bright spots, in the corners too, appear where OpenCV's perspective through the corners puts them."""
    width, height = 800, 1000
    at = np.array([(x, y) for x in (8, 400, 791) for y in (8, 300, 991)])
    pixels = np.full((height, width, 3), 20, np.uint8)
    for x, y in at:
        pixels[y - 3 : y + 4, x - 3 : x + 4] = 250
    assert cv2.imwrite(str(tmp_path / "photo.png"), pixels)
    (tmp_path / "map.json").write_text(json.dumps({"corners_lonlat": CORNERS}))
    west, north = -300.0, 350.0
    patch = open_map(tmp_path).read(FRAME, west, north, round(600 / gsd_m), round(700 / gsd_m), gsd_m)
    outline = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    corners = np.array([FRAME.to_local(CORNERS[key][1], CORNERS[key][0]) for key in ("TL", "TR", "BR", "BL")])
    to_ground = cv2.getPerspectiveTransform(outline, corners.astype(np.float32))
    for east_m, north_m in cv2.perspectiveTransform(at[None] + 0.5, to_ground)[0]:
        column, row = (east_m - west) / gsd_m, (north - north_m) / gsd_m
        top, left = round(row) - 8, round(column) - 8
        bright = np.argwhere(patch.rgb[top : top + 17, left : left + 17, 0] > 120).mean(axis=0) + (top, left) + 0.5
        assert np.hypot(*(bright - (row, column))) * gsd_m < 0.3


def test_bounds_of_one_image(tmp_path: Path) -> None:
    write_image(tmp_path / "town.png", 100)
    north, west, south, east = (float(v) for v in tile_bounds(0, 0).split(","))
    (tmp_path / "town.json").write_text(json.dumps({"nw_latlon": [north, west], "se_latlon": [south, east]}))
    for path in (tmp_path, tmp_path / "town.json", tmp_path / "town.png"):
        patch = open_map(path).read(FRAME, 0.0, 0.0, 64, 48, 1.0)
        assert np.all(patch.rgb[2:-2, 2:-2] == 100)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_web_map_tiles(tmp_path: Path, suffix: str) -> None:
    """Tile 17/93978/59018, whose corners the slippy-map formula gives by hand."""
    zoom, x, y = 17, 93978, 59018
    for dx in (0, 1):
        write_image(tmp_path / str(zoom) / str(x + dx) / f"{y}{suffix}", 100 + 100 * dx, 256, 256)
    write_image(tmp_path / "16" / str(x // 2) / f"{y // 2}{suffix}", 30, 256, 256)
    lon = (x + 1) / 2**zoom * 360 - 180
    lat = np.degrees(np.arctan(np.sinh(np.pi * (1 - 2 * (y + 0.5) / 2**zoom))))
    source = open_map(tmp_path)
    frame = LocalFrame(float(lat), lon)
    patch = source.read(frame, -20.0, 10.0, 40, 20, 1.0)
    assert source.gsd_m == pytest.approx(156543.034 / 2**zoom * np.cos(np.radians(lat)), rel=0.01)
    assert np.abs(patch.rgb[:, :19].astype(int) - 100).max() <= 2
    assert np.abs(patch.rgb[:, 21:].astype(int) - 200).max() <= 2


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_a_web_map_tile_of_another_size_is_named(tmp_path: Path, suffix: str) -> None:
    for y, side in enumerate((256, 256, 512)):
        write_image(tmp_path / "17" / "93978" / f"{59018 + y}{suffix}", 100, side, side)
    with pytest.raises(MapError, match=rf"59020\{suffix}: 512x512 pixels, but 59018\{suffix} is 256x256"):
        open_map(tmp_path)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0\x00\x00\x00\x00\x00", b""])
def test_a_web_map_tile_that_is_damaged_is_named(tmp_path: Path, content: bytes) -> None:
    write_image(tmp_path / "17" / "93978" / "59018.png", 100, 256, 256)
    (tmp_path / "17" / "93978" / "59019.png").write_bytes(content)
    with pytest.raises(MapError, match=r"59019\.png: not an image"):
        open_map(tmp_path)


def test_tiles_that_count_from_the_south_are_refused(tmp_path: Path) -> None:
    write_image(tmp_path / "17" / "93978" / "72053.png", 100, 256, 256)
    (tmp_path / "tilemapresource.xml").write_text('<TileMap version="1.0.0"><SRS>EPSG:3857</SRS></TileMap>')
    with pytest.raises(MapError, match="rows count from the south; write the tiles with 'gdal2tiles --xyz'"):
        open_map(tmp_path)


def test_mbtiles(tmp_path: Path) -> None:
    import rasterio
    from rasterio.transform import Affine

    path = tmp_path / "town.mbtiles"
    step = 156543.03392804097 / 2**17
    x, y = Transformer.from_crs(4326, 3857, always_xy=True).transform(FRAME.origin_lon_deg, FRAME.origin_lat_deg)
    profile = {"driver": "MBTiles", "dtype": "uint8", "width": 512, "height": 512, "count": 4, "crs": "EPSG:3857"}
    with rasterio.open(path, "w", transform=Affine(step, 0, x, 0, -step, y), **profile) as dataset:
        dataset.write(np.stack([np.full((512, 512), v, np.uint8) for v in (10, 20, 30, 255)]))
    patch = open_map(path).read(FRAME, 10.0, -10.0, 50, 50, 1.0)
    assert patch.valid.all() and patch.rgb[25, 25].tolist() == [10, 20, 30]


def write_mbtiles(path: Path, tile: np.ndarray, views: str = "", **metadata: str) -> Path:
    """3 x 3 tiles of zoom 17, all `tile`."""
    encoded = cv2.imencode(".png", tile)[1].tobytes()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE metadata (name TEXT, value TEXT)")
        database.executemany("INSERT INTO metadata VALUES (?, ?)", {"format": "png", **metadata}.items())
        columns = "zoom_level INTEGER, tile_column INTEGER, tile_row INTEGER, tile_data BLOB"
        database.execute(f"CREATE TABLE {'map' if views else 'tiles'} ({columns})")
        for place in range(9):
            row = (17, 93978 + place % 3, 2**17 - 59018 - place // 3, encoded)
            database.execute(f"INSERT INTO {'map' if views else 'tiles'} VALUES (?, ?, ?, ?)", row)
        if views:
            database.execute(views)
        database.commit()
    return path


GREY = np.full((256, 256, 3), 100, np.uint8)


@pytest.mark.parametrize("bounds", ["", "-180,-85,180,85", "nan,inf,a,b"])
def test_mbtiles_lie_where_their_tiles_are(tmp_path: Path, bounds: str) -> None:
    told = {"bounds": bounds} if bounds else {}
    source = open_map(write_mbtiles(tmp_path / "town.mbtiles", GREY, "CREATE VIEW tiles AS SELECT * FROM map", **told))
    b = source.bounds
    assert b.east - b.west == pytest.approx(3 * 360 / 2**17, rel=1e-6)
    frame = LocalFrame((b.south + b.north) / 2, (b.west + b.east) / 2)
    assert (source.read(frame, -400, 400, 800, 800, 1.0).rgb == 100).all()


def test_a_view_that_never_ends(tmp_path: Path) -> None:
    endless = (
        "CREATE VIEW tiles AS WITH r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) "
        "SELECT 17 zoom_level, n tile_column, n tile_row, x'00' tile_data FROM r WHERE n < 0"
    )
    with pytest.raises(MapError, match=r"town\.mbtiles: a view in it has a WITH clause"):
        open_map(write_mbtiles(tmp_path / "town.mbtiles", GREY, endless))


def test_tiles_that_would_fill_the_memory(tmp_path: Path) -> None:
    with pytest.raises(MapError, match=r"town\.mbtiles: tiles of more than 4096 pixels a side"):
        open_map(write_mbtiles(tmp_path / "town.mbtiles", np.zeros((5000, 5000), np.uint8)))


def test_what_is_no_mbtiles(tmp_path: Path) -> None:
    (tmp_path / "town.mbtiles").write_text("not a database" * 100)
    with pytest.raises(MapError, match=r"town\.mbtiles: not an MBTiles file that can be read"):
        open_map(tmp_path / "town.mbtiles")


def swap(numbers: str) -> str:
    north, west, south, east = numbers.split(",")
    return f"{west},{north},{east},{south}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER, "no tiles"),
        ("name,lat,lon\nx,1,2", "no column 'filename'"),
        (f"{HEADER}\neast.png,{tile_bounds(0, 0)}\nabsent.png,1,2,3,4", "1 images are missing: absent.png"),
        (f"{HEADER}\neast.png,17.5,north,17.4,78.1", "line 2: needs a name and four numbers"),
        (f"{HEADER}\neast.png,17.5", "line 2: needs a name and four numbers"),
        (f"{HEADER}\neast.png,{swap(tile_bounds(0, 0))}", "line 2: top-left .* latitude and longitude swapped"),
        (f"{HEADER}\neast.png,91,78.1,90.5,78.2", "line 2: latitudes .* not within 90 deg"),
        (f"{HEADER}\neast.png,nan,78.1,17.4,78.2", "line 2: latitudes"),
        (f"{HEADER}\n../east.png,{tile_bounds(0, 0)}", "must be the name of an image in the same folder"),
        (f"{HEADER}\n{'a' * 300}.png,{tile_bounds(0, 0)}", "must be the name of an image in the same folder"),
        (f"{HEADER}\neast.png,{'1' * 200_000},5,44,6", "not a list of images"),
        (f"{HEADER}\neast.png,5e-324,0,0,5e-324", "bounds of no size"),
        (f"{HEADER}\nnotes.txt,{tile_bounds(0, 0)}", "notes.txt: not an image"),
    ],
)
def test_bad_csv(two_tiles: Path, text: str, told: str) -> None:
    (two_tiles.parent / "notes.txt").write_text("not an image")
    two_tiles.write_text(text)
    with pytest.raises(MapError, match=told):
        open_map(two_tiles)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "not JSON"),
        ("[" * 200_000, "not JSON"),
        ('{"nw_latlon": [1%s, 5], "se_latlon": [1, 2]}' % ("0" * 400), "'nw_latlon' must be two numbers"),
        ("[]", "an object"),
        ({"width": 4}, "needs 'corners_lonlat'"),
        ({"corners_lonlat": {"TL": [1, 2]}}, "needs exactly TL, TR, BR, BL"),
        ({"corners_lonlat": {**CORNERS, "TL": [78.1]}}, "'TL' must be two numbers"),
        ({"corners_lonlat": {key: pair[::-1] for key, pair in CORNERS.items()}}, "swapped"),
        ({"corners_lonlat": {**CORNERS, "TL": CORNERS["BR"], "BR": CORNERS["TL"]}}, "do not run clockwise"),
        ({"nw_latlon": [78.12, 17.59], "se_latlon": [78.13, 17.58]}, "swapped"),
        ({"corners_lonlat": CORNERS, "image": "/etc/passwd"}, "must be the name of an image"),
        ({"corners_lonlat": CORNERS, "image": "absent.png"}, "the image is missing"),
    ],
)
def test_bad_json(tmp_path: Path, content: Any, told: str) -> None:
    write_image(tmp_path / "photo.png", 100)
    path = tmp_path / "map.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    with pytest.raises(MapError, match=told):
        open_map(path)


def test_a_json_without_a_clear_image(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", 100)
    write_image(tmp_path / "b.png", 100)
    (tmp_path / "map.json").write_text(json.dumps({"corners_lonlat": CORNERS}))
    with pytest.raises(MapError, match="which image"):
        open_map(tmp_path / "map.json")


def test_oblong_pixels_are_told(two_tiles: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_image(two_tiles.parent / "east.png", 200, width=128)
    with caplog.at_level(logging.WARNING):
        open_map(two_tiles)
    assert "east.png are 0.50 times as wide as high" in caplog.text


@pytest.mark.parametrize("place", ["iith_hyderabad", "waterloo_ontario", "ulyanovsk"])
def test_real_tile_sets(shared_data: Path, place: str) -> None:
    source = open_map(shared_data / "sat_tiles_small" / place)
    b = source.bounds
    frame = LocalFrame((b.south + b.north) / 2, (b.west + b.east) / 2)
    assert 0.1 < source.gsd_m < 0.4
    assert source.read(frame, -50, 50, 100, 100, 1.0).valid.all()


def test_a_real_set_with_missing_tiles_names_them(shared_data: Path) -> None:
    with pytest.raises(MapError, match=r"3 images are missing: sat_map_07\.jpg, sat_map_09\.jpg, sat_map_10\.jpg"):
        open_map(shared_data / "sat_tiles_small" / "wildnav_finland")


def test_the_real_map_with_four_corners(shared_data: Path) -> None:
    source = open_map(shared_data / "fengyuan" / "map")
    assert source.gsd_m == pytest.approx(0.162, abs=0.002)
    assert source.bounds == pytest.approx((120.7157564, 24.257368, 120.7223298, 24.2630537), abs=1e-5)
