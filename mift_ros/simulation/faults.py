"""What goes wrong between the instruments of the vehicle and the recording: bias, drift, steps, NaN, jumps."""

from __future__ import annotations

import math

import numpy as np

from mift_ros.simulation.disturbances import Disturbances, Schedule, Vector
from mift_ros.simulation.trajectory import STEP_S

NAN = math.nan


class TelemetryFaults:
    """Spoils what was measured, by the schedule of one flight."""

    def __init__(self, schedule: Schedule, time_s: Vector, rng: np.random.Generator) -> None:
        self._schedule, self._rng = schedule, rng
        drifted = np.cumsum(schedule.values("heading_drift_degps", time_s)) * STEP_S
        self._heading_error_rad = np.radians(schedule.values("heading_bias_deg", time_s) + drifted)
        self._origin_m = np.zeros(2)
        self._next_jump_s = 0.0

    def attitude(self, i: int, now: Disturbances, rpy_rad: tuple[float, float, float]) -> tuple[float, float, float]:
        """Roll, pitch and yaw as they are told at sample `i`."""
        if self._hit(now.attitude_nan_share):
            return NAN, NAN, NAN
        roll, pitch, yaw = rpy_rad
        if self._hit(now.jump_share):
            off = self._rng.normal(0.0, math.radians(now.attitude_jump_deg), 3)
            roll, pitch, yaw = roll + float(off[0]), pitch + float(off[1]), yaw + float(off[2])
        return roll, pitch, yaw - float(self._heading_error_rad[i])

    def height_agl_m(self, seconds: float, now: Disturbances, height_m: float) -> float:
        """Height above ground as it is told."""
        if self._hit(now.height_nan_share):
            return NAN
        told = height_m * (1.0 + now.height_scale_error)
        if int(seconds / now.height_step_every_s) % 2:
            told += now.height_step_m
        return told + (float(self._rng.normal(0.0, now.height_jump_m)) if self._hit(now.jump_share) else 0.0)

    def odometry_m(self, seconds: float, now: Disturbances, east_north_m: tuple[float, float]) -> tuple[float, float]:
        """Dead-reckoned position as it is told."""
        if now.odometry_jump_m > 0.0 and seconds >= self._next_jump_s:
            self._origin_m += self._rng.normal(0.0, now.odometry_jump_m, 2)
            self._next_jump_s = seconds + now.odometry_jump_every_s
        if self._hit(now.odometry_nan_share):
            return NAN, NAN
        return east_north_m[0] + float(self._origin_m[0]), east_north_m[1] + float(self._origin_m[1])

    def _hit(self, share: float) -> bool:
        return share > 0.0 and bool(self._rng.random() < share)
