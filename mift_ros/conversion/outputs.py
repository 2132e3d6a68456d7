"""A Fix or a Rejection as the plain field values of the messages that carry it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mift_ros.localization.types import Fix, Rejection, Result

STATUS_FIX = 0
COVARIANCE_APPROXIMATED = 1
COVARIANCE_KNOWN = 3
"""sensor_msgs/NavSatStatus and NavSatFix constants."""

OK, WARN, ERROR = 0, 1, 2
"""diagnostic_msgs/DiagnosticStatus levels."""


@dataclass(frozen=True)
class Status:
    """One diagnostic_msgs/DiagnosticStatus: level, one line, and the numbers behind it."""

    level: int
    message: str
    values: dict[str, str]


def pose_covariance(fix: Fix) -> list[float]:
    """36 numbers, row-major, over east, north, up (m^2) and rotation about them (rad^2): also for GeoPose."""
    return [float(value) for value in fix.covariance.ravel()]


def position_covariance(fix: Fix) -> tuple[list[float], int]:
    """NavSatFix: 9 numbers ENU m^2 row-major, and the covariance type: known only if calibrated."""
    kind = COVARIANCE_KNOWN if fix.covariance_calibrated else COVARIANCE_APPROXIMATED
    return [float(value) for value in fix.covariance[:3, :3].ravel()], kind


def status_of(result: Result) -> Status:
    """What ~/status says of one frame: the fix with its quality, or the reason why there is none with its numbers."""
    return _of_fix(result) if isinstance(result, Fix) else _of_rejection(result)


def _of_fix(fix: Fix) -> Status:
    sigma_m = math.sqrt(float(max(fix.covariance[0, 0], fix.covariance[1, 1])))
    values = {
        "state": "fix",
        "lat_deg": f"{fix.lat_deg:.8f}",
        "lon_deg": f"{fix.lon_deg:.8f}",
        "altitude_ellipsoid_m": f"{fix.altitude_ellipsoid_m:.2f}",
        "heading_deg": f"{fix.heading_deg:.2f}",
        "sigma_m": f"{sigma_m:.2f}",
        "covariance": "calibrated" if fix.covariance_calibrated else "approximate",
        "similarity": f"{fix.similarity:.4f}",
        "lead": f"{fix.lead:.4f}",
        "inliers": str(fix.inliers),
        "latency_s": f"{fix.latency_s:.4f}",
    }
    return Status(OK, "fix", values)


def _of_rejection(rejection: Rejection) -> Status:
    numbers = {name: f"{value:.6g}" for name, value in rejection.numbers.items()}
    values = {"state": rejection.reason.value, "detail": rejection.detail, "latency_s": f"{rejection.latency_s:.4f}"}
    return Status(WARN, f"{rejection.reason.value}: {rejection.detail}", {**numbers, **values})
