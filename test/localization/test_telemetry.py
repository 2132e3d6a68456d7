"""Telemetry at the time of the exposure: interpolated, aged out, never guessed."""

import math

import pytest

from mift_ros.errors import GeometryError
from mift_ros.geometry.frames import quaternion_from_rpy, rotation_from_rpy, yaw_from_heading
from mift_ros.localization.telemetry import KEPT, NS, TelemetryBuffer
from mift_ros.localization.types import Prior


@pytest.fixture
def buffer():
    return TelemetryBuffer(max_age_s=0.2)


def attitude(roll=0.0, pitch=0.0, heading_deg=0.0):
    return quaternion_from_rpy(roll, pitch, yaw_from_heading(heading_deg))


def test_nothing_pushed_is_nothing_known(buffer):
    known = buffer.at(NS)
    assert math.isnan(known.roll_rad)
    assert math.isnan(known.height_agl_m)
    assert known.prior is None


def test_values_are_interpolated_between_samples(buffer):
    buffer.push_attitude(0, attitude(roll=0.1), heading=False)
    buffer.push_attitude(NS // 10, attitude(roll=0.2), heading=False)
    assert buffer.at(NS // 20).roll_rad == pytest.approx(0.15)


@pytest.mark.parametrize(("roll_deg", "pitch_deg"), [(0.0, 0.0), (25.0, 0.0), (0.0, -25.0), (15.0, 20.0)])
def test_a_range_along_the_body_is_as_long_as_its_way_to_level_ground(roll_deg, pitch_deg):
    angles = math.radians(roll_deg), math.radians(pitch_deg), yaw_from_heading(70.0)
    beam = rotation_from_rpy(*angles) @ [0.0, 0.0, -1.0]
    buffer = TelemetryBuffer(max_age_s=0.2, height_along_body=True)
    buffer.push_attitude(NS, quaternion_from_rpy(*angles), heading=True)
    buffer.push_height_agl(NS, 100.0 / -beam[2])
    assert buffer.at(NS).height_agl_m == pytest.approx(100.0)


def test_a_range_along_a_body_of_unknown_attitude_is_no_height():
    buffer = TelemetryBuffer(max_age_s=0.2, height_along_body=True)
    buffer.push_height_agl(NS, 100.0)
    assert math.isnan(buffer.at(NS).height_agl_m)


def test_headings_are_interpolated_the_short_way_across_north(buffer):
    buffer.push_attitude(0, attitude(heading_deg=350.0), heading=True)
    buffer.push_attitude(NS // 10, attitude(heading_deg=20.0), heading=True)
    assert buffer.at(NS // 20).heading_deg == pytest.approx(5.0)


def test_a_yaw_that_is_no_heading_is_not_taken_for_one(buffer):
    buffer.push_attitude(0, attitude(heading_deg=40), heading=False)
    assert math.isnan(buffer.at(0).heading_deg)
    buffer.push_attitude(0, attitude(heading_deg=40), heading=True)
    assert buffer.at(0).heading_deg == pytest.approx(40)


def test_the_last_sample_holds_for_the_maximum_age_only(buffer):
    buffer.push_height_agl(0, 80.0)
    assert buffer.at(NS // 5).height_agl_m == 80.0
    assert math.isnan(buffer.at(NS // 4).height_agl_m)


def test_a_gap_in_the_stream_is_not_bridged(buffer):
    buffer.push_height_agl(0, 80.0)
    buffer.push_height_agl(10 * NS, 120.0)
    assert math.isnan(buffer.at(5 * NS).height_agl_m)


def test_samples_out_of_order_and_duplicates_are_put_in_their_place(buffer):
    for stamp, height in [(2, 20.0), (0, 0.0), (1, 99.0), (1, 10.0)]:
        buffer.push_height_agl(stamp * NS // 10, height)
    assert buffer.at(NS // 20).height_agl_m == pytest.approx(5.0)


def test_the_buffer_does_not_grow_with_the_flight(buffer):
    for k in range(3 * KEPT):
        buffer.push_height_agl(k, 1.0)
    assert len(buffer._height._stamps) == KEPT


def test_a_prior_holds_for_one_frame(buffer):
    buffer.push_prior(None, Prior(1.0, 2.0, 50.0))
    assert buffer.at(0).prior == Prior(1.0, 2.0, 50.0)
    assert buffer.at(1).prior is None


def test_a_prior_tells_how_old_it_is(buffer):
    buffer.push_prior(NS, Prior(1.0, 2.0, 50.0))
    assert buffer.at(3 * NS).prior.age_s == 2.0


def test_a_nan_attitude_is_refused_and_changes_nothing(buffer):
    buffer.push_attitude(0, attitude(roll=0.1), heading=False)
    with pytest.raises(GeometryError):
        buffer.push_attitude(1, (math.nan, 0, 0, 1), heading=False)
    assert buffer.at(0).roll_rad == pytest.approx(0.1)


def test_a_yaw_of_unknown_zero_still_tells_turns(buffer):
    buffer.push_attitude(0, attitude(heading_deg=350.0), heading=False)
    buffer.push_attitude(NS // 10, attitude(heading_deg=20.0), heading=False)
    assert buffer.at(NS // 20).gyro_heading_deg == pytest.approx(5.0)


def test_a_clock_that_is_set_back_does_not_deafen_the_buffer(buffer):
    for k in range(KEPT):
        buffer.push_height_agl(1000 * NS + k, 80.0)
    buffer.push_height_agl(5 * NS, 120.0)
    assert buffer.at(5 * NS).height_agl_m == 120.0


def test_one_stamp_from_the_future_is_got_over(buffer):
    buffer.push_height_agl(0, 80.0)
    buffer.push_height_agl(10**6 * NS, 99.0)
    buffer.push_height_agl(NS // 10, 81.0)
    assert buffer.at(NS // 10).height_agl_m == 81.0


def test_the_age_of_the_attitude_is_told_even_when_it_is_too_old_to_use(buffer):
    buffer.push_attitude(0, attitude(), heading=True)
    known = buffer.at(3 * NS)
    assert math.isnan(known.roll_rad)
    assert known.attitude_late_s == pytest.approx(3.0)
