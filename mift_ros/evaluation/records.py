"""What the evaluation keeps of one frame: the truth and either a fix or the reason why there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.localization.types import Fix, Result

NAN = math.nan


class Truth(NamedTuple):
    """Where the vehicle was: WGS 84 degrees, metres above the ellipsoid, degrees from true north; NaN is unknown."""

    lat_deg: float
    lon_deg: float
    altitude_ellipsoid_m: float = NAN
    heading_deg: float = NAN


@dataclass(frozen=True)
class FixRecord:
    """The part of a Fix that is judged; `covariance` [6, 6] is in m^2 and rad^2 over ENU, as in Fix."""

    lat_deg: float
    lon_deg: float
    altitude_ellipsoid_m: float
    heading_deg: float
    covariance: npt.NDArray[np.float64]
    covariance_calibrated: bool
    similarity: float
    lead: float
    significance: float = NAN


@dataclass(frozen=True)
class FrameRecord:
    """One frame of a replay: either `fix` is given, or `reason` (a Reason's value) with `detail` is.

    `numbers` are those that the gate decided by, as far as the answer tells them.
    """

    stamp_ns: int
    truth: Truth | None
    fix: FixRecord | None = None
    reason: str = ""
    detail: str = ""
    latency_s: float = NAN
    numbers: Mapping[str, float] = field(default_factory=dict)


def record_of(result: Result, truth: Truth | None) -> FrameRecord:
    """The record of what the localizer answered."""
    if isinstance(result, Fix):
        fix = FixRecord(
            result.lat_deg, result.lon_deg, result.altitude_ellipsoid_m, result.heading_deg,
            result.covariance, result.covariance_calibrated, result.similarity, result.lead,
            result.significance,
        )  # fmt: skip
        return FrameRecord(result.stamp_ns, truth, fix=fix, latency_s=result.latency_s)
    return FrameRecord(
        result.stamp_ns, truth, reason=result.reason.value, detail=result.detail, latency_s=result.latency_s,
        numbers=result.numbers,
    )  # fmt: skip
