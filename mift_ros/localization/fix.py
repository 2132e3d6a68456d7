"""From the matched frame to the Fix that is published."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mift_ros.cache.manifest import CacheManifest
from mift_ros.geometry.frames import LocalFrame, quaternion_from_rpy, yaw_from_heading
from mift_ros.geometry.terrain import ELLIPSOID, Terrain
from mift_ros.localization import gate
from mift_ros.localization.calibration import Calibration
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import ErrorSources, Known, covariance, height_sigma_m
from mift_ros.localization.hypotheses import Hypotheses, attitude_rad
from mift_ros.localization.peak import Peak
from mift_ros.localization.places import Alignment
from mift_ros.localization.standing import Standing
from mift_ros.localization.types import Fix, Match, Place, Telemetry

HEADING_SIGMA_DEG = 2.0
SCALE_SIGMA = 0.02
"""One sigma of a heading and a relative height that the parameters forbid to search for."""
SLOPE_REACH_M = 20.0
"""The slope of the ground is taken over so much to each side."""
NO_PEAK = Peak(np.zeros((2, 2)), 0.0, 0.0, np.zeros((2, 2)))


@dataclass(frozen=True)
class Matched:
    """A frame's alignments, best first and at least one, and the hypotheses they came from.

    `standings` are by how much each stands out from chance. Without a `terrain`, and where it has no heights, the
    ground is taken as level.
    """

    hypotheses: Hypotheses
    alignments: tuple[Alignment, ...]
    standings: tuple[Standing, ...]
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
        return self.standings[0].significance

    def lead(self, usual: float) -> float:
        """By how many sigma the best alignment stands out from the best other place: gate.lead."""
        return gate.lead([standing.significance for standing in self.standings], usual)

    def led_by(self, place: int, alignment: Alignment, standing: Standing) -> Matched:
        """The same with that place first, aligned and judged anew."""
        others = slice(place), slice(place + 1, None)
        return replace(
            self,
            alignments=(alignment, *(a for part in others for a in self.alignments[part])),
            standings=(standing, *(s for part in others for s in self.standings[part])),
        )

    @property
    def vehicle_m(self) -> tuple[float, float]:
        """East/north of the point under the camera at the best alignment."""
        return self.vehicle_at(self.best)

    @property
    def height_agl_m(self) -> float:
        """Height above the ground under the camera as the best alignment's scale has it."""
        return self.hypotheses.heights_m[self.best.view] * self.best.scale

    @property
    def altitude_m(self) -> float:
        """Altitude above the terrain's datum, NaN without a terrain there."""
        return math.nan if self.terrain is None else float(self.terrain.at(self.vehicle_m)) + self.height_agl_m

    def vehicle_at(self, alignment: Alignment) -> tuple[float, float]:
        """East/north of the point under the camera: the matched ground less the view's offset."""
        offset = self._offset_m(alignment)
        return alignment.centre_m[0] - offset[0], alignment.centre_m[1] - offset[1]

    def sources(self) -> ErrorSources:
        """What the error of the best alignment is made of."""
        peak = self.best.peak or NO_PEAK
        height_seen_m, slope = self._ground_seen()
        return ErrorSources(
            sharpness=peak.sharpness,
            heading_sharpness=peak.heading_sharpness,
            scale_sharpness=peak.scale_sharpness,
            drift_m=peak.drift_m,
            significance=self.standings[0].edges,
            offset_m=self._offset_m(self.best),
            height_agl_m=height_seen_m,
            gsd_m=self.gsd_m,
            heading_reach_rad=math.radians(self.hypotheses.heading_step_deg or HEADING_SIGMA_DEG),
            scale_reach=self.hypotheses.scale_step or SCALE_SIGMA,
            slope=slope,
            pull_m=peak.pull_m,
        )

    def picture(self, manifest: CacheManifest) -> Match:
        """The rectified patch as it was matched, for people, and the places it was compared with."""
        best = self.best
        view = self.hypotheses.views[best.view]
        patch, _ = view.patch(best.heading_deg, manifest.input_size, manifest.tile_gsd_m, best.scale)
        places = tuple(
            Place(*self.vehicle_at(alignment), alignment.heading_deg, standing.significance)
            for alignment, standing in zip(self.alignments, self.standings)
        )
        return Match(patch, best.centre_m, manifest.tile_size_m, places, self.sources(), self.height_agl_m)

    def _offset_m(self, alignment: Alignment) -> tuple[float, float]:
        offset = self.hypotheses.views[alignment.view].offset_enu_m(alignment.heading_deg, alignment.scale)
        return float(offset[0]), float(offset[1])

    def _ground_seen(self) -> tuple[float, tuple[float, float]]:
        """How high the camera is above the ground it looks at, and how that ground rises per metre east and north."""
        level = self.height_agl_m, (0.0, 0.0)
        if self.terrain is None:
            return level
        about = np.array(self.best.centre_m) + SLOPE_REACH_M * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
        centre, east, west, north, south = (float(z) for z in self.terrain.at(about))
        height_m, slope = self.altitude_m - centre, (east - west, north - south)
        if not (math.isfinite(height_m + sum(slope)) and height_m > 0):
            return level
        return height_m, (slope[0] / (2 * SLOPE_REACH_M), slope[1] / (2 * SLOPE_REACH_M))


def make_fix(stamp_ns: int, frame: LocalFrame, matched: Matched, match: Match, calibration: Calibration) -> Fix:
    """Position, orientation and covariance at the exposure; `frame` is that of the map."""
    best, telemetry, config = matched.best, matched.telemetry, matched.config
    lat, lon = (float(degrees) for degrees in frame.to_geodetic(matched.vehicle_m))
    heading_deg = frame.true_heading_deg(best.heading_deg, lat, lon)
    roll, pitch = attitude_rad(telemetry, config)
    errors = calibration.error_model(config)
    altitude_m, known = telemetry.altitude_ellipsoid_m, Known(config.use_attitude, False, config.map_sigma_m)
    if matched.terrain is not None and matched.terrain.datum == ELLIPSOID and math.isfinite(matched.altitude_m):
        altitude_m, known = matched.altitude_m, replace(known, altitude=True, terrain_sigma_m=config.terrain_sigma_m)
    elif math.isfinite(altitude_m):
        known = replace(known, altitude=True)
    return Fix(
        stamp_ns=stamp_ns,
        lat_deg=lat,
        lon_deg=lon,
        altitude_ellipsoid_m=altitude_m,
        heading_deg=heading_deg,
        orientation_enu=quaternion_from_rpy(roll, pitch, yaw_from_heading(heading_deg)),
        covariance=covariance(match.sources, errors, known),
        covariance_calibrated=calibration.fitted,
        position_m=matched.vehicle_m,
        similarity=best.score,
        lead=matched.lead(calibration.usual),
        inliers=best.inliers,
        latency_s=math.nan,
        significance=matched.significance,
        height_agl_m=matched.height_agl_m,
        height_agl_sigma_m=height_sigma_m(match.sources, errors),
        match=match,
    )
