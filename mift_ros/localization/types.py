"""What goes into the localizer and what comes out: Frame and Telemetry in, Fix or Rejection out."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.camera import CameraModel
from mift_ros.localization.covariance import ErrorSources

NAN = math.nan


@dataclass(frozen=True)
class Frame:
    """One exposure: `stamp_ns` of the exposure (ROS time), `image` RGB [H, W, 3] uint8, and the camera that took it."""

    stamp_ns: int
    image: npt.NDArray[np.uint8]
    camera: CameraModel


@dataclass(frozen=True)
class Prior:
    """A position believed from elsewhere: WGS 84 degrees and one standard deviation per axis in metres.

    `age_s` is the time between it and the exposure.
    """

    lat_deg: float
    lon_deg: float
    sigma_m: float
    age_s: float = 0.0


@dataclass(frozen=True)
class Telemetry:
    """What the vehicle knows at the exposure; NaN or None is unknown.

    Attitude is of the body (FLU) in ENU as in REP-103: `roll_rad` positive right side down, `pitch_rad` positive nose
    down. `heading_deg` is clockwise from true north. `height_agl_m` is above the ground under the vehicle.
    `gyro_heading_deg` is clockwise from any start: only its changes count, so it needs no compass. `odometry_enu_m` is
    an east/north position in metres from any fixed start, used only by its differences. `attitude_late_s` is by how
    much the newest attitude is older than the exposure (negative: newer), to explain why there is none.
    """

    roll_rad: float = NAN
    pitch_rad: float = NAN
    heading_deg: float = NAN
    height_agl_m: float = NAN
    altitude_ellipsoid_m: float = NAN
    odometry_enu_m: tuple[float, float] = (NAN, NAN)
    prior: Prior | None = None
    gyro_heading_deg: float = NAN
    attitude_late_s: float = NAN


class Reason(enum.Enum):
    """Why there is no fix; closed: consumers may switch on it."""

    NO_TELEMETRY = "no-telemetry"
    BAD_IMAGE = "bad-image"
    BLURRED = "blurred"
    TEXTURELESS = "textureless"
    OBLIQUE = "oblique"
    SMALL_FOOTPRINT = "small-footprint"
    OUT_OF_MAP = "out-of-map"
    LOW_SIMILARITY = "low-similarity"
    AMBIGUOUS = "ambiguous"
    INCONSISTENT = "inconsistent"
    STALE = "stale"


class Place(NamedTuple):
    """Where the vehicle would be in the map frame if one of the compared places were the right one."""

    east_m: float
    north_m: float
    heading_deg: float
    significance: float


@dataclass(frozen=True)
class Match:
    """What the decision rests on, for the debug image, the report and the calibration.

    `patch` is the rectified north-up ground patch [S, S, 3] uint8, `centre_m` its believed centre in the map frame.
    `places` are the places compared at last, best first, `sources` what the error of the first is made of.
    `height_agl_m` is the height above the ground under the vehicle as the first has it.
    """

    patch: npt.NDArray[np.uint8]
    centre_m: tuple[float, float]
    size_m: float
    places: tuple[Place, ...]
    sources: ErrorSources
    height_agl_m: float = NAN


@dataclass(frozen=True)
class Fix:
    """Where the vehicle was at `stamp_ns`.

    `heading_deg` is clockwise from true north, `position_m` east and north in the map frame.
    `orientation_enu` is the body to ENU quaternion (x, y, z, w), level where `use_attitude` is false: the variances say
    that roll and pitch are then known to 10 degrees only.
    `covariance` [6, 6] is over (east, north, up, rotation about east, north, up) in m^2 and rad^2, always finite, with
    very large variances for what is unknown; `covariance_calibrated` says whether it comes from held-out residuals.
    `similarity` is the correlation of the match, about 1 at most, `significance` by how many sigma it stands out, in
    edges and brightness (standing.py), from what the same view scores at random places of the map, `lead` by how many
    from the best other place. `height_agl_m` is the height above ground as the match has it, with one sigma.
    """

    stamp_ns: int
    lat_deg: float
    lon_deg: float
    altitude_ellipsoid_m: float
    heading_deg: float
    orientation_enu: tuple[float, float, float, float]
    covariance: npt.NDArray[np.float64]
    covariance_calibrated: bool
    position_m: tuple[float, float]
    similarity: float
    lead: float
    inliers: int
    latency_s: float
    significance: float = NAN
    height_agl_m: float = NAN
    height_agl_sigma_m: float = NAN
    match: Match | None = None


@dataclass(frozen=True)
class Rejection:
    """Why there is no fix for the frame at `stamp_ns`, with the numbers that led to it."""

    stamp_ns: int
    reason: Reason
    detail: str
    numbers: dict[str, float] = field(default_factory=dict)
    latency_s: float = NAN
    match: Match | None = None


Result: TypeAlias = "Fix | Rejection"
