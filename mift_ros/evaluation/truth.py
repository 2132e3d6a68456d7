"""Recorded truth, brought to the time of an exposure."""

from __future__ import annotations

import math
from typing import Any

from mift_ros.conversion.stamp import stamp_to_ns
from mift_ros.errors import GeometryError
from mift_ros.evaluation.records import Truth
from mift_ros.geometry.frames import heading_from_yaw, rpy_from_quaternion, wrap_deg
from mift_ros.localization.telemetry import Stream

MAX_AGE_NS = 500_000_000


class TruthBuffer:
    """Collects geo-poses or GNSS fixes and interpolates between the two around a stamp."""

    def __init__(self) -> None:
        self._stream = Stream()

    def push(self, msg: Any) -> None:
        """GeoPoseStamped, GeoPoseWithCovarianceStamped or NavSatFix; positions that are not finite are left out."""
        lat, lon, altitude, heading = _values(msg)
        if math.isfinite(lat) and math.isfinite(lon):
            self._stream.push(stamp_to_ns(msg.header.stamp), (lat, lon, altitude, heading))

    def newest_ns(self) -> int | None:
        """Stamp of the newest truth."""
        return self._stream.newest_ns()

    def at(self, stamp_ns: int) -> Truth | None:
        """The truth at a stamp, None where there is none within half a second."""
        found = self._stream.around(stamp_ns, MAX_AGE_NS)
        if found is None:
            return None
        first, last, weight = found
        lat, altitude = (a if a == b else a + weight * (b - a) for a, b in zip(first[:3:2], last[:3:2]))
        lon, heading = (a + weight * wrap_deg(b - a) for a, b in zip(first[1::2], last[1::2]))
        return Truth(lat, wrap_deg(lon), altitude, heading % 360.0)


def _values(msg: Any) -> tuple[float, float, float, float]:
    """Latitude, longitude, altitude and heading; NaN for what is not told."""
    if hasattr(msg, "latitude"):
        usable = msg.status.status >= 0
        return (msg.latitude if usable else math.nan), msg.longitude, msg.altitude, math.nan
    pose = msg.pose.pose if hasattr(msg.pose, "pose") else msg.pose
    point, q = pose.position, pose.orientation
    try:
        heading = heading_from_yaw(rpy_from_quaternion(q.x, q.y, q.z, q.w)[2])
    except GeometryError:
        heading = math.nan
    return point.latitude, point.longitude, point.altitude, heading
