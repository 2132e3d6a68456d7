"""The covariance of a fix: approximate until it is calibrated on held-out flights, and said to be so."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.types import Telemetry

ATTITUDE_SIGMA_RAD = math.radians(2.0)
"""Roll and pitch of a small autopilot's filter in flight."""
GIMBAL_SIGMA_RAD = math.radians(10.0)
"""Roll and pitch of the vehicle when only the gimbal is known to be level."""
ALTITUDE_SIGMA_M = 10.0
UNKNOWN_ALTITUDE_SIGMA_M = 1e4


def approximate_covariance(
    telemetry: Telemetry, config: LocalizerConfig, height_agl_m: float, heading_sigma_deg: float
) -> npt.NDArray[np.float64]:
    """6x6 over (east, north, up, rotations about east, north, up), m^2 and rad^2, diagonal.

    An attitude error moves the ground point by itself times the height, on top of the residual of the match.
    """
    tilt_sigma_m = ATTITUDE_SIGMA_RAD * height_agl_m
    horizontal = config.position_sigma_m**2 + tilt_sigma_m**2
    known = math.isfinite(telemetry.altitude_ellipsoid_m)
    vertical = (ALTITUDE_SIGMA_M if known else UNKNOWN_ALTITUDE_SIGMA_M) ** 2
    tilt = (ATTITUDE_SIGMA_RAD if config.use_attitude else GIMBAL_SIGMA_RAD) ** 2
    return np.diag([horizontal, horizontal, vertical, tilt, tilt, math.radians(heading_sigma_deg) ** 2])
