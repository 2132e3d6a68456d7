"""How the vehicle moved between two exposures, as far as the telemetry can be believed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mift_ros.geometry.frames import wrap_deg
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.types import Telemetry

ODOMETRY_FLOOR_M = 1.0
"""One sigma of an odometry step however short it is: stamps, and the lever arm between its sensor and the camera."""
JUMP_FACTOR = 1.5
JUMP_FLOOR_M = 5.0
"""An odometry step is a jump or a reset beyond this factor of the fastest speed, plus this distance."""
TURN_RATE_DEGPS = 20.0
"""One sigma of the heading's change per second when nothing tells it."""
GYRO_DRIFT_DEGPS = 0.1
"""One sigma of the drift of a gyro's heading."""
CLIMB_MPS = 2.0
"""One sigma of the change of height per second when nothing tells it."""
HEIGHT_STEP = 1.25
"""A height that changes by more than this factor between frames is a step of the sensor, not a climb."""


@dataclass(frozen=True)
class Motion:
    """Displacement over `elapsed_s`.

    `shift_m` is east/north, None when unknown; `shift_sigma_m` its one sigma per axis. `turn_deg` is the change of
    heading, clockwise, and `growth` the factor of the height above ground, with one sigma each (`growth_sigma_m` in
    metres).
    """

    elapsed_s: float
    shift_m: tuple[float, float] | None
    shift_sigma_m: float
    turn_deg: float
    turn_sigma_deg: float
    growth: float
    growth_sigma_m: float


def motion_between(before: Telemetry, now: Telemetry, elapsed_s: float, config: LocalizerConfig) -> Motion:
    """From one exposure to the next; what jumps further than a vehicle can is taken as unknown."""
    shift = _odometry_step(before, now, elapsed_s, config)
    sigma = ODOMETRY_FLOOR_M + config.odometry_sigma * math.hypot(*shift) if shift else 0.0
    turn_deg, turn_sigma_deg = _turn(before, now, elapsed_s, config)
    growth = now.height_agl_m / before.height_agl_m if before.height_agl_m > 0 else math.nan
    known = 1 / HEIGHT_STEP <= growth <= HEIGHT_STEP
    climb_m = (0.1 if known else 1.0) * CLIMB_MPS * elapsed_s
    return Motion(elapsed_s, shift, sigma, turn_deg, turn_sigma_deg, growth if known else 1.0, climb_m)


def _odometry_step(
    before: Telemetry, now: Telemetry, elapsed_s: float, config: LocalizerConfig
) -> tuple[float, float] | None:
    east, north = (b - a for a, b in zip(before.odometry_enu_m, now.odometry_enu_m))
    reach = JUMP_FACTOR * config.max_speed_mps * elapsed_s + JUMP_FLOOR_M
    # a comparison with NaN is false
    return (east, north) if math.hypot(east, north) <= reach else None


def _turn(before: Telemetry, now: Telemetry, elapsed_s: float, config: LocalizerConfig) -> tuple[float, float]:
    """Change of heading and one sigma, from the gyro's heading, else from the true one, else from nothing."""
    turn = now.gyro_heading_deg - before.gyro_heading_deg
    if not math.isfinite(turn) and config.use_heading:
        turn = now.heading_deg - before.heading_deg
    if not math.isfinite(turn):
        return 0.0, TURN_RATE_DEGPS * elapsed_s
    return wrap_deg(turn), GYRO_DRIFT_DEGPS * elapsed_s
