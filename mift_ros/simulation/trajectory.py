"""A flight path: way points, steering with a turn rate, terrain following, and an attitude as wind makes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
import numpy.typing as npt

from mift_ros.errors import SimulationError
from mift_ros.simulation.scene import Scene

Vector = npt.NDArray[np.float64]

GRAVITY_MPS2 = 9.81
TURN_RATE_RADPS = 0.4
STEP_S = 0.01


class Pattern(str, Enum):
    """The order in which the ground is flown over."""

    LAWNMOWER = "lawnmower"
    WANDER = "wander"


@dataclass(frozen=True)
class Trajectory:
    """Truth every STEP_S: `time_s` [N], `position_m` [N, 3] (east, north, ellipsoid altitude), `height_agl_m` [N].

    `rpy_rad` [N, 3] is roll, pitch (positive nose down) and yaw (counter-clockwise from east, unwrapped).
    """

    time_s: Vector
    position_m: Vector
    rpy_rad: Vector
    height_agl_m: Vector

    def at(self, time_s: float) -> tuple[Vector, Vector]:
        """Position [3] and roll, pitch, yaw [3], linear between samples."""
        position = [np.interp(time_s, self.time_s, column) for column in self.position_m.T]
        return np.array(position), np.array([np.interp(time_s, self.time_s, column) for column in self.rpy_rad.T])


def fly(
    scene: Scene, pattern: Pattern, seconds: float, speed_mps: float, height_agl_m: float, margin_m: float,
    rng: np.random.Generator, way_points_m: Sequence[tuple[float, float]] = (),
) -> Trajectory:  # fmt: skip
    """Fly for a time, staying `margin_m` inside the scene; `way_points_m` (east, north) replace the pattern.

    Raises:
        SimulationError: the scene is too small, or a way point lies too close to its edge.
    """
    west, south, east, north = scene.extent_m
    radius = speed_mps / TURN_RATE_RADPS
    keep = margin_m + 2.0 * radius
    if min(east - west, north - south) < 2.2 * keep:
        raise SimulationError(
            f"the map is {east - west:.0f} x {north - south:.0f} m; flying at {height_agl_m:g} m and {speed_mps:g} m/s "
            f"needs {2.2 * keep:.0f} m: fly lower or slower, or take a larger map"
        )
    box = np.array([[west + keep, south + keep], [east - keep, north - keep]])
    count = int(seconds / STEP_S) + 1
    if way_points_m:
        targets = _checked(way_points_m, box)
    else:
        targets = _lawnmower(box, rng) if pattern is Pattern.LAWNMOWER else _wander(box, rng, radius)
    track, course = _steer(targets, count, speed_mps, radius)
    terrain = np.asarray(scene.terrain.sample(track[:, :1], track[:, 1:]), float).ravel()
    altitude = smooth(terrain, 4.0) + height_agl_m * (1.0 + 0.02 * gusts(rng, count, 20.0))
    position = np.column_stack([track, altitude])
    return Trajectory(
        STEP_S * np.arange(count, dtype=float), position, _attitude(course, speed_mps, rng), altitude - terrain
    )


def _checked(way_points_m: Sequence[tuple[float, float]], box: Vector) -> Vector:
    """Way points [N, 2], all inside the box [2, 2] that may be flown."""
    points = np.array(way_points_m, float)
    outside = ((points < box[0]) | (points > box[1])).any(axis=1)
    if len(points) < 2 or outside.any():
        (west, south), (east, north) = box
        raise SimulationError(
            f"way points {way_points_m}: at least two are needed, in {west:.0f} to {east:.0f} m east and "
            f"{south:.0f} to {north:.0f} m north of the middle of the map"
        )
    return points


def _lawnmower(box: Vector, rng: np.random.Generator) -> Vector:
    """Way points [N, 2] of parallel legs along the longer side, repeated from the other end, in a random sense."""
    size = box[1] - box[0]
    along, across = (0, 1) if size[0] >= size[1] else (1, 0)
    offsets = np.linspace(0, size[across], max(2, round(size[across] / 90.0) + 1))
    legs = np.zeros((2 * len(offsets), 2))
    legs[:, across] = np.repeat(offsets, 2)
    legs[:, along] = np.resize([0.0, 1.0, 1.0, 0.0], len(legs)) * size[along]
    if rng.random() < 0.5:
        legs = size - legs
    return np.concatenate([box[0] + legs, box[0] + legs[::-1]])


def _wander(box: Vector, rng: np.random.Generator, radius_m: float) -> Vector:
    """Random way points [N, 2], each some turns away from the one before."""
    points = [rng.uniform(box[0], box[1])]
    apart = min(4.0 * radius_m, 0.4 * float((box[1] - box[0]).max()))
    while len(points) < 200:
        candidate = rng.uniform(box[0], box[1])
        if np.linalg.norm(candidate - points[-1]) > apart:
            points.append(candidate)
    return np.array(points)


def _steer(targets: Vector, count: int, speed_mps: float, radius_m: float) -> tuple[Vector, Vector]:
    """Positions [N, 2] and unwrapped course [N] (radians from east) of a vehicle that steers from point to point."""
    track, course = np.empty((count, 2)), np.empty(count)
    track[0] = targets[0]
    course[0] = math.atan2(*(targets[1] - targets[0])[::-1])
    goal, turn = 1, 0.0
    for i in range(1, count):
        east, north = targets[goal % len(targets)] - track[i - 1]
        if math.hypot(east, north) < radius_m:
            goal += 1
        error = (math.atan2(north, east) - course[i - 1] + math.pi) % (2 * math.pi) - math.pi
        wanted = max(-TURN_RATE_RADPS, min(TURN_RATE_RADPS, 1.2 * error))
        turn += (wanted - turn) * STEP_S / 0.5
        course[i] = course[i - 1] + turn * STEP_S
        step = speed_mps * STEP_S
        track[i] = track[i - 1] + (step * math.cos(course[i]), step * math.sin(course[i]))
    return track, course


def _attitude(course: Vector, speed_mps: float, rng: np.random.Generator) -> Vector:
    """Bank into turns, nose down in forward flight, gusts, and a crab angle that wanders."""
    count = len(course)
    lateral = speed_mps * np.gradient(course, STEP_S) / GRAVITY_MPS2
    roll = -0.5 * np.arctan(lateral) + math.radians(1.8) * gusts(rng, count, 2.5)
    pitch = math.radians(3.0) + math.radians(1.5) * gusts(rng, count, 2.5)
    yaw = course + math.radians(6.0) * gusts(rng, count, 30.0)
    return np.column_stack([roll, pitch, yaw])


def gusts(rng: np.random.Generator, count: int, period_s: float) -> Vector:
    """Band-limited noise [N] of about unit standard deviation: five sine waves around a period."""
    time = np.arange(count) * STEP_S
    periods = period_s * rng.uniform(0.5, 2.0, 5)
    phases = rng.uniform(0, 2 * math.pi, 5)
    return np.asarray(np.sin(2 * math.pi * time[:, None] / periods + phases).sum(axis=1) / math.sqrt(2.5))


def smooth(values: Vector, seconds: float) -> Vector:
    """Running mean over a time, the ends continued."""
    half = max(1, round(seconds / STEP_S / 2))
    padded = np.pad(values, half, mode="edge")
    sums = np.concatenate([[0.0], np.cumsum(padded)])
    return np.asarray((sums[2 * half + 1 :] - sums[: -2 * half - 1]) / (2 * half + 1))
