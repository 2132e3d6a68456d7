"""A small map set into a large one: the needle's pixels stay where they are, other ground lies around at its scale."""

from __future__ import annotations

import filecmp
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from rasterio.transform import Affine
from typer.testing import CliRunner

from mift_ros.commands.map import app
from mift_ros.errors import MapError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.maps.ground import open_grounds
from mift_ros.maps.haystack import write_haystack
from mift_ros.maps.open import open_map

EAST, NORTH = 450_000.0, 5_300_000.0
GSD_M = 0.5


def smooth_noise(seed: int, side: int, channel: int) -> np.ndarray:
    """[3, side, side], bright in one channel only, so that it is known whose ground a pixel shows."""
    coarse = np.random.default_rng(seed).integers(120, 250, (side // 10, side // 10), dtype=np.uint8)
    pixels = np.full((3, side, side), 10, np.uint8)
    pixels[channel] = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    return pixels


def at(east_m: float, north_m: float, gsd_m: float = GSD_M) -> Affine:
    return Affine(gsd_m, 0, EAST + east_m, 0, -gsd_m, NORTH + north_m)


@pytest.fixture
def needle(write_raster: Any) -> Path:
    """A red map of 200 x 200 m in UTM."""
    path: Path = write_raster(smooth_noise(1, 400, 0), at(0, 0), "EPSG:32632", "needle.tif")
    return path


@pytest.fixture
def hay(tmp_path: Path) -> str:
    """A folder of two green images of 300 x 300 m at 0.6 m per pixel, without a place."""
    folder = tmp_path / "hay" / "below"
    folder.mkdir(parents=True)
    for seed in (2, 3):
        assert cv2.imwrite(str(folder / f"{seed}.png"), smooth_noise(seed, 500, 1).transpose(1, 2, 0)[..., ::-1])
    return f"{tmp_path / 'hay'}=0.6"


def test_the_needle_lies_where_it_was_and_other_ground_around_it(needle: Path, hay: str, tmp_path: Path) -> None:
    out = tmp_path / "large.tif"
    made = write_haystack(open_map(needle), open_grounds([hay]), out, 700.0, GSD_M, 0)
    own, large = open_map(needle), open_map(out)
    b = own.bounds
    frame = LocalFrame((b.south + b.north) / 2, (b.west + b.east) / 2)
    assert large.gsd_m == pytest.approx(GSD_M, rel=1e-3) and made.side_px == 1400
    inside = [source.read(frame, -90.0, 90.0, 180, 180, 1.0).rgb.astype(int) for source in (own, large)]
    assert np.abs(inside[0] - inside[1]).mean() < 3.0
    around = large.read(frame, -made.needle_at_m[0] - 350, 350 - made.needle_at_m[1], 350, 350, 2.0)
    assert around.valid[2:-2, 2:-2].all()
    red, green = (around.rgb[..., channel] > 60 for channel in (0, 1))
    assert red.sum() * 4.0 == pytest.approx(200.0**2, rel=0.05) and not (red & green)[1:-1, 1:-1].sum() > 500
    assert (red | green)[2:-2, 2:-2].all()


def test_the_same_seed_gives_the_same_file_and_another_one_another_place(
    needle: Path, hay: str, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{k}.tif" for k in range(3)]
    made = [
        write_haystack(open_map(needle), open_grounds([hay]), path, 600.0, 1.0, seed)
        for path, seed in zip(paths, (5, 5, 6))
    ]
    assert filecmp.cmp(paths[0], paths[1], shallow=False)
    assert made[0].needle_at_m == made[1].needle_at_m != made[2].needle_at_m


@pytest.mark.parametrize("gsd_m", [0.25, 0.5, 1.0])
def test_ground_keeps_its_scale(write_raster: Any, tmp_path: Path, gsd_m: float) -> None:
    """Stripes of 12 m are 10 stripes in 120 m, whatever the resolution and whoever told the scale."""
    stripes = np.broadcast_to(128 + 100 * np.sin(np.arange(400) * 0.5 * 2 * np.pi / 12.0), (400, 400)).astype(np.uint8)
    assert cv2.imwrite(str(tmp_path / "stripes.png"), stripes)
    placed = write_raster(np.stack([stripes] * 3), at(0, 0), "EPSG:32632", "stripes.tif")
    for ground in open_grounds([f"{tmp_path / 'stripes.png'}=0.5", str(placed)]):
        assert (ground.width_m, ground.height_m) == pytest.approx((200.0, 200.0), rel=0.01)
        patch = ground.cut(31.0, 47.0, round(120 / gsd_m), gsd_m)
        power = np.abs(np.fft.rfft(patch.rgb[..., 1].astype(float), axis=1)).mean(axis=0)
        assert patch.valid.all() and 1 + np.argmax(power[1:]) == 10


def _centre(path: Path) -> tuple[float, float]:
    b = open_map(path).bounds
    return (b.south + b.north) / 2, (b.west + b.east) / 2


def test_gaps_of_the_imagery_are_not_shown(needle: Path, write_raster: Any, tmp_path: Path) -> None:
    pixels = smooth_noise(4, 1200, 1)
    pixels[:, 560:640, 560:640] = 0
    holed = write_raster(pixels, at(5000, 0), "EPSG:32632", "holed.tif", nodata=0)
    out = tmp_path / "large.tif"
    write_haystack(open_map(needle), open_grounds([str(holed)]), out, 500.0, 1.0, 2)
    patch = open_map(out).read(LocalFrame(*_centre(out)), -240.0, 240.0, 480, 480, 1.0)
    assert patch.rgb.max(axis=2).min() > 30


def test_a_folder_of_geotiffs_is_all_of_them(write_raster: Any, tmp_path: Path) -> None:
    for k in range(2):
        write_raster(smooth_noise(k, 100, 1), at(5000 * k, 0), "EPSG:32632", f"many/{k}.tif")
    grounds = open_grounds([str(tmp_path / "many")])
    assert [(round(g.width_m), round(g.height_m)) for g in grounds] == [(50, 50), (50, 50)]


def test_what_is_interrupted_leaves_nothing(needle: Path, hay: str, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_haystack(open_map(needle), open_grounds([hay]), tmp_path / "large.tif", 600.0, 1.0, 0, stop)
    assert not list(tmp_path.glob("large*"))


@pytest.mark.parametrize(
    ("size_m", "gsd_m", "told"),
    [
        (150.0, 0.5, "wide, more than the 150 m of the map around it"),
        (float("nan"), 0.5, "no map of nan m"),
        (1000.0, 0.0, "no map of 1000 m at 0 m per pixel"),
        (1e6, 0.1, "at most 200000 pixels"),
    ],
)
def test_sizes_that_make_no_sense(
    needle: Path, hay: str, tmp_path: Path, size_m: float, gsd_m: float, told: str
) -> None:
    with pytest.raises(MapError, match=told):
        write_haystack(open_map(needle), open_grounds([hay]), tmp_path / "large.tif", size_m, gsd_m, 0)


def test_imagery_of_the_needle_is_refused(needle: Path, write_raster: Any, tmp_path: Path) -> None:
    other = write_raster(smooth_noise(7, 400, 1), at(150, 100), "EPSG:32632", "other.tif")
    with pytest.raises(MapError, match=r"other\.tif: shows the ground of the needle"):
        write_haystack(open_map(needle), open_grounds([str(other)]), tmp_path / "large.tif", 1000.0, 1.0, 0)


def test_imagery_too_small_for_any_piece(needle: Path, tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "tiny.png"), np.full((50, 50, 3), 90, np.uint8))
    with pytest.raises(MapError, match=r"too little of the imagery shows 1.. x 1.. m without gaps"):
        write_haystack(
            open_map(needle), open_grounds([f"{tmp_path / 'tiny.png'}=0.5"]), tmp_path / "large.tif", 1000.0, 1.0, 0
        )


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("{tmp}/absent", "absent: no such map file or folder"),
        ("{tmp}/absent=0.5", "absent: the image is missing"),
        ("{tmp}/hay", "images without a place need their scale, as in '.*hay=0.6'"),
        ("{tmp}/hay=fine", "'fine' is no scale in metres per pixel"),
        ("{tmp}/hay=-1", "'-1' is no scale"),
        ("{tmp}/empty=0.5", "empty: no image"),
        ("{tmp}/text.png=0.5", r"text\.png: not an image"),
    ],
)
def test_imagery_that_cannot_be_used(hay: str, tmp_path: Path, word: str, told: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(MapError, match=told):
        open_grounds([word.format(tmp=tmp_path)])


def test_the_command_says_what_it_made(needle: Path, hay: str, tmp_path: Path) -> None:
    out = tmp_path / "large.tif"
    words = ["haystack", str(needle), hay, "-o", str(out), "--size-m", "500", "--gsd-m", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and "500 x 500 pixels" in result.output and out.is_file()


@pytest.mark.parametrize("name", ["needle.tif", "."])
def test_an_input_is_no_output(needle: Path, hay: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Neither is a folder; both are told before anything is drawn."""
    monkeypatch.chdir(needle.parent)
    before = needle.read_bytes()
    result = CliRunner().invoke(app, ["haystack", str(needle), hay, "-o", name, "--size-m", "600", "--gsd-m", "2"])
    assert str(result.exception) == f"{name}: exists already and is not replaced; choose another name or remove it"
    assert needle.read_bytes() == before and "cells" not in result.output
