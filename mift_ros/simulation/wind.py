"""What wind and gusts do to a path: crab angle and lean to hold the track, swings of track and attitude."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mift_ros.errors import SimulationError
from mift_ros.simulation.disturbances import Schedule, Vector
from mift_ros.simulation.trajectory import STEP_S, Trajectory, gusts, smooth

LEAN_AT_MPS, LEAN_RAD = 12.0, math.radians(3.0)
"""Airspeed at which a multirotor leans by this against its drag; the tangent grows with the square of the speed."""
ONSET_S = 2.0
"""Time over which a wind rises and falls."""


def in_wind(path: Trajectory, schedule: Schedule, speed_mps: float, rng: np.random.Generator) -> Trajectory:
    """The same way in wind, and with the constant tilt.

    Raises:
        SimulationError: the wind is not slower than the vehicle.
    """

    def over_time(name: str) -> Vector:
        return smooth(schedule.values(name, path.time_s), ONSET_S)

    period_s = schedule.at(0.0).gust_period_s
    swings = np.column_stack([gusts(rng, len(path.time_s), period_s) for _ in range(5)])
    # a swing of the velocity with this period and amplitude moves the vehicle by this much
    swing_m = over_time("gust_mps") * period_s / (2 * math.pi)
    position = path.position_m.copy()
    position[:, :2] += swing_m[:, None] * swings[:, :2]
    rpy = path.rpy_rad + np.radians(over_time("gust_tilt_deg"))[:, None] * swings[:, 2:]
    rpy[:, 1] += np.radians(over_time("tilt_deg"))
    if (schedule.values("wind_mps", path.time_s) >= speed_mps).any():
        raise SimulationError(f"the wind is as fast as the vehicle, {speed_mps:g} m/s: it cannot hold its track")
    from_deg = smooth(turning_the_short_way(schedule, path.time_s), ONSET_S)
    rpy += _holding_track(path, over_time("wind_mps"), from_deg)
    return replace(path, position_m=position, rpy_rad=rpy)


def turning_the_short_way(schedule: Schedule, time_s: Vector) -> Vector:
    """Where the wind blows from, degrees, without the jump at 360; where there is none its direction says nothing."""
    from_deg = schedule.values("wind_from_deg", time_s)
    blows = schedule.values("wind_mps", time_s) > 0.0
    from_deg[blows] = np.unwrap(from_deg[blows], period=360.0)
    return from_deg


def _holding_track(path: Trajectory, wind_mps: Vector, from_deg: Vector) -> Vector:
    """What steady wind adds to roll, pitch and yaw [N, 3] of a vehicle whose nose points where it flies in the air."""
    ground = np.gradient(path.position_m[:, :2], STEP_S, axis=0)
    towards = np.radians(from_deg + 180.0)
    wind = wind_mps[:, None] * np.column_stack([np.sin(towards), np.cos(towards)])
    course, through_air = (np.arctan2(v[:, 1], v[:, 0]) for v in (ground, ground - wind))
    crab = (through_air - course + math.pi) % (2 * math.pi) - math.pi
    airspeed, speed = np.linalg.norm(ground - wind, axis=1), np.linalg.norm(ground, axis=1)
    lean = _lean_rad(airspeed) - _lean_rad(speed)
    return np.column_stack([np.zeros_like(lean), lean, crab])


def _lean_rad(airspeed_mps: Vector) -> Vector:
    return np.asarray(np.arctan(math.tan(LEAN_RAD) * (airspeed_mps / LEAN_AT_MPS) ** 2))


def lagging(rpy_rad: Vector, lag_s: Vector) -> Vector:
    """Angles [N, 3] that follow others as a first-order lag with time constants [N]; without lag they are the same."""
    followed: Vector = rpy_rad.copy()
    gain = STEP_S / (STEP_S + lag_s)
    for i in range(1, len(followed)):
        followed[i] = followed[i - 1] + gain[i] * (rpy_rad[i] - followed[i - 1])
    return followed
