"""From the matched frame to the Fix that is published."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mift_ros.cache.manifest import CacheManifest
from mift_ros.geometry.frames import LocalFrame, quaternion_from_rpy, yaw_from_heading
from mift_ros.localization import gate
from mift_ros.localization.calibration import Calibration
from mift_ros.localization.chance import Noise
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import ErrorSources, Known, covariance, height_sigma_m
from mift_ros.localization.hypotheses import Hypotheses, attitude_rad
from mift_ros.localization.peak import Peak
from mift_ros.localization.refine import Alignment
from mift_ros.localization.types import Fix, Match, Place, Telemetry

HEADING_SIGMA_DEG = 2.0
SCALE_SIGMA = 0.02
"""One sigma of a heading and a relative height that the parameters forbid to search for."""
NO_PEAK = Peak(np.zeros((2, 2)), 0.0, 0.0, np.zeros((2, 2)))


@dataclass(frozen=True)
class Matched:
    """A frame's alignments, best first and at least one, the hypotheses they came from, and what chance would score."""

    hypotheses: Hypotheses
    alignments: tuple[Alignment, ...]
    noise: Noise
    telemetry: Telemetry
    config: LocalizerConfig
    gsd_m: float

    @property
    def best(self) -> Alignment:
        """The alignment that is published if the gate lets it."""
        return self.alignments[0]

    @property
    def significance(self) -> float:
        """By how many sigma the best alignment stands out from random places."""
        return self.noise.significance(self.best.score)

    @property
    def vehicle_m(self) -> tuple[float, float]:
        """East/north of the point under the camera at the best alignment."""
        return self.vehicle_at(self.best)

    @property
    def height_agl_m(self) -> float:
        """Height above ground as the best alignment's scale has it."""
        return self.hypotheses.heights_m[self.best.view] * self.best.scale

    def vehicle_at(self, alignment: Alignment) -> tuple[float, float]:
        """East/north of the point under the camera: the matched ground less the view's offset."""
        offset = self._offset_m(alignment)
        return alignment.centre_m[0] - offset[0], alignment.centre_m[1] - offset[1]

    def sources(self) -> ErrorSources:
        """What the error of the best alignment is made of."""
        peak = self.best.peak or NO_PEAK
        return ErrorSources(
            sharpness=peak.sharpness,
            heading_sharpness=peak.heading_sharpness,
            scale_sharpness=peak.scale_sharpness,
            drift_m=peak.drift_m,
            significance=self.significance,
            offset_m=self._offset_m(self.best),
            height_agl_m=self.height_agl_m,
            gsd_m=self.gsd_m,
            heading_reach_rad=math.radians(self.hypotheses.heading_step_deg or HEADING_SIGMA_DEG),
            scale_reach=self.hypotheses.scale_step or SCALE_SIGMA,
        )

    def picture(self, manifest: CacheManifest) -> Match:
        """The rectified patch as it was matched, for people, and the places it was compared with."""
        best = self.best
        view = self.hypotheses.views[best.view]
        patch, _ = view.patch(best.heading_deg, manifest.input_size, manifest.tile_gsd_m, best.scale)
        places = tuple(
            Place(*self.vehicle_at(a), a.heading_deg, self.noise.significance(a.score)) for a in self.alignments
        )
        return Match(patch, best.centre_m, manifest.tile_size_m, places, self.sources())

    def _offset_m(self, alignment: Alignment) -> tuple[float, float]:
        offset = self.hypotheses.views[alignment.view].offset_enu_m(alignment.heading_deg, alignment.scale)
        return float(offset[0]), float(offset[1])


def make_fix(stamp_ns: int, frame: LocalFrame, matched: Matched, match: Match, calibration: Calibration) -> Fix:
    """Position, orientation and covariance at the exposure; `frame` is that of the map."""
    best, telemetry, config = matched.best, matched.telemetry, matched.config
    lat, lon = frame.to_geodetic(matched.vehicle_m)
    roll, pitch = attitude_rad(telemetry, config)
    errors = calibration.error_model(config)
    known = Known(config.use_attitude, math.isfinite(telemetry.altitude_ellipsoid_m), config.map_sigma_m)
    return Fix(
        stamp_ns=stamp_ns,
        lat_deg=float(lat),
        lon_deg=float(lon),
        altitude_ellipsoid_m=telemetry.altitude_ellipsoid_m,
        heading_deg=best.heading_deg,
        orientation_enu=quaternion_from_rpy(roll, pitch, yaw_from_heading(best.heading_deg)),
        covariance=covariance(match.sources, errors, known),
        covariance_calibrated=calibration.fitted,
        position_m=matched.vehicle_m,
        similarity=best.score,
        margin=gate.margin(matched.alignments),
        inliers=best.inliers,
        latency_s=math.nan,
        significance=matched.significance,
        height_agl_m=matched.height_agl_m,
        height_agl_sigma_m=height_sigma_m(match.sources, errors),
        match=match,
    )
