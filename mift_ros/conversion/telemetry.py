"""Telemetry messages into the TelemetryBuffer; each feed returns None, or why the sample was left out."""

from __future__ import annotations

import math
from typing import Any

from mift_ros.conversion.stamp import stamp_to_ns
from mift_ros.localization.telemetry import TelemetryBuffer
from mift_ros.localization.types import Prior

YAW_UNKNOWN_RAD2 = 9.0
"""A yaw variance from here on, (3 rad)^2, is how an IMU without compass says that its yaw is no heading."""


def feed_imu(buffer: TelemetryBuffer, msg: Any) -> str | None:
    """sensor_msgs/Imu: body (FLU) to ENU orientation as in REP-103, yaw zero facing east.

    Raises:
        GeometryError: the quaternion is NaN or zero.
    """
    if msg.orientation_covariance[0] == -1.0:
        return "imu says that it estimates no orientation (orientation_covariance[0] = -1)"
    q = msg.orientation
    heading = float(msg.orientation_covariance[8]) < YAW_UNKNOWN_RAD2
    buffer.push_attitude(stamp_to_ns(msg.header.stamp), (q.x, q.y, q.z, q.w), heading)
    return None


def feed_range(buffer: TelemetryBuffer, msg: Any) -> str | None:
    """sensor_msgs/Range: height above the ground under the vehicle, metres; limits of 0 and 0 are no limits."""
    height, low, high = float(msg.range), float(msg.min_range), float(msg.max_range)
    if high > low and not low <= height <= high:
        return f"height_agl {height:g} m is outside the sensor's {low:g} to {high:g} m"
    return _feed_height(buffer, stamp_to_ns(msg.header.stamp), height)


def feed_float_height(buffer: TelemetryBuffer, msg: Any, stamp_ns: int) -> str | None:
    """std_msgs/Float64 metres above ground; it carries no stamp, so the time of its arrival is given."""
    return _feed_height(buffer, stamp_ns, float(msg.data))


def _feed_height(buffer: TelemetryBuffer, stamp_ns: int, height_agl_m: float) -> str | None:
    if not (math.isfinite(height_agl_m) and height_agl_m > 0.0):
        return f"height_agl {height_agl_m:g} m is not a height above ground"
    buffer.push_height_agl(stamp_ns, height_agl_m)
    return None


def feed_odometry(buffer: TelemetryBuffer, msg: Any) -> str | None:
    """nav_msgs/Odometry whose axes are east and north, from any start; only differences are used."""
    position = msg.pose.pose.position
    if not (math.isfinite(position.x) and math.isfinite(position.y)):
        return f"odometry position ({position.x}, {position.y}) is not finite"
    buffer.push_odometry(stamp_to_ns(msg.header.stamp), float(position.x), float(position.y))
    return None


def feed_prior(buffer: TelemetryBuffer, msg: Any) -> str | None:
    """sensor_msgs/NavSatFix as a believed position; one that does not say how sure it is, is no prior.

    One without a stamp, as typed by hand, holds now.
    """
    if msg.status.status < 0:
        return "prior has STATUS_NO_FIX"
    if not (abs(msg.latitude) <= 90.0 and abs(msg.longitude) <= 180.0):
        return f"prior latitude {msg.latitude}, longitude {msg.longitude} is not a place"
    sigma_m = _horizontal_sigma(msg.position_covariance)
    if msg.position_covariance_type == 0 or not (math.isfinite(sigma_m) and sigma_m > 0.0):
        return "prior has no covariance: set position_covariance and its type, or it cannot be weighed"
    buffer.push_prior(stamp_to_ns(msg.header.stamp) or None, Prior(float(msg.latitude), float(msg.longitude), sigma_m))
    return None


def _horizontal_sigma(covariance: Any) -> float:
    """Square root of the greater eigenvalue of the east/north block, metres; NaN if it is not a covariance."""
    east, cross, north = float(covariance[0]), float(covariance[1]), float(covariance[4])
    greatest = (east + north) / 2 + math.hypot((east - north) / 2, cross)
    return math.sqrt(greatest) if greatest > 0.0 else math.nan
