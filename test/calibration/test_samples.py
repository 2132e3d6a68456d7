"""Samples of a real small flight: right where it was flown, wrong where it cannot match; and the command's refusals."""

import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.calibration.run import FlightOver, Material, collect
from mift_ros.calibration.samples import AS_FLOWN, ELSEWHERE, TURNED, Sampler
from mift_ros.errors import BagError
from mift_ros.evaluation.bag import Bag
from mift_ros.evaluation.flight import Flight
from mift_ros.inference.load import load_embedder
from mift_ros.localization.calibration import NONE
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.localizer import Localizer
from mift_ros.maps.open import open_map
from mift_ros.nodes.config import NodeConfig
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.simulation.geotiff import write_world
from mift_ros.simulation.world import make_town

PARAMETERS = str(Path(__file__).resolve().parents[2] / "config" / "localizer.yaml")
PLAIN = LocalizerConfig(calibration=NONE, candidates=10)


@pytest.fixture(scope="module")
def material(tmp_path_factory, tiny_model_path):
    """One flight of three frames over a town, and another town."""
    folder = tmp_path_factory.mktemp("flown")
    embedder = load_embedder(str(tiny_model_path))
    caches = []
    for seed, lat_deg in ((1004, 45.5), (1005, 46.5)):
        town = write_world(make_town(seed, 400.0, 0.5), folder / f"town{seed}", lat_deg)
        caches.append(folder / f"town{seed}" / "town.cache")
        build_cache(open_map(town.map), embedder, caches[-1], BuildOptions(stride_m=24.0))
    town = folder / "town1004"
    plan = FlightPlan(minutes=0.1, rate_hz=0.5, height_agl_m=80.0, speed_mps=6.0, width=240, height=180)
    simulate(town / "map.tif", town / "bag", plan, town / "look.tif", town / "heights.tif")
    flown = FlightOver(town / "bag", caches[0])
    return Material([flown], [FlightOver(town / "bag", caches[1])], [caches[1]], embedder, PLAIN)


@pytest.fixture(scope="module")
def samples(material, tmp_path_factory):
    return collect(material, tmp_path_factory.mktemp("samples"))


def test_every_frame_is_matched_as_flown_and_its_error_is_in_metres(samples):
    flown = [s for s in samples if s.kind == AS_FLOWN]
    assert len(flown) >= 2
    for sample in flown:
        assert math.hypot(*sample.error_m) == pytest.approx(sample.places[0][0], abs=1e-6)
        assert 0.5 < sample.height_ratio < 2.0
        assert sample.tiles > 0
        assert all(0.0 <= share <= 1.0 for share in sample.tile_share)
    assert min(sample.places[0][0] for sample in flown) < 12.0


def test_where_nothing_can_match_every_place_is_wrong(samples):
    wrong = [s for s in samples if s.kind != AS_FLOWN]
    assert {s.kind for s in wrong} == {TURNED, ELSEWHERE}
    assert all(math.isinf(distance) for s in wrong for distance, _ in s.places)
    assert all(math.isnan(s.error_m[0]) for s in wrong)


@pytest.mark.parametrize("made", [Sampler.samples, Sampler.wrong_samples])
def test_a_false_heading_is_false_though_headings_are_not_used(material, made):
    flight, embedder = material.flights[0], material.embedder
    best = []
    for use_heading in (True, False):
        config = replace(PLAIN, use_heading=use_heading)
        localizer = Localizer(MapCache.open(flight.cache, embedder.identity), embedder, config)
        found = made(Sampler(localizer, embedder, []), Flight(Bag(flight.bag)))
        best.append([sample.places[0][1] for some in found for sample in some if sample.kind == TURNED])
    assert best[1] == pytest.approx(best[0], rel=0.05) and best[0]


def test_flights_are_named_with_their_folder(samples):
    assert {s.flight for s in samples} == {"town1004-bag", "town1004-bag-over-town"}


def test_a_flight_that_only_shows_wrong_matches_gives_several_per_frame(samples, material):
    wrong = [s for s in samples if s.flight == "town1004-bag-over-town"]
    assert {s.kind for s in wrong} == {TURNED}
    assert len(wrong) > 2 * Bag(material.wrong[0].bag).frames


def test_a_flight_over_other_ground_than_the_map_is_refused(material):
    embedder = material.embedder
    elsewhere = Localizer(MapCache.open(material.elsewhere[0], embedder.identity), embedder, PLAIN)
    flight = Flight(Bag(material.flights[0].bag))
    with pytest.raises(BagError, match="no frame with a truth over"):
        list(Sampler(elsewhere, embedder, []).samples(flight))


def test_the_mount_of_the_camera_moves_the_ground_that_is_matched(samples, material, tmp_path):
    ahead = replace(material, wrong=[], body_from_camera=NodeConfig(mount_pitch_deg=-20.0).body_from_camera())
    found = [s for s in collect(ahead, tmp_path) if s.kind == AS_FLOWN]
    level = [s for s in samples if s.kind == AS_FLOWN]
    assert max(math.hypot(*s.sources.offset_m) for s in level) < 10.0
    assert min(math.hypot(*s.sources.offset_m) for s in found) > 15.0


def test_samples_of_another_mount_are_not_taken(material, tmp_path):
    flights = replace(material, wrong=[], elsewhere=[])
    collect(flights, tmp_path)
    (kept,) = tmp_path.iterdir()
    before = kept.read_text().splitlines()[0]
    collect(replace(flights, body_from_camera=NodeConfig(mount_yaw_deg=90.0).body_from_camera()), tmp_path)
    assert kept.read_text().splitlines()[0] != before


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["BAG"], "over which map? Give --cache CACHE"),
        (["none=none.cache"], "none: no such bag"),
        (["BAG=CACHE", "--params", PARAMETERS], "wrong matches are too few"),
        (["BAG=CACHE", "--set", "mount_pitch_deg=95"], "mount_pitch_deg"),
        (["BAG=CACHE", "--topic", "image=/front"], "no topic '/front' for image; its topics are "),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(material, tiny_model_path, tmp_path, words, line):
    flight = material.flights[0]
    words = [word.replace("BAG", str(flight.bag)).replace("CACHE", str(flight.cache)) for word in words]
    command = [sys.executable, "-m", "mift_ros.cli", "calibrate", *words, "-o", str(tmp_path / "c.yaml")]
    done = subprocess.run([*command, "--model", str(tiny_model_path)], capture_output=True, text=True)
    assert done.returncode == 2
    assert line in done.stderr and done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
