"""Ranks among all tiles: photos of the map itself come first, a photo of another place does not."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine
from typer.testing import CliRunner

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.commands.bench import app
from mift_ros.commands.bench_haystack import summary
from mift_ros.errors import BagError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight
from mift_ros.evaluation.retrieval import Ranked, Retrieval, recall
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import quaternion_from_rpy, yaw_from_heading
from mift_ros.inference.load import load_embedder
from mift_ros.localization.config import LocalizerConfig
from mift_ros.maps.open import open_map
from mift_ros.simulation.record import FlightWriter, Storage

CAMERA = CameraModel.from_fov(200, 160, 70.0)
HEIGHT_M = 80.0
PLACES_M = [(-80.0, 60.0), (0.0, 0.0), (95.0, -90.0)]


@pytest.fixture(scope="module")
def site(tmp_path_factory, tiny_model_path):
    """Map, cache and model: 500 x 500 m of smooth noise."""
    folder = tmp_path_factory.mktemp("site")
    coarse = np.random.default_rng(1).integers(20, 250, (20, 20, 3), dtype=np.uint8)
    pixels = cv2.resize(coarse, (1000, 1000), interpolation=cv2.INTER_CUBIC).transpose(2, 0, 1)
    place = {"crs": "EPSG:32632", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 5_300_000)}
    with rasterio.open(
        folder / "map.tif", "w", driver="GTiff", width=1000, height=1000, count=3, dtype="uint8", **place
    ) as dataset:
        dataset.write(pixels)
    embedder = load_embedder(str(tiny_model_path))
    build_cache(open_map(folder / "map.tif"), embedder, folder / "map.cache", BuildOptions(stride_m=18.0))
    return folder / "map.tif", MapCache.open(folder / "map.cache"), embedder


def write_photos(site, path, truth=True, image=None):
    """North-up level photos over PLACES_M, cut out of the map itself."""
    source, cache = open_map(site[0]), site[1]
    gsd_m = HEIGHT_M / CAMERA.fx
    with FlightWriter(path, Storage.MCAP) as writer:
        for k, (east, north) in enumerate(PLACES_M):
            stamp = 1_700_000_000_000_000_000 + k * 500_000_000
            attitude = quaternion_from_rpy(0.0, 0.0, yaw_from_heading(0.0))
            writer.camera_info(stamp, CAMERA)
            writer.imu(stamp, attitude, heading_known=True)
            writer.height(stamp, HEIGHT_M)
            if truth:
                lat, lon = (float(v) for v in cache.frame.to_geodetic((east, north)))
                writer.truth(stamp, lat, lon, 300.0, attitude)
            corner = east - CAMERA.width / 2 * gsd_m, north + CAMERA.height / 2 * gsd_m
            cut = source.read(cache.frame, *corner, CAMERA.width, CAMERA.height, gsd_m).rgb
            writer.image(stamp, cut if image is None else image, compress=False)
    return Flight(Bag(path))


def ranks(site, flight, within_m=30.0, **settings):
    retrieval = Retrieval(site[1], site[2], LocalizerConfig(**settings), within_m)
    return list(retrieval.over(flight))


@pytest.mark.parametrize("settings", [{}, {"use_heading": False, "yaw_bins": 8}], ids=["heading", "no heading"])
def test_the_maps_own_pixels_rank_first(site, tmp_path, settings):
    found = ranks(site, write_photos(site, tmp_path / "bag"), **settings)
    assert [frame.rank for frame in found] == [0.0, 0.0, 0.0]
    assert all(frame.cosine == frame.best_cosine > 0.5 and frame.seconds > 0 for frame in found)


def test_ground_that_is_not_there_ranks_anywhere(site, tmp_path):
    other = np.random.default_rng(9).integers(20, 250, (5, 6, 3), dtype=np.uint8)
    image = cv2.resize(other, (CAMERA.width, CAMERA.height), interpolation=cv2.INTER_CUBIC)
    found = ranks(site, write_photos(site, tmp_path / "bag", image=image))
    assert all(frame.cosine <= frame.best_cosine for frame in found)
    assert max(frame.rank for frame in found) > 5


def test_a_truth_off_the_map_has_no_rank(site, tmp_path):
    found = ranks(site, write_photos(site, tmp_path / "bag"), within_m=0.001)
    assert all(math.isnan(frame.rank) and "no tile within" in frame.problem for frame in found)


def test_without_a_truth_nothing_can_be_ranked(site, tmp_path):
    with pytest.raises(BagError, match="no image has a truth"):
        ranks(site, write_photos(site, tmp_path / "bag", truth=False))


def test_recall_counts_frames_without_a_rank_as_not_found():
    found = [Ranked(0, rank) for rank in (0.0, 4.0, 5.0, math.nan)]
    assert [recall(found, k) for k in (1, 5, 6)] == [0.25, 0.5, 0.75]
    assert math.isnan(recall([], 1))


def test_the_command_prints_ranks_and_recall(site, tmp_path, tiny_model_path):
    write_photos(site, tmp_path / "bag")
    words = ["retrieval", str(tmp_path / "bag"), "--cache", str(site[1].path), "--model", str(tiny_model_path)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0 and "recall @1 100%" in result.output
    turned = CliRunner().invoke(app, [*words, "--set", "mount_yaw_deg=180", "--set", "heading_tolerance_deg=1"])
    assert turned.exit_code == 0 and "recall @1 100%" not in turned.output
    absent = CliRunner().invoke(app, [*words, "--topic", "image=/front"])
    assert isinstance(absent.exception, BagError) and "no topic '/front' for image" in str(absent.exception)


def test_a_haystack_is_built_once_for_each_model_and_ranked_with_and_without_heading(site, tmp_path, tiny_model_path):
    write_photos(site, tmp_path / "bag")
    words = ["haystack", str(tmp_path / "bag"), str(site[0]), "--model", str(tiny_model_path), "-o", str(tmp_path)]
    words += ["--stride-m", "18", "--set", "yaw_bins=8"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    known, unknown = json.loads((tmp_path / "haystack.json").read_text())["rows"]
    assert (known["heading"], known["ranks"], known["@1"]) == ("known", [0, 0, 0], 3)
    assert (unknown["heading"], unknown["@50"]) == ("unknown", 3)
    (cache,) = tmp_path.glob("map-18m-test-*.cache")
    written = cache.stat().st_mtime_ns
    assert CliRunner().invoke(app, words).exit_code == 0
    assert cache.stat().st_mtime_ns == written


def test_a_frame_without_a_rank_is_not_found():
    assert summary([Ranked(0, 3.0), Ranked(1, problem="no heading")]) == {
        "ranks": [3, None],
        "@1": 0,
        "@5": 1,
        "@50": 1,
    }
