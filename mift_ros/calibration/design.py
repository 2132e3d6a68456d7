"""The covariances of many matches as sums of parts with unknown weights; the parts come from the covariance itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mift_ros.localization.covariance import ErrorModel, ErrorSources, Known, covariance, height_sigma_m

Vector = npt.NDArray[np.float64]
FACTORS = np.geomspace(0.3, 100.0, 31)
"""Multiples of the error by noise that are tried."""
KNOWN = Known(attitude=True, altitude=False)
NOTHING = ErrorModel(1e-6, 0.0, 0.0, 0.0, 1e-6, 0.0, 1e-6, 0.0, 0.0, 1.0)
WEIGHTS = ("residual_m", "parallax_m", "attitude_rad", "pull")


@dataclass(frozen=True)
class Design:
    """Parts over east and north of N matches, for F factors.

    `alignment` [F, N, 2, 2] and the variances `heading`, `scale` [F, N] per factor; `by_heading`, `by_scale` [N, 2, 2]
    per unit of those variances; `parts` [4, N, 2, 2] per squared unit of WEIGHTS.
    """

    alignment: Vector
    heading: Vector
    scale: Vector
    by_heading: Vector
    by_scale: Vector
    parts: Vector

    def taken(self, chosen: npt.NDArray[np.bool_]) -> Design:
        """Of some of the matches."""
        return Design(
            self.alignment[:, chosen], self.heading[:, chosen], self.scale[:, chosen], self.by_heading[chosen],
            self.by_scale[chosen], self.parts[:, chosen],
        )  # fmt: skip

    def turned(self, factor: int, floor: float) -> Vector:
        """What the error of the heading adds [N, 2, 2]."""
        return np.asarray((self.heading[factor] + floor**2)[:, None, None] * self.by_heading)

    def scaled(self, factor: int, floor: float) -> Vector:
        """What the error of the scale adds [N, 2, 2]."""
        return np.asarray((self.scale[factor] + floor**2)[:, None, None] * self.by_scale)


def design_of(sources: Sequence[ErrorSources]) -> Design:
    """The parts, each the covariance of a model that knows nothing else."""
    none = horizontal(sources, NOTHING)
    return Design(
        np.stack([horizontal(sources, replace(NOTHING, alignment=float(k))) for k in FACTORS]),
        np.array([[covariance(s, replace(NOTHING, heading=float(k)), KNOWN)[5, 5] for s in sources] for k in FACTORS]),
        np.array([[_scale_variance(s, float(k)) for s in sources] for k in FACTORS]),
        horizontal(sources, replace(NOTHING, heading_floor_rad=1.0)) - none,
        horizontal(sources, replace(NOTHING, scale_floor=1.0)) - none,
        np.stack([horizontal(sources, replace(NOTHING, **{name: 1.0})) - none for name in WEIGHTS]),
    )


def horizontal(sources: Sequence[ErrorSources], model: ErrorModel) -> Vector:
    """Covariances [N, 2, 2] over east and north."""
    return np.stack([covariance(s, model, KNOWN)[:2, :2] for s in sources])


def _scale_variance(sources: ErrorSources, factor: float) -> float:
    return (height_sigma_m(sources, replace(NOTHING, scale=factor)) / sources.height_agl_m) ** 2
