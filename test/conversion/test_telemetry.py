"""Telemetry messages: what each says at the exposure, and why some say nothing."""

from __future__ import annotations

import math
from types import SimpleNamespace as Message
from typing import Any

import pytest

from mift_ros.conversion import telemetry as feed
from mift_ros.errors import GeometryError
from mift_ros.geometry.frames import quaternion_from_rpy, yaw_from_heading
from mift_ros.localization.telemetry import TelemetryBuffer

HEADER = Message(stamp=Message(sec=10, nanosec=0))
AT = 10_000_000_000


@pytest.fixture
def buffer() -> TelemetryBuffer:
    return TelemetryBuffer(max_age_s=0.2)


def imu(heading_deg: float = 90.0, *, first: float = 0.01, yaw_variance: float = 0.01) -> Message:
    x, y, z, w = quaternion_from_rpy(0.1, -0.2, yaw_from_heading(heading_deg))
    covariance = [first, 0, 0, 0, 0.01, 0, 0, 0, yaw_variance]
    return Message(header=HEADER, orientation=Message(x=x, y=y, z=z, w=w), orientation_covariance=covariance)


def navsat(covariance: list[float], **changes: Any) -> Message:
    fields = {"latitude": 47.0, "longitude": 8.0, "position_covariance_type": 2, "status": Message(status=0)}
    return Message(**{"header": HEADER, **fields, "position_covariance": covariance, **changes})


def test_imu_gives_attitude_and_heading(buffer: TelemetryBuffer) -> None:
    assert feed.feed_imu(buffer, imu(heading_deg=123.0)) is None
    known = buffer.at(AT)
    assert (known.roll_rad, known.pitch_rad, known.heading_deg) == pytest.approx((0.1, -0.2, 123.0))


def test_imu_without_compass_gives_attitude_but_no_heading(buffer: TelemetryBuffer) -> None:
    feed.feed_imu(buffer, imu(yaw_variance=9.0))
    known = buffer.at(AT)
    assert known.roll_rad == pytest.approx(0.1)
    assert math.isnan(known.heading_deg)


def test_imu_without_orientation_is_left_out(buffer: TelemetryBuffer) -> None:
    assert "no orientation" in (feed.feed_imu(buffer, imu(first=-1.0)) or "")
    assert math.isnan(buffer.at(AT).roll_rad)


def test_attitude_nan_is_an_error(buffer: TelemetryBuffer) -> None:
    msg = imu()
    msg.orientation.x = math.nan
    with pytest.raises(GeometryError, match="not a rotation"):
        feed.feed_imu(buffer, msg)


@pytest.mark.parametrize(
    ("metres", "low", "high", "used"),
    [
        (80.0, 0.5, 100.0, True),
        (80.0, 0.0, 0.0, True),
        (120.0, 0.5, 100.0, False),
        (0.1, 0.5, 100.0, False),
        (math.inf, 0.5, 100.0, False),
        (math.nan, 0.5, 100.0, False),
        (0.0, 0.0, 0.0, False),
        (-3.0, 0.0, 0.0, False),
    ],
)
def test_range_counts_only_within_the_sensors_limits(
    buffer: TelemetryBuffer, metres: float, low: float, high: float, used: bool
) -> None:
    why = feed.feed_range(buffer, Message(header=HEADER, range=metres, min_range=low, max_range=high))
    assert (why is None) == used
    assert math.isfinite(buffer.at(AT).height_agl_m) == used


def test_float_height_holds_at_its_arrival(buffer: TelemetryBuffer) -> None:
    assert feed.feed_float_height(buffer, Message(data=55.0), AT) is None
    assert buffer.at(AT).height_agl_m == 55.0
    assert "not a height" in (feed.feed_float_height(buffer, Message(data=-1.0), AT) or "")


def test_odometry_needs_finite_positions(buffer: TelemetryBuffer) -> None:
    def odometry(x: float) -> Message:
        return Message(header=HEADER, pose=Message(pose=Message(position=Message(x=x, y=2.0, z=0.0))))

    assert feed.feed_odometry(buffer, odometry(math.nan)) is not None
    assert feed.feed_odometry(buffer, odometry(1.0)) is None
    assert buffer.at(AT).odometry_enu_m == (1.0, 2.0)


def test_prior_takes_the_longest_axis_of_its_ellipse(buffer: TelemetryBuffer) -> None:
    """[[25, 20], [20, 25]] has eigenvalues 45 and 5."""
    assert feed.feed_prior(buffer, navsat([25.0, 20, 0, 20, 25.0, 0, 0, 0, 9])) is None
    prior = buffer.at(AT).prior
    assert prior is not None
    assert (prior.lat_deg, prior.lon_deg) == (47.0, 8.0)
    assert prior.sigma_m == pytest.approx(math.sqrt(45.0))


@pytest.mark.parametrize(("second", "age_s"), [(8, 2.0), (0, 0.0)])
def test_a_prior_is_as_old_as_its_stamp_and_one_without_holds_now(
    buffer: TelemetryBuffer, second: int, age_s: float
) -> None:
    msg = navsat([25.0] * 9, header=Message(stamp=Message(sec=second, nanosec=0)))
    assert feed.feed_prior(buffer, msg) is None
    prior = buffer.at(AT).prior
    assert prior is not None
    assert prior.age_s == age_s


@pytest.mark.parametrize(
    ("msg", "says"),
    [
        (navsat([4.0] * 9, status=Message(status=-1)), "NO_FIX"),
        (navsat([4.0] * 9, latitude=math.nan), "not a place"),
        (navsat([4.0] * 9, position_covariance_type=0), "no covariance"),
        (navsat([0.0] * 9), "no covariance"),
        (navsat([math.nan] * 9), "no covariance"),
    ],
)
def test_priors_that_cannot_be_weighed_are_left_out(buffer: TelemetryBuffer, msg: Message, says: str) -> None:
    assert says in (feed.feed_prior(buffer, msg) or "")
    assert buffer.at(AT).prior is None
