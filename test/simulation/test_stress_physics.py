"""Wind, shutter, sky, season and water against numbers worked out by hand."""

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.errors import ConfigError, SimulationError
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import rotation_from_rpy
from mift_ros.simulation.disturbances import Disturbances, Phase, Schedule
from mift_ros.simulation.lake import flooded
from mift_ros.simulation.season import in_season
from mift_ros.simulation.shutter import smeared
from mift_ros.simulation.sky import AIRLIGHT, Sky
from mift_ros.simulation.trajectory import STEP_S, Pattern, Trajectory, fly
from mift_ros.simulation.wind import LEAN_RAD, in_wind, lagging, turning_the_short_way
from mift_ros.simulation.world import make_town

CAMERA = CameraModel.from_fov(201, 201, 60.0)
FOCAL = CAMERA.fx


def always(**values):
    return Schedule([Phase(0.0, Disturbances(**values))])


def northward(seconds=30.0, speed_mps=10.0):
    """Straight north, level, its nose ahead."""
    time = np.arange(round(seconds / STEP_S)) * STEP_S
    zero = np.zeros_like(time)
    position = np.column_stack([zero, speed_mps * time, zero + 100.0])
    return Trajectory(time, position, np.column_stack([zero, zero, zero + math.pi / 2]), zero + 100.0)


def test_the_nose_turns_into_a_cross_wind():
    path = in_wind(northward(), always(wind_mps=5.0, wind_from_deg=270.0), 10.0, np.random.default_rng(0))
    assert np.degrees(path.rpy_rad[-1, 2]) == pytest.approx(90.0 + math.degrees(math.atan2(5.0, 10.0)), abs=1e-6)
    assert path.position_m == pytest.approx(northward().position_m)


def test_against_the_wind_it_leans_by_its_airspeed():
    path = in_wind(northward(speed_mps=6.0), always(wind_mps=4.0, wind_from_deg=0.0), 6.0, np.random.default_rng(0))
    wanted = math.atan(math.tan(LEAN_RAD) * (10 / 12) ** 2) - math.atan(math.tan(LEAN_RAD) * (6 / 12) ** 2)
    assert path.rpy_rad[-1] == pytest.approx([0.0, wanted, math.pi / 2], abs=1e-9)


def test_a_wind_that_turns_past_north_turns_the_short_way():
    """From 350 to 10 degrees: never more than 10 degrees off the nose, and not once from behind."""
    turning = Schedule([Phase(10.0, Disturbances(wind_mps=5.0, wind_from_deg=at)) for at in (350.0, 10.0)])
    path = in_wind(northward(20.0), turning, 10.0, np.random.default_rng(0))
    crab_deg = np.degrees(path.rpy_rad[:, 2]) - 90.0
    against = math.degrees(math.atan2(5.0 * math.sin(math.radians(10.0)), 10.0 + 5.0 * math.cos(math.radians(10.0))))
    assert crab_deg[[0, -1]] == pytest.approx([against, -against], abs=1e-6)
    assert abs(crab_deg).max() == pytest.approx(against, abs=1e-6)
    assert path.rpy_rad[:, 1].min() > 0.9 * path.rpy_rad[0, 1]


def test_a_wind_that_rises_out_of_a_calm_is_as_it_was():
    """The recorded flights of the suite: a calm has the direction 0, and the wind after it keeps its own."""
    phases = [Phase(10.0, Disturbances()), Phase(10.0, Disturbances(wind_mps=8.0, wind_from_deg=250.0))]
    time_s = northward(20.0).time_s
    given = Schedule(phases).values("wind_from_deg", time_s)
    assert np.array_equal(turning_the_short_way(Schedule(phases), time_s), given)


def test_a_wind_as_fast_as_the_vehicle_is_refused():
    with pytest.raises(SimulationError, match="the wind is as fast as the vehicle, 10 m/s"):
        in_wind(northward(), always(wind_mps=10.0), 10.0, np.random.default_rng(0))


def test_gusts_swing_velocity_and_attitude_by_what_they_say():
    path = in_wind(
        northward(600.0), always(gust_mps=2.0, gust_tilt_deg=4.0, gust_period_s=4.0), 10.0, np.random.default_rng(1)
    )
    velocity = np.diff(path.position_m[:, :2] - northward(600.0).position_m[:, :2], axis=0) / STEP_S
    assert velocity.std(axis=0) == pytest.approx([2.0, 2.0], rel=0.5)
    assert np.degrees(path.rpy_rad.std(axis=0)) == pytest.approx([4.0] * 3, rel=0.1)


def test_without_disturbances_a_flight_is_as_it_was():
    path = in_wind(northward(), Schedule(), 10.0, np.random.default_rng(0))
    assert np.array_equal(path.rpy_rad, northward().rpy_rad)
    assert np.array_equal(path.position_m, northward().position_m)


def test_a_lagging_camera_covers_63_percent_of_a_step_in_its_time_constant():
    rpy = np.zeros((1000, 3))
    rpy[100:] = 1.0
    followed = lagging(rpy, np.full(1000, 2.0))
    assert followed[100 + 200, 0] == pytest.approx(1 - math.exp(-1), abs=0.01)
    assert np.array_equal(lagging(rpy, np.zeros(1000)), rpy)


def test_way_points_are_flown_and_those_outside_are_refused(flat):
    scene = flat()
    rng = np.random.default_rng(0)
    path = fly(scene, Pattern.WANDER, 20.0, 5.0, 50.0, 30.0, rng, ((-100.0, 0.0), (100.0, 0.0)))
    assert path.position_m[[0, -1], 0] == pytest.approx([-100.0, 0.0], abs=0.2)
    with pytest.raises(SimulationError, match=r"way points .* -145 to 145 m east"):
        fly(scene, Pattern.WANDER, 20.0, 5.0, 50.0, 30.0, rng, ((-100.0, 0.0), (190.0, 0.0)))


def dot():
    """A white pixel 50 pixels right of the middle."""
    image = np.zeros((201, 201, 3), np.uint8)
    image[100, 150] = 255
    return image


def test_flying_forward_blurs_by_speed_times_exposure():
    """20 m/s for 0.05 s at 100 m is 0.01 rad: 1.74 pixels along the columns."""

    def pose(seconds):
        return np.array([0.0, 20.0 * seconds, 100.0]), rotation_from_rpy(0.0, 0.0, math.pi / 2)

    image = smeared(dot(), CAMERA, pose, 3.0, 0.5, 100.0)
    rows = np.flatnonzero(image[:, 150, 0])
    assert np.ptp(rows) == pytest.approx(20.0 * 0.5 / 100.0 * FOCAL, abs=2.0)
    assert np.flatnonzero(image.max(axis=(0, 2))) == pytest.approx(150, abs=1)


def test_turning_blurs_along_an_arc_about_the_middle():
    def pose(seconds):
        return np.array([0.0, 0.0, 100.0]), rotation_from_rpy(0.0, 0.0, math.radians(40.0) * seconds)

    image = smeared(dot(), CAMERA, pose, 1.0, 0.2, 100.0)
    rows = np.flatnonzero(image.max(axis=(1, 2)))
    assert np.ptp(rows) == pytest.approx(50.0 * math.radians(8.0), abs=2.0)
    assert image[100, 100].max() == 0


def test_a_still_camera_is_sharp():
    pose = (np.array([0.0, 0.0, 100.0]), rotation_from_rpy(0.0, 0.0, 0.0))
    assert np.array_equal(smeared(dot(), CAMERA, lambda _: pose, 0.0, 0.1, 100.0), dot())


GROUND = np.stack([*np.meshgrid(np.arange(200.0) * 5, np.arange(200.0) * 5), np.zeros((200, 200))], axis=-1)


def test_at_the_visibility_two_percent_of_the_contrast_are_left():
    image = np.zeros((1, 2, 3), np.uint8)
    image[0, 1] = 255
    points, eye = np.zeros((1, 2, 3)), np.array([0.0, 0.0, 300.0])
    seen = Sky(np.random.default_rng(0)).seen(image, points, eye, 0.0, Disturbances(visibility_m=300.0)).astype(float)
    assert seen[0, 1] - seen[0, 0] == pytest.approx([0.02 * 255] * 3, abs=1.1)
    assert seen[0, 0] == pytest.approx(0.98 * AIRLIGHT, abs=1.1)


def test_clouds_shade_their_share_of_the_ground_and_move_on():
    now = Disturbances(cloud_cover=0.4, cloud_shadow=0.5, cloud_speed_mps=10.0)
    white, eye = np.full((200, 200, 3), 200, np.uint8), np.array([0.0, 0.0, 100.0])
    sky = Sky(np.random.default_rng(0))
    first = sky.seen(white, GROUND, eye, 0.0, now)
    assert (first[..., 0] < 150).mean() == pytest.approx(0.4, abs=0.15)
    assert first.min() >= 95 and first.max() <= 201
    step = 10.0 / math.sqrt(2.0)
    later = sky.seen(white, GROUND + np.array([step, step, 0.0]), eye, 1.0, now)
    assert np.abs(later.astype(int) - first).max() <= 2


def test_a_clear_sky_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)
    seen = Sky(np.random.default_rng(0)).seen(image, GROUND, np.array([0.0, 0.0, 100.0]), 0.0, Disturbances())
    assert np.array_equal(seen, image)


@pytest.fixture(scope="module")
def town():
    return make_town(1, 300.0, 0.5)


def test_snow_lies_on_its_share_of_the_ground(town):
    snowed = in_season(town.camera_rgb, 0.5, 0.5, 0.0, np.random.default_rng(0))
    changed = (snowed != in_season(town.camera_rgb, 0.5, 0.0, 0.0, np.random.default_rng(0))).any(axis=-1)
    assert changed.mean() == pytest.approx(0.55, abs=0.12)
    assert snowed[changed].mean() > town.camera_rgb[changed].mean() + 40


def test_dry_vegetation_is_not_green():
    grass = np.full((8, 8, 3), (90, 130, 60), np.uint8)
    red, green, _ = in_season(grass, 0.5, 0.0, 1.0, np.random.default_rng(0))[0, 0].astype(int)
    assert red > green
    road = np.full((8, 8, 3), 110, np.uint8)
    assert np.array_equal(in_season(road, 0.5, 0.0, 1.0, np.random.default_rng(0)), road)


def test_a_lake_is_level_and_shows_nothing_that_both_looks_share(town):
    outline = np.array([[0.5, 0.2], [1.1, 0.2], [1.1, 0.8], [0.5, 0.8]])
    wet_town = flooded(town, outline, np.random.default_rng(0))
    lake = np.s_[150:450, 320:600]
    assert np.ptp(wet_town.surface_m[lake]) < 1e-3
    assert np.array_equal(wet_town.map_rgb[:, :280], town.map_rgb[:, :280])
    looks = [look[lake].mean(axis=-1).ravel() for look in (wet_town.map_rgb, wet_town.camera_rgb)]
    assert abs(np.corrcoef(*looks)[0, 1]) < 0.3


@given(st.lists(st.tuples(st.floats(0.1, 100.0), st.booleans()), min_size=1, max_size=6), st.floats(0.0, 500.0))
def test_the_clock_stands_still_in_cuts_only(parts, seconds):
    schedule = Schedule([Phase(length, Disturbances(cut=cut)) for length, cut in parts])
    step = schedule.clock_s(seconds + 0.01) - schedule.clock_s(seconds)
    assert -1e-9 <= step <= 0.01 + 1e-9
    if schedule.index(seconds) == schedule.index(seconds + 0.01):
        assert step == pytest.approx(0.0 if schedule.at(seconds).cut else 0.01, abs=1e-9)


def test_values_over_time_follow_the_phases():
    schedule = Schedule([Phase(2.0, Disturbances(tilt_deg=5.0)), Phase(1.0, Disturbances(tilt_deg=9.0))])
    assert schedule.values("tilt_deg", np.array([0.0, 1.9, 2.1, 50.0])) == pytest.approx([5.0, 5.0, 9.0, 9.0])


def test_disturbances_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"tilt_deg = 80.0 is outside 0 to 35 deg"):
        Disturbances(tilt_deg=80.0)


def test_the_documentation_names_every_disturbance():
    page = (Path(__file__).resolve().parents[2] / "docs" / "stress.md").read_text(encoding="utf-8")
    for field in fields(Disturbances):
        assert f"| `{field.name}` |" in page
        assert field.metadata["text"] in page
