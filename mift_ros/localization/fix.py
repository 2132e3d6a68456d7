"""From the matched frame to the Fix that is published."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mift_ros.cache.manifest import CacheManifest
from mift_ros.geometry.frames import LocalFrame, quaternion_from_rpy, yaw_from_heading
from mift_ros.localization import gate
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.covariance import approximate_covariance
from mift_ros.localization.hypotheses import Hypotheses, attitude_rad, heights_m
from mift_ros.localization.refine import Alignment
from mift_ros.localization.types import Fix, Match, Telemetry


@dataclass(frozen=True)
class Matched:
    """A frame's alignments, best first and at least one, with the hypotheses they came from."""

    hypotheses: Hypotheses
    alignments: tuple[Alignment, ...]
    significance: float

    @property
    def best(self) -> Alignment:
        """The alignment that is published if the gate lets it."""
        return self.alignments[0]

    @property
    def vehicle_m(self) -> tuple[float, float]:
        """East/north of the point under the camera: the matched ground less the view's offset."""
        best = self.best
        offset = self.hypotheses.views[best.view].offset_enu_m(best.heading_deg, best.scale)
        return best.centre_m[0] - float(offset[0]), best.centre_m[1] - float(offset[1])

    def picture(self, manifest: CacheManifest) -> Match:
        """The rectified patch as it was matched, for people."""
        best = self.best
        view = self.hypotheses.views[best.view]
        patch, _ = view.patch(best.heading_deg, manifest.input_size, manifest.tile_gsd_m, best.scale)
        return Match(patch, best.centre_m, manifest.tile_size_m)


def make_fix(
    stamp_ns: int, telemetry: Telemetry, config: LocalizerConfig, frame: LocalFrame, matched: Matched, match: Match
) -> Fix:
    """Position, orientation and covariance at the exposure; `frame` is that of the map."""
    best = matched.best
    height_m = heights_m(telemetry, config)[0][best.view] * best.scale
    heading_sigma_deg = matched.hypotheses.heading_step_deg / 2 + 1.0
    lat, lon = frame.to_geodetic(matched.vehicle_m)
    roll, pitch = attitude_rad(telemetry, config)
    return Fix(
        stamp_ns=stamp_ns,
        lat_deg=float(lat),
        lon_deg=float(lon),
        altitude_ellipsoid_m=telemetry.altitude_ellipsoid_m,
        heading_deg=best.heading_deg,
        orientation_enu=quaternion_from_rpy(roll, pitch, yaw_from_heading(best.heading_deg)),
        covariance=approximate_covariance(telemetry, config, height_m, heading_sigma_deg),
        covariance_calibrated=False,
        position_m=matched.vehicle_m,
        similarity=best.score,
        margin=gate.margin(matched.alignments),
        inliers=best.inliers,
        latency_s=math.nan,
        significance=matched.significance,
        match=match,
    )
