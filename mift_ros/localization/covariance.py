"""The covariance of a fix, put together from what its error is made of.

The error of a fix has sources that are each measured in the frame itself (`ErrorSources`): how sharply the view fits,
how high the camera is, how far from under it the ground lies that was matched. How much each source weighs
(`ErrorModel`) is a property of vehicle, model and map, fitted to flights with truth by `mift calibrate`.

First order in small errors. With c the matched ground and o the way to it from under the camera, the vehicle is at
c - o, and an error of the measured rotation phi (ENU, true rotation = exp(phi) measured) moves o by

    d_o = (phi x r) + o * (phi x r).up / h,    r = (o, -h),

the ray to the ground, cut with the plane of the ground again. Over a terrain the altitude is that of the matched ground
plus the height that the scale gives, so that it errs with c by the slope of the ground there, and with the scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float64]
ALTITUDE_SIGMA_M = 10.0
"""One sigma of an altitude above the ellipsoid that the telemetry gave."""
UNKNOWN_ALTITUDE_SIGMA_M = 1e4
LEVEL_SIGMA_RAD = math.radians(10.0)
"""Roll and pitch of a vehicle of which only the gimbal is known to be level."""
SEARCHED_M = 24.0
"""The alignment searched this far: of a direction in which everything fits alike, no more is known."""
LARGEST_SIGMA = 1e6
"""Metres or radians beyond which a number is as good as infinite, but can still be inverted."""
FAR_M = 1e5
"""Height and lever arm where they are not known, and the greatest that are taken."""
SHARPEST = 1e9
STEEPEST = (-10.0, 10.0)


@dataclass(frozen=True)
class ErrorSources:
    """What the error of one match depends on; metres in ENU, radians.

    `sharpness` [2, 2] is the curvature of the correlation over east and north at the match, relative to its height (per
    m^2); `heading_sharpness` and `scale_sharpness` are the same over heading (per rad^2) and relative height. `drift_m`
    [2, 2] is how far the best place moves per radian of heading (first column, clockwise) and per unit of relative
    height. `significance` is the match's. `offset_m` [2] leads from under the camera to the centre of the matched
    ground, `height_agl_m` is above that ground, and `slope` [2] is how it rises per metre east and north (0 where it is
    taken as level). `heading_reach_rad` and `scale_reach` are how far the alignment searched. `pull_m` [2] is how far
    smoothing moved the best place.
    """

    sharpness: Matrix
    heading_sharpness: float
    scale_sharpness: float
    drift_m: Matrix
    significance: float
    offset_m: tuple[float, float]
    height_agl_m: float
    gsd_m: float
    heading_reach_rad: float
    scale_reach: float
    slope: tuple[float, float] = (0.0, 0.0)
    pull_m: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class ErrorModel:
    """How much each source weighs, one sigma each.

    `alignment`, `heading` and `scale` multiply the error that noise as strong as that of random places would cause.
    `residual_m` per axis is what does not depend on the frame: relief, roofs that lean, the map's own distortion.
    `parallax_m` is the same in proportion to the tangent of the view's tilt: error of the ground's height.
    `attitude_rad` is of roll and pitch each, `heading_floor_rad` and `scale_floor` bound what curvature can promise.
    `pull` is the part of the seen pull that may be left: shadows of one picture that have no like in the other.
    `scale_share` is the part of the scale's error that moves the place: relief and roofs change the scale at which
    ground is seen, and hardly where it is.
    """

    alignment: float
    residual_m: float
    parallax_m: float
    attitude_rad: float
    heading: float
    heading_floor_rad: float
    scale: float
    scale_floor: float
    pull: float
    scale_share: float


@dataclass(frozen=True)
class Known:
    """What is known besides the match: the vehicle's attitude (else only the camera is level) and altitude; map errors.

    `terrain_sigma_m` is of the heights of a terrain that the altitude was made of, NaN when it came from the telemetry.
    """

    attitude: bool
    altitude: bool
    map_sigma_m: float = 0.0
    terrain_sigma_m: float = math.nan


def covariance(sources: ErrorSources, model: ErrorModel, known: Known) -> Matrix:
    """6x6 over (east, north, up, rotations about east, north, up) in m^2 and rad^2; finite, symmetric, definite."""
    sources = _usable(sources)
    heading_var, scale_var = _turn_variance(sources, model), _scale_variance(sources, model)
    parts = np.zeros((6, 6))
    ground = _alignment(sources, model) + np.eye(2) * (model.residual_m**2 + known.map_sigma_m**2)
    ground += model.pull**2 * _outer(np.array(sources.pull_m))
    parts[:3, :3] = _climbed(ground, sources)
    parts[:2, :2] += _parallax(sources, model)
    parts += heading_var * _outer(_by_heading(sources))
    parts += scale_var * _outer(_by_scale(sources, model.scale_share))
    for column in _by_attitude(sources, coupled=known.attitude):
        parts += model.attitude_rad**2 * _outer(column)
    if not known.attitude:
        parts[3, 3] = parts[4, 4] = LEVEL_SIGMA_RAD**2
    if math.isfinite(known.terrain_sigma_m):
        parts[2, 2] += known.terrain_sigma_m**2
    else:
        parts[2, :] = parts[:, 2] = 0.0
        parts[2, 2] = (ALTITUDE_SIGMA_M if known.altitude else UNKNOWN_ALTITUDE_SIGMA_M) ** 2
    return definite(parts)


def height_sigma_m(sources: ErrorSources, model: ErrorModel) -> float:
    """One sigma of the height above ground that the alignment's scale gives."""
    sources = _usable(sources)
    return sources.height_agl_m * math.sqrt(_scale_variance(sources, model))


def _usable(sources: ErrorSources) -> ErrorSources:
    """With every number in the range where arithmetic holds; what is not a number says nothing."""
    east, north = sources.offset_m
    return ErrorSources(
        sharpness=np.clip(np.nan_to_num(sources.sharpness, nan=0.0), -SHARPEST, SHARPEST),
        heading_sharpness=_ranged(sources.heading_sharpness, 0.0, SHARPEST, 0.0),
        scale_sharpness=_ranged(sources.scale_sharpness, 0.0, SHARPEST, 0.0),
        drift_m=np.clip(np.nan_to_num(sources.drift_m, nan=0.0), -FAR_M, FAR_M),
        significance=_ranged(sources.significance, 1.0, 1e3, 1.0),
        offset_m=(_ranged(east, -FAR_M, FAR_M, FAR_M), _ranged(north, -FAR_M, FAR_M, FAR_M)),
        height_agl_m=_ranged(sources.height_agl_m, 1.0, FAR_M, FAR_M),
        gsd_m=_ranged(sources.gsd_m, 0.0, FAR_M, FAR_M),
        heading_reach_rad=_ranged(sources.heading_reach_rad, 1e-3, math.pi, math.pi),
        scale_reach=_ranged(sources.scale_reach, 1e-3, 1.0, 1.0),
        slope=(_ranged(sources.slope[0], *STEEPEST, 0.0), _ranged(sources.slope[1], *STEEPEST, 0.0)),
        pull_m=(_ranged(sources.pull_m[0], -FAR_M, FAR_M, FAR_M), _ranged(sources.pull_m[1], -FAR_M, FAR_M, FAR_M)),
    )


def _ranged(value: float, low: float, high: float, unknown: float) -> float:
    return unknown if math.isnan(value) else min(max(value, low), high)


def definite(matrix: Matrix) -> Matrix:
    """The nearest usable covariance: finite, symmetric, every eigenvalue between 1e-12 and LARGEST_SIGMA squared.

    Where a number is not finite nothing is known of that axis.
    """
    out = np.clip(np.where(np.isfinite(matrix), matrix, 0.0), -(LARGEST_SIGMA**2), LARGEST_SIGMA**2)
    lost = ~np.isfinite(matrix).all(axis=0) | ~np.isfinite(matrix).all(axis=1)
    out[lost] = out[:, lost] = 0.0
    out[lost, lost] = LARGEST_SIGMA**2
    out = (out + out.T) / 2
    # scaled to a unit diagonal first: rounding at 1e12 must not drown an axis at 1e-6
    size = np.sqrt(np.maximum(np.diag(out), 1e-12))
    values, vectors = np.linalg.eigh(np.clip(out / np.outer(size, size), -1.0, 1.0))
    out = (vectors * np.maximum(values, 1e-9)) @ vectors.T * np.outer(size, size)
    return np.asarray((out + out.T) / 2)


def _alignment(sources: ErrorSources, model: ErrorModel) -> Matrix:
    """Of the matched ground: noise over curvature, but no more than the search could find, and half a pixel."""
    precision = sources.sharpness * _noise_precision(sources.significance, model.alignment)
    values, vectors = np.linalg.eigh((precision + precision.T) / 2)
    variances = 1.0 / (np.maximum(values, 0.0) + SEARCHED_M**-2)
    return np.asarray((vectors * variances) @ vectors.T + np.eye(2) * sources.gsd_m**2 / 12)


def _climbed(ground: Matrix, sources: ErrorSources) -> Matrix:
    """Covariance [3, 3] of a point of the ground of which that over east and north is given: it stays on the slope."""
    lift = np.array([[1.0, 0.0], [0.0, 1.0], sources.slope])
    return np.asarray(lift @ ground @ lift.T)


def _parallax(sources: ErrorSources, model: ErrorModel) -> Matrix:
    """Ground that is higher or lower than taken is seen displaced along the line of sight."""
    tangent = np.array(sources.offset_m) / sources.height_agl_m
    return model.parallax_m**2 * np.outer(tangent, tangent)


def _turn_variance(sources: ErrorSources, model: ErrorModel) -> float:
    precision = sources.heading_sharpness * _noise_precision(sources.significance, model.heading)
    return _bounded(precision, sources.heading_reach_rad) + model.heading_floor_rad**2


def _scale_variance(sources: ErrorSources, model: ErrorModel) -> float:
    precision = sources.scale_sharpness * _noise_precision(sources.significance, model.scale)
    return _bounded(precision, sources.scale_reach) + model.scale_floor**2


def _noise_precision(significance: float, factor: float) -> float:
    """Relative curvature times this is the inverse variance of the peak of a correlation in noise."""
    return (significance / factor) ** 2


def _bounded(precision: float, reach: float) -> float:
    """Variance of a precision that a search over +-reach adds its own to."""
    return 1.0 / (precision + reach**-2)


def _by_heading(sources: ErrorSources) -> Matrix:
    """Error state [6] per radian about up (counter-clockwise) by which the matched heading is wrong."""
    east, north = sources.offset_m
    drift = -sources.drift_m[:, 0]
    return np.array([drift[0] + north, drift[1] - east, drift @ sources.slope, 0.0, 0.0, 1.0])


def _by_scale(sources: ErrorSources, share: float) -> Matrix:
    """Error state [6] per unit of relative height by which the matched scale is wrong; a share moves the place."""
    drift = share * np.asarray(sources.drift_m)[:, 1]
    east, north = drift - share * np.array(sources.offset_m)
    return np.array([east, north, drift @ sources.slope + sources.height_agl_m, 0.0, 0.0, 0.0])


def _by_attitude(sources: ErrorSources, coupled: bool) -> list[Matrix]:
    """Error states [6] per radian about east and about north by which the measured attitude is wrong.

    `coupled` when the published orientation carries that error too.
    """
    east, north = sources.offset_m
    h = sources.height_agl_m
    turn = 1.0 if coupled else 0.0
    return [
        np.array([-east * north / h, -(h + north**2 / h), 0.0, turn, 0.0, 0.0]),
        np.array([h + east**2 / h, east * north / h, 0.0, 0.0, turn, 0.0]),
    ]


def _outer(column: Matrix) -> Matrix:
    return np.outer(column, column)
