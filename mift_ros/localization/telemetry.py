"""Telemetry streams, brought to the time of an exposure."""

from __future__ import annotations

import bisect
import math
from dataclasses import replace

from mift_ros.geometry.frames import heading_from_yaw, rpy_from_quaternion, wrap_deg
from mift_ros.localization.types import Prior, Telemetry

NS = 1_000_000_000
KEPT = 2000
"""Samples kept per stream: 10 s of a 200 Hz IMU."""
CLOCK_SET_BACK_NS = 10 * NS
"""A sample this much older than the newest is no late one: the clock was set, or the newest had a wrong stamp."""


class Stream:
    """Samples of one quantity by stamp; a sample that is out of order is put in its place, a duplicate replaces."""

    def __init__(self) -> None:
        self._stamps: list[int] = []
        self._values: list[tuple[float, ...]] = []

    def push(self, stamp_ns: int, value: tuple[float, ...]) -> None:
        """Add a sample; the oldest beyond KEPT are dropped, and all when the clock was set back."""
        if self._stamps and stamp_ns < self._stamps[-1] - CLOCK_SET_BACK_NS:
            self._stamps, self._values = [], []
        index = bisect.bisect_left(self._stamps, stamp_ns)
        if index < len(self._stamps) and self._stamps[index] == stamp_ns:
            self._values[index] = value
            return
        self._stamps.insert(index, stamp_ns)
        self._values.insert(index, value)
        if len(self._stamps) > KEPT:
            del self._stamps[0], self._values[0]

    def newest_ns(self) -> int | None:
        """Stamp of the newest sample."""
        return self._stamps[-1] if self._stamps else None

    def around(self, stamp_ns: int, max_age_ns: int) -> tuple[tuple[float, ...], tuple[float, ...], float] | None:
        """The samples before and after with the weight of the second; both the same at an end; None if too old."""
        if not self._stamps:
            return None
        after = bisect.bisect_left(self._stamps, stamp_ns)
        before = max(after - 1, 0)
        after = min(after, len(self._stamps) - 1)
        near = [i for i in (before, after) if abs(self._stamps[i] - stamp_ns) <= max_age_ns]
        if not near:
            return None
        first, last = near[0], near[-1]
        span = self._stamps[last] - self._stamps[first]
        weight = (stamp_ns - self._stamps[first]) / span if span else 0.0
        return self._values[first], self._values[last], weight


class TelemetryBuffer:
    """Collects attitude, height, odometry and priors as they come and answers what held at an exposure."""

    def __init__(self, max_age_s: float, height_along_body: bool = False) -> None:
        """Samples count for max_age_s; height_along_body: heights are measured along the body's own down axis."""
        self._max_age_ns = int(max_age_s * NS)
        self._height_along_body = height_along_body
        self._attitude = Stream()
        self._heading = Stream()
        self._gyro_heading = Stream()
        self._height = Stream()
        self._odometry = Stream()
        self._prior: tuple[int | None, Prior] | None = None

    def push_attitude(self, stamp_ns: int, quaternion_xyzw: tuple[float, float, float, float], heading: bool) -> None:
        """Body (FLU) to ENU quaternion; `heading` says whether its yaw is a true heading.

        Raises:
            GeometryError: the quaternion is NaN or zero; earlier samples stay.
        """
        roll, pitch, yaw = rpy_from_quaternion(*quaternion_xyzw)
        self._attitude.push(stamp_ns, (roll, pitch))
        self._gyro_heading.push(stamp_ns, (heading_from_yaw(yaw),))
        if heading:
            self._heading.push(stamp_ns, (heading_from_yaw(yaw),))

    def push_height_agl(self, stamp_ns: int, height_agl_m: float) -> None:
        """Height above the ground under the vehicle, metres, vertically or along the body as told at the start."""
        self._height.push(stamp_ns, (height_agl_m,))

    def push_odometry(self, stamp_ns: int, east_m: float, north_m: float) -> None:
        """Position in a metric frame whose axes are east and north, from any start."""
        self._odometry.push(stamp_ns, (east_m, north_m))

    def push_prior(self, stamp_ns: int | None, prior: Prior) -> None:
        """A position believed from elsewhere at a time (None: the next frame's); the next frame gets it."""
        self._prior = stamp_ns, prior

    def at(self, stamp_ns: int) -> Telemetry:
        """What is known at the exposure: interpolated between samples, or the nearest within the age."""
        known = Telemetry()
        if self._prior is not None:
            at_ns, prior = self._prior
            known = replace(known, prior=prior if at_ns is None else replace(prior, age_s=abs(stamp_ns - at_ns) / NS))
            self._prior = None
        if (found := self._attitude.around(stamp_ns, self._max_age_ns)) is not None:
            roll, pitch = _mix(*found)
            known = replace(known, roll_rad=roll, pitch_rad=pitch)
        if (newest_ns := self._attitude.newest_ns()) is not None:
            known = replace(known, attitude_late_s=(stamp_ns - newest_ns) / NS)
        if (found := self._heading.around(stamp_ns, self._max_age_ns)) is not None:
            known = replace(known, heading_deg=_mix_angle(*found))
        if (found := self._gyro_heading.around(stamp_ns, self._max_age_ns)) is not None:
            known = replace(known, gyro_heading_deg=_mix_angle(*found))
        if (found := self._height.around(stamp_ns, self._max_age_ns)) is not None:
            upright = math.cos(known.roll_rad) * math.cos(known.pitch_rad) if self._height_along_body else 1.0
            known = replace(known, height_agl_m=_mix(*found)[0] * upright)
        if (found := self._odometry.around(stamp_ns, self._max_age_ns)) is not None:
            east, north = _mix(*found)
            known = replace(known, odometry_enu_m=(east, north))
        return known


def _mix_angle(first: tuple[float, ...], last: tuple[float, ...], weight: float) -> float:
    """Degrees from 0 to 360, the short way between two angles."""
    return (first[0] + weight * wrap_deg(last[0] - first[0])) % 360.0


def _mix(first: tuple[float, ...], last: tuple[float, ...], weight: float) -> tuple[float, ...]:
    return tuple(a if math.isclose(a, b) else a + weight * (b - a) for a, b in zip(first, last))
