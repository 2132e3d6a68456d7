"""The localizer beside its peers: each finds ground that is on the map, and the table tells what each did."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from mift_ros.commands.bench import app
from mift_ros.errors import BagError, CacheError, ConfigError
from mift_ros.evaluation.flight import FlightSample
from mift_ros.evaluation.peers import classical, keypoints
from mift_ros.evaluation.peers.classical import FullCorrelation, headings_deg
from mift_ros.evaluation.peers.compare import Answer, Method, Outcome, compare
from mift_ros.evaluation.peers.keypoints import KeypointHomography, describe_map, is_to_scale
from mift_ros.evaluation.peers.methods import methods
from mift_ros.evaluation.peers.ours import AsFlown, BelievedCell, BestTile
from mift_ros.evaluation.peers.peer import PeerError
from mift_ros.evaluation.peers.table import COLUMNS, cells, markdown, of_classical
from mift_ros.evaluation.records import Truth
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import quaternion_from_rpy, yaw_from_heading
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.types import Frame, Telemetry
from mift_ros.simulation.record import FlightWriter

CAMERA = CameraModel.from_fov(480, 360, 70.0)
HEIGHT_M = 100.0
PLACES = [(-60.0, 40.0, 30.0), (70.0, -50.0, 200.0), (-95.0, -80.0, 340.0)]
ROWS = ["retrieval only", "+ belief", "+ refinement, as flown", "classical correlation", "AKAZE + USAC_MAGSAC"]
NO_HEADING = LocalizerConfig(use_heading=False)


def planted(cache, east_m, north_m, heading_deg):
    """An exposure of the map's own raster, straight down from HEIGHT_M, with exact telemetry."""
    m, step = cache.manifest, HEIGHT_M / CAMERA.fx / cache.manifest.raster_gsd_m
    sin, cos = math.sin(math.radians(heading_deg)), math.cos(math.radians(heading_deg))
    x, y = (east_m - m.raster_west_m) / m.raster_gsd_m - 0.5, (m.raster_north_m - north_m) / m.raster_gsd_m - 0.5
    turn = step * np.array([[cos, -sin], [sin, cos]])  # image (right, back) to raster (east, south)
    take = np.hstack([turn, np.array([[x], [y]]) - turn @ np.array([[CAMERA.cx], [CAMERA.cy]])])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    grey = cv2.warpAffine(cache.raster, take, (CAMERA.width, CAMERA.height), flags=flags)
    return Frame(10**9, np.dstack([grey] * 3), CAMERA), Telemetry(0.0, 0.0, heading_deg, HEIGHT_M)


def errors_m(peer, shots):
    """Distance of each answer from the place it was shot at, None without an answer."""
    found = [(peer.locate(*shot), place) for shot, place in shots]
    return [None if at is None else math.dist(at, place[:2]) for at, place in found]


@pytest.fixture(scope="module")
def own_pixels(town):
    return [(planted(town.cache, *place), place) for place in PLACES]


@pytest.fixture(scope="module")
def other_look(town):
    return [(town.shoot(*place), place) for place in PLACES]


@pytest.mark.parametrize("config", [LocalizerConfig(), NO_HEADING], ids=["heading", "no heading"])
@pytest.mark.parametrize("build", [FullCorrelation, KeypointHomography])
def test_a_view_cut_out_of_the_map_is_found_to_metres(town, own_pixels, build, config):
    shots = own_pixels[:1] if build is FullCorrelation and not config.use_heading else own_pixels
    assert max(errors_m(build(town.cache, config), shots)) < 2.0


def test_correlation_finds_another_look_of_the_ground_and_a_height_that_is_off(town, other_look):
    shots = [((f, replace(t, height_agl_m=1.07 * t.height_agl_m)), place) for (f, t), place in other_look]
    peer = FullCorrelation(town.cache, LocalizerConfig())
    assert max(errors_m(peer, other_look)) < 10.0
    assert max(errors_m(peer, shots)) < 12.0


def test_correlation_places_the_vehicle_behind_what_a_tilted_camera_sees(town):
    shots = [(town.shoot(0.0, 0.0, 90.0, pitch=-0.3), (0.0, 0.0, 90.0))]
    assert max(errors_m(FullCorrelation(town.cache, LocalizerConfig()), shots)) < 12.0


def test_a_map_in_blocks_gives_what_it_gives_in_one(town, own_pixels, monkeypatch):
    whole = [FullCorrelation(town.cache, LocalizerConfig()).locate(*shot) for shot, _ in own_pixels]
    monkeypatch.setattr(classical, "BLOCK_PX", 320)
    parts = [FullCorrelation(town.cache, LocalizerConfig()).locate(*shot) for shot, _ in own_pixels]
    assert np.allclose(whole, parts, atol=0.05)


def test_too_large_a_map_is_not_correlated(town, monkeypatch):
    monkeypatch.setattr(classical, "MAX_KM2", 0.1)
    with pytest.raises(PeerError, match=r"town\.cache covers 0\.2 km2, the whole is correlated up to 0\.1"):
        FullCorrelation(town.cache, LocalizerConfig())


def test_headings_are_all_round_or_within_the_tolerance():
    assert headings_deg(math.nan, 8.0) == [6.0 * k for k in range(60)]
    assert headings_deg(90.0, 8.0) == [84.0, 90.0, 96.0]
    assert headings_deg(90.0, 5.0) == [90.0]


@pytest.mark.parametrize("config", [LocalizerConfig(), NO_HEADING], ids=["heading", "no heading"])
def test_keypoints_say_nothing_over_foreign_ground(town, elsewhere, config):
    shots = [(elsewhere.shoot(*place), place) for place in [*PLACES, (0.0, 90.0, 275.0), (90.0, 90.0, 120.0)]]
    assert errors_m(KeypointHomography(town.cache, config), shots) == [None] * 5


def test_keypoints_over_blocks_lie_where_they_lie_in_one(town, monkeypatch):
    whole = describe_map(town.cache.raster)
    monkeypatch.setattr(keypoints, "BLOCK_PX", 200)
    parts = describe_map(town.cache.raster)
    near = [np.hypot(*(whole.places - place).T).min() < 0.5 for place in parts.places]
    assert len(parts.places) == pytest.approx(len(whole.places), rel=0.05) and np.mean(near) > 0.95


def test_only_the_strongest_keypoints_are_kept(town, monkeypatch):
    monkeypatch.setattr(keypoints, "MAX_KEYPOINTS", 50)
    seen = []
    assert len(describe_map(town.cache.raster, lambda *at: seen.append(at)).places) == 50
    assert seen == [(0, 1), (1, 1)]


@pytest.mark.parametrize(
    ("matrix", "good"),
    [
        ([[1, 0, 5], [0, 1, 9], [0, 0, 1]], True),
        ([[0, -1.1, 5], [1.1, 0, 9], [0, 0, 1]], True),
        ([[1.5, 0, 0], [0, 1, 0], [0, 0, 1]], False),
        ([[-1, 0, 0], [0, 1, 0], [0, 0, 1]], False),
        ([[1, 0, 0], [0, 1, 0], [0.01, 0, 1]], False),
    ],
    ids=["shift", "turn and grow", "stretch", "mirror", "perspective"],
)
def test_a_homography_must_keep_the_scale(matrix, good):
    assert is_to_scale(np.array(matrix, float), np.array([50.0, 50.0], np.float32)) is good


@pytest.mark.parametrize(
    "unknown", [{"height_agl_m": math.nan}, {"roll_rad": math.nan}, {"pitch_rad": 1.2}], ids=lambda u: next(iter(u))
)
@pytest.mark.parametrize("build", [FullCorrelation, KeypointHomography])
def test_without_a_view_of_known_scale_nothing_is_published(town, own_pixels, build, unknown):
    frame, telemetry = own_pixels[0][0]
    assert build(town.cache, LocalizerConfig()).locate(frame, replace(telemetry, **unknown)) is None


def test_the_best_tile_is_near_and_the_fix_is_nearer(town, other_look):
    tile = errors_m(BestTile(town.cache, town.embedder, LocalizerConfig()), other_look)
    fixed = []
    for shot in other_look:
        fixed += errors_m(AsFlown(town.cache, town.embedder, LocalizerConfig()), [shot])
    assert np.median(tile) < 40.0
    assert sum(error is not None for error in fixed) >= 2 and max(e for e in fixed if e is not None) < 12.0


def test_the_belief_follows_the_odometry_until_it_is_reset(town):
    peer = BelievedCell(town.cache, town.embedder, LocalizerConfig())
    path = [(-80.0 + 24.0 * k, 40.0, 90.0) for k in range(5)]
    for k, place in enumerate(path):
        frame, telemetry = town.shoot(*place, stamp_s=10.0 + 2 * k)
        at = peer.locate(frame, replace(telemetry, odometry_enu_m=(place[0] + 500.0, place[1])))
    assert math.dist(at, path[-1][:2]) < 30.0
    assert peer.locate(frame, telemetry) is None  # repeated
    peer.reset()
    assert peer.locate(frame, telemetry) is not None


@pytest.mark.parametrize("build", [BestTile, BelievedCell])
def test_a_frame_that_cannot_be_searched_for_is_not_published(town, other_look, build):
    frame, telemetry = other_look[0][0]
    peer = build(town.cache, town.embedder, LocalizerConfig())
    assert peer.locate(frame, replace(telemetry, roll_rad=math.nan)) is None
    assert peer.locate(frame, replace(telemetry, height_agl_m=5.0)) is None


class Remembers:
    """A peer that counts the frames since it was reset, as metres east."""

    def __init__(self):
        self.seen = 0

    def reset(self):
        self.seen = 0

    def locate(self, frame, telemetry):
        self.seen += 1
        return float(self.seen), 0.0


def refusing():
    raise PeerError("too large")


def test_frames_alone_forget_and_errors_are_geodesic(town, own_pixels):
    (frame, telemetry), _ = own_pixels[0]
    lat, lon = (float(v) for v in town.cache.frame.to_geodetic((0.0, 0.0)))
    samples = [FlightSample(k, frame, "", telemetry, Truth(lat, lon)) for k in range(3)]
    samples += [
        FlightSample(3, None, "damaged", telemetry, Truth(lat, lon)),
        FlightSample(4, frame, "", telemetry, None),
    ]
    rows = [Method("counts", "nothing", Remembers), Method("refuses", "nothing", refusing)]
    flown, refused = compare(rows, samples, town.cache, False, lambda *at: None)
    assert refused.refusal == "too large" and refused.answers == []
    assert [a.error_m for a in flown.answers] == pytest.approx([1, 2, 3, math.nan, math.nan], abs=0.01, nan_ok=True)
    assert [a.published for a in flown.answers] == [True, True, True, False, True]
    alone, _ = compare(rows, samples, town.cache, True, lambda *at: None)
    assert [a.error_m for a in alone.answers[:3]] == pytest.approx([1, 1, 1], abs=0.01)


def test_the_table_by_hand():
    def outcome(name, wall_s, cpu_s, errors, refusal=""):
        answers = [Answer(k, not math.isnan(e), e, wall_s, cpu_s) for k, e in enumerate(errors)]
        return Outcome(Method(name, "given", Remembers), answers, refusal)

    slow = outcome("classical correlation", 8.0, 16.0, [4.0, 31.0, 5.0])
    fast = outcome("fast", 0.5, 2.0, [2.0, math.nan, 4.0])
    none = outcome("none", math.nan, math.nan, [], "too large")
    rows = [slow, fast, none]
    assert cells(slow, rows)[1:] == ("3", "3", "5.0", "25.8", "31.0", "1", "8.000", "1.000", "16.000", "1.000")
    assert cells(fast, rows)[1:] == ("3", "2", "3.0", "3.8", "4.0", "0", "0.500", "0.062", "2.000", "0.125")
    assert cells(none, rows)[1:3] == ("not run", "-") and len(cells(none, rows)) == len(COLUMNS)
    assert all(math.isnan(ratio) for ratio in of_classical(fast, [fast]))
    assert "- none: not run: too large" in markdown(rows) and "- fast: given" in markdown(rows)


@pytest.fixture(scope="module")
def bag(town, tmp_path_factory):
    return write(town, tmp_path_factory.mktemp("bags") / "flight")


def write(town, path, truth=True):
    with FlightWriter(path) as writer:
        for k, (east, north, heading) in enumerate(PLACES):
            stamp = 10**18 + k * 2 * 10**9
            attitude = quaternion_from_rpy(0.0, 0.0, yaw_from_heading(heading))
            writer.camera_info(stamp, CAMERA)
            writer.imu(stamp, attitude, heading_known=True)
            writer.height(stamp, HEIGHT_M)
            if truth:
                lat, lon = (float(v) for v in town.cache.frame.to_geodetic((east, north)))
                writer.truth(stamp, lat, lon, 300.0, attitude)
            writer.image(stamp, planted(town.cache, east, north, heading)[0].image, compress=False)
    return path


def run(*words, **options):
    return CliRunner().invoke(app, ["localization", *(str(word) for word in words)], **options)


def test_one_run_gives_every_row_and_keeps_every_answer(town, bag, tmp_path):
    result = run(bag, "--cache", town.cache.path, "--alone", "--frames", 2, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["method"] for row in kept["methods"]] == ROWS
    assert all(len(row["answers"]) == row["frames"] == 2 for row in kept["methods"])
    by_name = {row["method"]: row for row in kept["methods"]}
    assert by_name["classical correlation"]["cpu_of_classical"] == 1.0
    assert by_name["classical correlation"]["max_m"] < 2.0 and by_name["AKAZE + USAC_MAGSAC"]["published"] == 2
    text = (tmp_path / "out" / "results.md").read_text()
    for name in ROWS:
        assert f"| {name} | 2 |" in text and name in result.output
    assert "opencv" in text and "heading where the telemetry has it (+-6 deg)" in text


def test_the_others_go_on_where_one_refuses_the_map(town, bag, monkeypatch):
    monkeypatch.setattr(classical, "MAX_KM2", 0.1)
    result = run(bag, "--cache", town.cache.path, "--frames", 1, "--set", "use_heading=false", "--set", "yaw_bins=4")
    assert result.exit_code == 0, result.output
    assert "classical correlation: not run: town.cache covers 0.2 km2" in result.output
    assert "no heading (4 tried)" in result.output


def test_what_each_method_is_given_is_said(town):
    given = [m.given for m in methods(town.cache, town.embedder, NO_HEADING, lambda *at: None)]
    tried = f"no heading ({NO_HEADING.yaw_bins} tried), height (+-10%)"
    assert given[0].startswith(tried) and "no heading (60 tried)" in given[3]
    assert given[4] == "no heading (30 tried), height; published from 15 inliers"


@pytest.mark.parametrize(
    ("words", "error", "text"),
    [
        (["--set", "no_such=1"], ConfigError, "no_such"),
        (["--set", "use_heading"], ConfigError, "is not NAME=VALUE"),
        (["--cache", "absent.cache"], CacheError, "absent.cache"),
        (["-o", __file__], ConfigError, "no folder for the results"),
    ],
    ids=["unknown parameter", "no value", "no cache", "results into a file"],
)
def test_bad_input_is_one_line(town, bag, words, error, text):
    result = run(bag, "--cache", town.cache.path, *words)
    assert isinstance(result.exception, error)
    assert text in str(result.exception) and "\n" not in str(result.exception)


def test_a_bag_without_truth_compares_nothing(town, tmp_path):
    result = run(write(town, tmp_path / "blind", truth=False), "--cache", town.cache.path)
    assert isinstance(result.exception, BagError) and "no image has a truth" in str(result.exception)


def test_a_bag_that_is_not_there_is_one_line(town, tmp_path):
    result = run(tmp_path / "absent", "--cache", town.cache.path)
    assert isinstance(result.exception, BagError) and "no such bag" in str(result.exception)
