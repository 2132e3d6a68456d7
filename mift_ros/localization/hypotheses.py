"""What is unknown becomes hypotheses: unknown heading -> yaw bins, unknown height -> scale bins, embedded as one batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.rectify import GroundView, ground_view
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.types import Frame, Telemetry

VIEW_SIZE_IN_TILES = 2.5
"""Extent of the ground view: more than a tile, because the refinement gains from every metre the camera sees."""
VIEW_OVERSAMPLING = 0.75
"""Ground sample distance of the view over that of the tiles: it is resampled once more when it is turned."""


@dataclass(frozen=True)
class Hypotheses:
    """Ground views (one per height) and, for each query, its view, heading and tile-sized patch.

    `patches` [Q, S, S, 3] uint8, `coverage` [Q] the valid share of each, `heading_step_deg` and `scale_step` the spacing
    that the refinement has left to search.
    """

    views: list[GroundView]
    view_of: list[int]
    heading_deg: list[float]
    patches: npt.NDArray[np.uint8]
    coverage: npt.NDArray[np.float64]
    heading_step_deg: float
    scale_step: float

    def offset_m(self, query: int) -> npt.NDArray[np.float64]:
        """East/north from the vehicle to the centre of the query's patch."""
        return self.views[self.view_of[query]].offset_enu_m(self.heading_deg[query])


def heights_m(telemetry: Telemetry, config: LocalizerConfig) -> tuple[list[float], float]:
    """Heights above ground to try, and the relative step between them that is left to the refinement."""
    if math.isfinite(telemetry.height_agl_m):
        return [telemetry.height_agl_m], config.scale_tolerance
    low, high = config.height_agl_min_m, config.height_agl_max_m
    heights = np.geomspace(low, high, config.scale_bins) if config.scale_bins > 1 else [math.sqrt(low * high)]
    ratio = (high / low) ** (1 / max(config.scale_bins - 1, 1))
    return [float(h) for h in heights], math.sqrt(ratio) - 1


def headings_deg(telemetry: Telemetry, config: LocalizerConfig) -> tuple[list[float], float]:
    """Headings to try, and the step between them that is left to the refinement."""
    if config.use_heading and math.isfinite(telemetry.heading_deg):
        return [telemetry.heading_deg], config.heading_tolerance_deg
    step = 360.0 / config.yaw_bins
    return [k * step for k in range(config.yaw_bins)], step


def make_hypotheses(
    frame: Frame, telemetry: Telemetry, config: LocalizerConfig, tile_size_m: float, pixels: int
) -> Hypotheses:
    """Rectify once per height and cut one patch per heading.

    Raises:
        GeometryError: the camera sees the horizon or the height is not positive.
    """
    heights, scale_step = heights_m(telemetry, config)
    headings, heading_step = headings_deg(telemetry, config)
    tile_gsd_m = tile_size_m / pixels
    roll, pitch = (telemetry.roll_rad, telemetry.pitch_rad) if config.use_attitude else (0.0, 0.0)
    extent_m, view_gsd_m = VIEW_SIZE_IN_TILES * tile_size_m, VIEW_OVERSAMPLING * tile_gsd_m
    views = [ground_view(frame.image, frame.camera, roll, pitch, h, view_gsd_m, extent_m) for h in heights]
    pairs = [(v, h) for v in range(len(views)) for h in headings]
    cut = [views[v].patch(h, pixels, tile_gsd_m) for v, h in pairs]
    return Hypotheses(
        views=views,
        view_of=[v for v, _ in pairs],
        heading_deg=[h for _, h in pairs],
        patches=np.stack([rgb for rgb, _ in cut]),
        coverage=np.array([float((valid > 0).mean()) for _, valid in cut]),
        heading_step_deg=heading_step,
        scale_step=scale_step,
    )
