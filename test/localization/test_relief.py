"""Over a hillside of 20 %, seen by a camera tilted 20 degrees: with its heights, without, and with holes in them."""

from __future__ import annotations

import logging
import math
from dataclasses import replace

import numpy as np
import pytest

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.reader import MapCache
from mift_ros.geometry.frames import wrap_deg
from mift_ros.geometry.terrain import Terrain
from mift_ros.localization.chance import Chance
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import make_hypotheses
from mift_ros.localization.localizer import Localizer
from mift_ros.localization.places import Candidate
from mift_ros.localization.refine import Refiner
from mift_ros.localization.relief import Relief
from mift_ros.localization.types import Fix
from mift_ros.maps.open import open_map
from mift_ros.simulation.camera import SceneCamera
from mift_ros.simulation.geotiff import write_world
from mift_ros.simulation.scene import load_scene
from mift_ros.simulation.world import make_town

SLOPE, PITCH = 0.2, -math.radians(20.0)
PLACES = [(-60.0, 40.0, 10.0), (70.0, -50.0, 170.0), (0.0, 60.0, 265.0), (80.0, 70.0, 330.0)]


@pytest.fixture(scope="module")
def hillside(town, tmp_path_factory):
    """The town of the other tests on ground that rises by SLOPE northwards."""
    folder = tmp_path_factory.mktemp("hillside")
    world = make_town(seed=3, size_m=420.0, gsd_m=0.5)
    rows = len(world.terrain_m)
    rise = (SLOPE * 0.5 * (rows / 2 - np.arange(rows)))[:, None].astype(np.float32)
    world = replace(world, terrain_m=world.terrain_m + rise, surface_m=world.surface_m + rise)
    files = write_world(world, folder)
    source = open_map(files.map)
    build_cache(source, town.embedder, folder / "hillside.cache", BuildOptions(stride_m=24.0))
    source.close()
    scene = load_scene(files.look, files.heights, 0.3)
    cache = MapCache.open(folder / "hillside.cache", town.embedder.identity)
    return replace(town, cache=cache, scene=scene, camera=SceneCamera(scene, town.camera.camera))


@pytest.fixture
def heights(hillside):
    """The true heights of the ground around the hillside, as a cache would carry them."""
    middles = np.arange(-297.5, 300.0, 5.0)
    east, north = np.meshgrid(middles, middles[::-1])
    here = hillside.scene.frame.to_local(
        *hillside.cache.frame.to_geodetic(np.stack([east, north], -1)).reshape(-1, 2).T
    )
    points = here.reshape(*east.shape, 2)
    ground = hillside.scene.terrain.sample(points[..., 0], points[..., 1])
    return Terrain(ground.astype(np.float32), -300.0, 300.0, 5.0, "ellipsoid")


def localizer(town, terrain, **values):
    cache = MapCache.open(town.cache.path)
    cache.terrain = terrain
    return Localizer(cache, town.embedder, LocalizerConfig.from_mapping({"calibration": "none", **values}))


def shot(town, place):
    frame, telemetry = town.shoot(*place, pitch=PITCH)
    return frame, replace(telemetry, altitude_ellipsoid_m=math.nan), telemetry.altitude_ellipsoid_m


def assert_same(found, other):
    """The same places to what the order of sums makes of float32, by which the last step of a search may end beside."""
    assert np.array(found.match.places) == pytest.approx(np.array(other.match.places), abs=1.0)


def test_with_heights_position_heading_and_altitude_are_found_and_the_match_stands_out_more(hillside, heights):
    errors, sigmas_m, gained = [], [], []
    for place in PLACES:
        frame, telemetry, altitude_m = shot(hillside, place)
        over = localizer(hillside, heights).locate(frame, telemetry)
        level = localizer(hillside, None).locate(frame, telemetry)
        assert isinstance(over, Fix)
        errors.append(math.dist(over.position_m, place[:2]))
        assert abs(wrap_deg(over.heading_deg - place[2])) < 2.0
        assert abs(over.height_agl_m - 100.0) < 5.0
        sigmas_m.append(math.sqrt(over.covariance[2, 2]))
        assert abs(over.altitude_ellipsoid_m - altitude_m) < 3 * sigmas_m[-1]
        gained.append(over.significance - level.match.places[0].significance)
    assert max(errors) < 5.0
    assert max(sigmas_m) < 9.0
    assert np.median(gained) > 2.0


def test_the_rival_is_seen_over_its_relief_too_and_may_turn_out_the_best(hillside, heights):
    frame, telemetry, _ = shot(hillside, PLACES[0])
    manifest, config = hillside.cache.manifest, LocalizerConfig()
    made = make_hypotheses(frame, telemetry, config, manifest.tile_size_m, manifest.input_size)

    def refiner_of(made):
        return Refiner(hillside.cache, made.views, made.heading_step_deg, made.scale_step, Chance(hillside.cache))

    here = np.array(PLACES[0][:2]) + made.offset_m(0)
    right, wrong = (
        refiner_of(made).near(Candidate(0, tuple((here + off).tolist()), PLACES[0][2], 1.0))
        for off in ((0.0, 0.0), (90.0, -90.0))
    )
    wrong = replace(wrong, score=right.score + 0.001)
    relief = Relief(hillside.cache, heights, config)
    _, found = relief.resolved(frame, telemetry, made, [wrong, right], refiner_of)
    best, rival = sorted(found, key=lambda alignment: alignment.score, reverse=True)
    assert math.dist(best.centre_m, here) < 20.0 < math.dist(rival.centre_m, here)
    assert best.score > right.score + 0.02


def test_heights_that_are_level_change_nothing(hillside, heights):
    frame, telemetry, _ = shot(hillside, PLACES[0])
    flat = replace(heights, heights_m=np.full_like(heights.heights_m, 150.0))
    found, level = (localizer(hillside, terrain).locate(frame, telemetry) for terrain in (flat, None))
    assert_same(found, level)


def test_heights_above_a_geoid_are_used_but_make_no_altitude(hillside, heights):
    frame, telemetry, _ = shot(hillside, PLACES[0])
    fix = localizer(hillside, replace(heights, datum="egm96")).locate(frame, telemetry)
    assert isinstance(fix, Fix)
    assert math.isnan(fix.altitude_ellipsoid_m)
    assert fix.covariance[2, 2] > 0.99e8
    assert_same(fix, localizer(hillside, heights).locate(frame, telemetry))


def test_where_heights_are_unknown_the_ground_is_level_and_that_is_said_once(hillside, heights, caplog):
    unknown = replace(heights, heights_m=np.full_like(heights.heights_m, np.nan))
    holed = localizer(hillside, unknown)
    with caplog.at_level(logging.WARNING):
        for place in PLACES[:2]:
            holed.reset()
            frame, telemetry, _ = shot(hillside, place)
            found = holed.locate(replace(frame, stamp_ns=int(1e9 + place[0] * 1e6)), telemetry)
            level = localizer(hillside, None).locate(frame, telemetry)
            assert_same(found, level)
    assert [r.getMessage().split(" around")[0] for r in caplog.records] == ["no terrain heights"]


def test_the_parameter_turns_it_off(hillside, heights):
    frame, telemetry, _ = shot(hillside, PLACES[0])
    off = localizer(hillside, heights, use_terrain=False).locate(frame, telemetry)
    assert_same(off, localizer(hillside, None).locate(frame, telemetry))
