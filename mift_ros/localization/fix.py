"""From the matched frame to the Fix that is published."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mift_ros.cache.manifest import CacheManifest
from mift_ros.geometry.frames import LocalFrame, quaternion_from_rpy, yaw_from_heading
from mift_ros.geometry.terrain import ELLIPSOID, Terrain
from mift_ros.localization import gate
from mift_ros.localization.calibration import Calibration
from mift_ros.localization.chance import Noise
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import ErrorSources, Known, covariance, height_sigma_m
from mift_ros.localization.hypotheses import Hypotheses, attitude_rad
from mift_ros.localization.peak import Peak
from mift_ros.localization.refine import Alignment
from mift_ros.localization.terrain import Stance, rays_of, stand
from mift_ros.localization.types import Fix, Match, Place, Telemetry

HEADING_SIGMA_DEG = 2.0
SCALE_SIGMA = 0.02
"""One sigma of a heading and a relative height that the parameters forbid to search for."""
NO_PEAK = Peak(np.zeros((2, 2)), 0.0, 0.0, np.zeros((2, 2)))


@dataclass(frozen=True)
class Matched:
    """A frame's alignments, best first and at least one, the hypotheses they came from, and what chance would score.

    Without a `terrain`, and where it has no heights, the ground is taken as level.
    """

    hypotheses: Hypotheses
    alignments: tuple[Alignment, ...]
    noise: Noise
    telemetry: Telemetry
    config: LocalizerConfig
    gsd_m: float
    terrain: Terrain | None = None

    @property
    def best(self) -> Alignment:
        """The alignment that is published if the gate lets it."""
        return self.alignments[0]

    @property
    def significance(self) -> float:
        """By how many sigma the best alignment stands out from random places."""
        return self.noise.significance(self.best.score)

    @cached_property
    def stance(self) -> Stance:
        """Where the best alignment puts the vehicle."""
        return self.stance_at(self.best)

    @property
    def vehicle_m(self) -> tuple[float, float]:
        """East/north of the point under the camera at the best alignment."""
        return self.stance.vehicle_m

    @property
    def heading_deg(self) -> float:
        """Heading of the best alignment, less what the slope of the ground makes of it."""
        return self._heading_deg(self.best, self.stance)

    def vehicle_at(self, alignment: Alignment) -> tuple[float, float]:
        """East/north of the point under the camera."""
        return self.stance_at(alignment).vehicle_m

    def stance_at(self, alignment: Alignment) -> Stance:
        """Where an alignment puts the vehicle: over the terrain, or at the matched ground less the view's offset."""
        view, height_m = self.hypotheses.views[alignment.view], self.hypotheses.heights_m[alignment.view]
        if self.terrain is not None:
            rays = rays_of(view, height_m, alignment.heading_deg, alignment.scale, alignment.centre_m)
            measured_m = None if self.hypotheses.scale_step else height_m
            over = stand(self.terrain, rays, measured_m, turn=self.hypotheses.heading_step_deg > 0)
            if over is not None:
                return over
        east, north = view.offset_enu_m(alignment.heading_deg, alignment.scale)
        vehicle = alignment.centre_m[0] - float(east), alignment.centre_m[1] - float(north)
        return Stance(vehicle, math.nan, height_m * alignment.scale, height_m * alignment.scale)

    def sources(self) -> ErrorSources:
        """What the error of the best alignment is made of."""
        peak = self.best.peak or NO_PEAK
        return ErrorSources(
            sharpness=peak.sharpness,
            heading_sharpness=peak.heading_sharpness,
            scale_sharpness=peak.scale_sharpness,
            drift_m=peak.drift_m,
            significance=self.significance,
            offset_m=self._offset_m(),
            height_agl_m=self.stance.height_seen_m,
            gsd_m=self.gsd_m,
            heading_reach_rad=math.radians(self.hypotheses.heading_step_deg or HEADING_SIGMA_DEG),
            scale_reach=self.hypotheses.scale_step or SCALE_SIGMA,
            slope=self.stance.slope,
        )

    def picture(self, manifest: CacheManifest) -> Match:
        """The rectified patch as it was matched, for people, and the places it was compared with."""
        best = self.best
        view = self.hypotheses.views[best.view]
        patch, _ = view.patch(best.heading_deg, manifest.input_size, manifest.tile_gsd_m, best.scale)
        places = tuple(self._place(alignment) for alignment in self.alignments)
        return Match(patch, best.centre_m, manifest.tile_size_m, places, self.sources(), self.stance.height_agl_m)

    def _place(self, alignment: Alignment) -> Place:
        stance = self.stance if alignment is self.best else self.stance_at(alignment)
        heading_deg = self._heading_deg(alignment, stance)
        return Place(*stance.vehicle_m, heading_deg, self.noise.significance(alignment.score))

    def _offset_m(self) -> tuple[float, float]:
        """From under the camera to the centre of the matched ground."""
        (east, north), centre = self.stance.vehicle_m, self.best.centre_m
        return centre[0] - east, centre[1] - north

    @staticmethod
    def _heading_deg(alignment: Alignment, stance: Stance) -> float:
        return (alignment.heading_deg - math.degrees(stance.turned_rad)) % 360.0


def make_fix(stamp_ns: int, frame: LocalFrame, matched: Matched, match: Match, calibration: Calibration) -> Fix:
    """Position, orientation and covariance at the exposure; `frame` is that of the map."""
    best, telemetry, config, stance = matched.best, matched.telemetry, matched.config, matched.stance
    lat, lon = frame.to_geodetic(matched.vehicle_m)
    roll, pitch = attitude_rad(telemetry, config)
    errors = calibration.error_model(config)
    altitude_m, known = telemetry.altitude_ellipsoid_m, Known(config.use_attitude, False, config.map_sigma_m)
    if stance.on_terrain and matched.terrain is not None and matched.terrain.datum == ELLIPSOID:
        altitude_m, known = stance.altitude_m, replace(known, altitude=True, terrain_sigma_m=config.terrain_sigma_m)
    elif math.isfinite(altitude_m):
        known = replace(known, altitude=True)
    return Fix(
        stamp_ns=stamp_ns,
        lat_deg=float(lat),
        lon_deg=float(lon),
        altitude_ellipsoid_m=altitude_m,
        heading_deg=matched.heading_deg,
        orientation_enu=quaternion_from_rpy(roll, pitch, yaw_from_heading(matched.heading_deg)),
        covariance=covariance(match.sources, errors, known),
        covariance_calibrated=calibration.fitted,
        position_m=matched.vehicle_m,
        similarity=best.score,
        margin=gate.margin(matched.alignments),
        inliers=best.inliers,
        latency_s=math.nan,
        significance=matched.significance,
        height_agl_m=stance.height_agl_m,
        height_agl_sigma_m=height_sigma_m(match.sources, errors),
        match=match,
    )
