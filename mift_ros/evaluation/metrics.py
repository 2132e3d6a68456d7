"""How good a replay was: pure functions from records to figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from pyproj import Geod

from mift_ros.evaluation.records import FixRecord, FrameRecord, Truth
from mift_ros.geometry.frames import wrap_deg

WGS84 = Geod(ellps="WGS84")
NAN = math.nan

FALSE_SIGMA = 3.0
FALSE_MIN_M = 30.0
"""A fix is false when its error is beyond FALSE_SIGMA of its own covariance and beyond FALSE_MIN_M."""
FAR_M = 60.0
"""A fix further off than this is counted as far off whatever it says of itself."""
GAUSS_SHARES = tuple(1.0 - math.exp(-0.5 * k * k) for k in (1, 2, 3))
"""Share of errors that a right two-dimensional covariance has inside 1, 2, 3 sigma: 39, 86, 99 %."""


@dataclass(frozen=True)
class Error:
    """A fix against the truth: east and north of it, length, distance in sigmas (Mahalanobis), heading; NaN unknown."""

    east_m: float
    north_m: float
    horizontal_m: float
    sigmas: float
    heading_deg: float

    @property
    def is_false(self) -> bool:
        """Far outside what the fix says of itself."""
        return self.horizontal_m > FALSE_MIN_M and self.sigmas > FALSE_SIGMA


@dataclass(frozen=True)
class Summary:
    """Figures of one replay; NaN where there is nothing to judge.

    `within_sigma` are the shares of errors inside 1, 2, 3 sigma, `nees` is the mean squared distance in sigmas (2 for a
    right covariance). Shares are of fixes with a truth, availability is of all frames.
    """

    frames: int
    fixes: int
    judged: int
    median_m: float
    p90_m: float
    max_m: float
    false_share: float
    far_share: float
    heading_median_deg: float
    latency_p50_s: float
    latency_p95_s: float
    within_sigma: tuple[float, float, float]
    nees: float
    calibrated: bool
    reasons: dict[str, int]

    @property
    def availability(self) -> float:
        """Share of frames that gave a fix."""
        return self.fixes / self.frames if self.frames else NAN


def error_of(fix: FixRecord, truth: Truth) -> Error:
    """The geodesic from the truth to the fix, and how it compares with the covariance of the fix."""
    azimuth_deg, _, length_m = WGS84.inv(truth.lon_deg, truth.lat_deg, fix.lon_deg, fix.lat_deg)
    east, north = (length_m * f(math.radians(azimuth_deg)) for f in (math.sin, math.cos))
    offset = np.array([east, north])
    try:
        squared = float(offset @ np.linalg.solve(fix.covariance[:2, :2], offset))
    except np.linalg.LinAlgError:
        squared = NAN
    sigmas = math.sqrt(squared) if squared >= 0 else NAN
    return Error(east, north, length_m, sigmas, abs(wrap_deg(fix.heading_deg - truth.heading_deg)))


def errors_of(records: Sequence[FrameRecord]) -> list[Error | None]:
    """The error of each record, None without a fix or a truth."""
    return [error_of(r.fix, r.truth) if r.fix and r.truth else None for r in records]


def summarise(records: Sequence[FrameRecord]) -> Summary:
    """Figures over all records."""
    errors = [error for error in errors_of(records) if error is not None]
    metres = [error.horizontal_m for error in errors]
    sigmas = [error.sigmas for error in errors if math.isfinite(error.sigmas)]
    latencies = [r.latency_s for r in records]
    fixes = [r.fix for r in records if r.fix]
    return Summary(
        frames=len(records),
        fixes=len(fixes),
        judged=len(errors),
        median_m=percentile(metres, 50),
        p90_m=percentile(metres, 90),
        max_m=percentile(metres, 100),
        false_share=_share([error.is_false for error in errors]),
        far_share=_share([metre > FAR_M for metre in metres]),
        heading_median_deg=percentile([error.heading_deg for error in errors], 50),
        latency_p50_s=percentile(latencies, 50),
        latency_p95_s=percentile(latencies, 95),
        within_sigma=(_within(sigmas, 1), _within(sigmas, 2), _within(sigmas, 3)),
        nees=float(np.mean(np.square(sigmas))) if sigmas else NAN,
        calibrated=bool(fixes) and all(fix.covariance_calibrated for fix in fixes),
        reasons=dict(Counter(r.reason for r in records if r.reason).most_common()),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Percentile (linear interpolation) of the finite values, NaN if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return float(np.percentile(finite, share)) if finite else NAN


def _share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else NAN


def _within(sigmas: Sequence[float], limit: int) -> float:
    return _share([value <= limit for value in sigmas])
