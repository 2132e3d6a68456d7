"""What moved between two exposures: taken from the telemetry, unless no vehicle could have done it."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.motion import motion_between
from mift_ros.localization.types import Telemetry

CONFIG = LocalizerConfig(max_speed_mps=30.0, odometry_sigma=0.1)
ANY = st.floats(allow_nan=True, allow_infinity=True)


def between(before, now, elapsed_s=1.0, config=CONFIG):
    return motion_between(Telemetry(**before), Telemetry(**now), elapsed_s, config)


def test_odometry_is_differenced_and_its_error_grows_with_the_distance():
    motion = between({"odometry_enu_m": (100.0, 50.0)}, {"odometry_enu_m": (110.0, 50.0)})
    assert motion.shift_m == (10.0, 0.0)
    assert motion.shift_sigma_m == pytest.approx(1.0 + 0.1 * 10.0)


@pytest.mark.parametrize("here", [(math.nan, 0.0), (math.inf, 0.0), (400.0, 0.0), (-1e9, 1e9)])
def test_odometry_that_jumps_resets_or_is_missing_is_no_odometry(here):
    assert between({"odometry_enu_m": (0.0, 0.0)}, {"odometry_enu_m": here}).shift_m is None


def test_a_long_way_in_a_long_time_is_no_jump():
    motion = between({"odometry_enu_m": (0.0, 0.0)}, {"odometry_enu_m": (400.0, 0.0)}, elapsed_s=20.0)
    assert motion.shift_m == (400.0, 0.0)


def test_a_gyro_tells_the_turn_across_north_without_a_compass():
    motion = between({"gyro_heading_deg": 350.0}, {"gyro_heading_deg": 20.0})
    assert motion.turn_deg == pytest.approx(30.0)
    assert motion.turn_sigma_deg < 1.0


def test_without_any_heading_the_turn_is_free():
    motion = between({}, {}, elapsed_s=2.0)
    assert motion.turn_deg == 0.0
    assert motion.turn_sigma_deg > 30.0


def test_a_compass_that_is_not_to_be_used_tells_no_turn():
    config = LocalizerConfig(use_heading=False)
    assert between({"heading_deg": 0.0}, {"heading_deg": 30.0}, config=config).turn_deg == 0.0


def test_a_climb_changes_the_height_and_a_step_of_the_sensor_does_not():
    assert between({"height_agl_m": 100.0}, {"height_agl_m": 104.0}).growth == pytest.approx(1.04)
    step = between({"height_agl_m": 100.0}, {"height_agl_m": 140.0})
    assert step.growth == 1.0
    assert step.growth_sigma_m > between({"height_agl_m": 100.0}, {"height_agl_m": 104.0}).growth_sigma_m


@given(st.lists(ANY, min_size=8, max_size=8), st.floats(1e-9, 1e4))
def test_whatever_the_telemetry_says_the_motion_is_finite(values, elapsed_s):
    names = ("heading_deg", "gyro_heading_deg", "height_agl_m")
    before, now = (dict(zip(names, part)) | {"odometry_enu_m": tuple(part[:2])} for part in (values[:4], values[4:]))
    motion = between(before, now, elapsed_s)
    shift = motion.shift_m or (0.0, 0.0)
    assert all(map(math.isfinite, (*shift, motion.shift_sigma_m, motion.turn_deg, motion.growth)))
    assert motion.growth > 0
