"""What is unknown becomes hypotheses in one batch: unknown heading -> yaw bins, unknown height -> scale bins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.frames import wrap_deg
from mift_ros.geometry.rectify import GroundView, ground_view, turned
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.motion import Motion
from mift_ros.localization.types import Frame, Telemetry

Vector = npt.NDArray[np.float64]
VIEW_SIZE_IN_TILES = 2.5
"""Extent of the ground view: more than a tile, because the refinement gains from every metre the camera sees."""
VIEW_OVERSAMPLING = 0.75
"""Ground sample distance of the view over that of the tiles: it is resampled once more when it is turned."""
LOOKS_IN_TILES = ((0.0, 0.0), (0.0, 0.5), (0.0, -0.5), (0.5, 0.0), (-0.5, 0.0))
"""Where patches are cut from the view, (forward, right) of its centre: a wide view votes by all it sees."""
PARTS, FOUND_DEG = 3, 6.0
"""Of the step between two headings that are tried: where in it a place fits is told by their scores, to such a part of
it, and hardly to better than so many degrees (docs/localization.md)."""
SCALE_REACH = 0.1
"""Relative error of the height that patches and one alignment bear; a larger one is tried in several heights."""
SURE_HEIGHT = 0.05
"""Relative sigma of a height below which it need not be searched again."""
LOOK_COVERAGE = 0.9
"""A patch off the centre must be covered by this share: a dark corner costs more than a further look brings."""


@dataclass(frozen=True)
class Hypothesis:
    """One pose to try: which ground view (height) and which heading; `looks` are rows of the patches cut for it.

    `shifts_m` [L, 2] is east/north of each look's centre from the view's.
    """

    view: int
    heading_deg: float
    looks: slice
    shifts_m: Vector
    coverage: float


@dataclass(frozen=True)
class Hypotheses:
    """Ground views (one per height), the poses to try, and all their patches [Q, S, S, 3] uint8 as one batch.

    `heights_m` are the heights above ground of the views. `heading_step_deg` and `scale_step` are the errors of a pose
    that the refinement has left to search, in steps of as much.
    """

    heights_m: list[float]
    views: list[GroundView]
    poses: list[Hypothesis]
    patches: npt.NDArray[np.uint8]
    heading_step_deg: float
    scale_step: float

    def offset_m(self, pose: int) -> Vector:
        """East/north from the vehicle to the centre of the pose's view."""
        chosen = self.poses[pose]
        return self.views[chosen.view].offset_enu_m(chosen.heading_deg)

    def beside(self, pose: int) -> tuple[int, int, float] | None:
        """The poses of the same view one step of heading to the left and right, and the step; None at an end."""
        count = len(self.poses) // len(self.views)
        first = pose - pose % count
        left, right = (first + (pose - first + turn) % count for turn in (-1, 1))
        before, here, after = (self.poses[k].heading_deg for k in (left, pose, right))
        step_deg = wrap_deg(after - here)
        whole = count >= 3 and step_deg > 0 and math.isclose(step_deg, wrap_deg(here - before))
        return (left, right, step_deg) if whole else None


@dataclass(frozen=True)
class Outlook:
    """Heading and height as the flight so far has them, one sigma each; they narrow what is tried."""

    heading_deg: float
    heading_sigma_deg: float
    height_agl_m: float
    height_sigma_m: float

    def moved(self, motion: Motion) -> Outlook:
        """The same after a turn and a climb."""
        return Outlook(
            (self.heading_deg + motion.turn_deg) % 360.0,
            math.hypot(self.heading_sigma_deg, motion.turn_sigma_deg),
            self.height_agl_m * motion.growth,
            math.hypot(self.height_sigma_m, motion.growth_sigma_m),
        )


def heights_m(
    telemetry: Telemetry, config: LocalizerConfig, outlook: Outlook | None = None
) -> tuple[list[float], float]:
    """Heights above ground to try, and the relative step between them that is left to the refinement."""
    known, tolerance = telemetry.height_agl_m, config.scale_tolerance
    if math.isfinite(known) and tolerance <= SCALE_REACH:
        return [known], tolerance
    if outlook is not None and outlook.height_sigma_m < SURE_HEIGHT * outlook.height_agl_m:
        return [outlook.height_agl_m], min(tolerance, SCALE_REACH)
    if math.isfinite(known):
        # middles of equal parts, in logarithm, of the range within the tolerance
        parts = math.ceil(tolerance / SCALE_REACH)
        half = (1 + tolerance) ** (1 / parts)
        return [known / (1 + tolerance) * half ** (2 * k + 1) for k in range(parts)], half - 1
    low, high = config.height_agl_min_m, config.height_agl_max_m
    heights = np.geomspace(low, high, config.scale_bins) if config.scale_bins > 1 else [math.sqrt(low * high)]
    ratio = (high / low) ** (1 / max(config.scale_bins - 1, 1))
    return [float(h) for h in heights], math.sqrt(ratio) - 1


def attitude_rad(telemetry: Telemetry, config: LocalizerConfig) -> tuple[float, float]:
    """Roll and pitch of the camera's carrier: measured, or level for a gimbal (`use_attitude` false)."""
    return (telemetry.roll_rad, telemetry.pitch_rad) if config.use_attitude else (0.0, 0.0)


def headings_deg(
    telemetry: Telemetry, config: LocalizerConfig, outlook: Outlook | None = None
) -> tuple[list[float], float]:
    """Headings to try, and the error of each that is left to the refinement.

    The telemetry's heading; else the flight's so far and as many around it as its sigma asks for; else all.
    """
    tolerance = config.heading_tolerance_deg
    if config.use_heading and math.isfinite(telemetry.heading_deg):
        return [telemetry.heading_deg], tolerance
    step = 360.0 / config.yaw_bins
    reach = max(step / PARTS, FOUND_DEG)
    if outlook is not None:
        aside = max(math.ceil((3 * outlook.heading_sigma_deg - tolerance) / step), 0)
        if aside == 0:
            return [outlook.heading_deg], tolerance
        if 2 * aside + 1 < config.yaw_bins:
            return [(outlook.heading_deg + k * step) % 360.0 for k in range(-aside, aside + 1)], reach
    return [k * step for k in range(config.yaw_bins)], reach


def make_hypotheses(
    frame: Frame,
    telemetry: Telemetry,
    config: LocalizerConfig,
    tile_size_m: float,
    pixels: int,
    outlook: Outlook | None = None,
) -> Hypotheses:
    """Rectify once per height and cut patches per heading.

    Raises:
        GeometryError: the camera sees the horizon or the height is not positive.
    """
    heights, scale_step = heights_m(telemetry, config, outlook)
    headings, heading_step = headings_deg(telemetry, config, outlook)
    roll, pitch = attitude_rad(telemetry, config)
    extent_m, view_gsd_m = VIEW_SIZE_IN_TILES * tile_size_m, VIEW_OVERSAMPLING * tile_size_m / pixels
    views = [ground_view(frame.image, frame.camera, roll, pitch, h, view_gsd_m, extent_m) for h in heights]
    poses: list[Hypothesis] = []
    patches: list[npt.NDArray[np.uint8]] = []
    for index, view in enumerate(views):
        for heading in headings:
            cut, shifts, coverage = _cut(view, heading, tile_size_m, pixels, config.looks)
            looks = slice(len(patches), len(patches) + len(cut))
            poses.append(Hypothesis(index, heading, looks, np.array(shifts), coverage))
            patches.extend(cut)
    return Hypotheses(heights, views, poses, np.stack(patches), heading_step, scale_step)


def _cut(
    view: GroundView, heading_deg: float, tile_size_m: float, pixels: int, looks: int
) -> tuple[list[npt.NDArray[np.uint8]], list[Vector], float]:
    """The patch at the centre and those around it that the camera sees, their shifts, and the centre's coverage."""
    cut: list[npt.NDArray[np.uint8]] = []
    shifts: list[Vector] = []
    coverage = 0.0
    for forward, right in LOOKS_IN_TILES:
        if len(cut) == looks:
            break
        about_m = (forward * tile_size_m, right * tile_size_m)
        rgb, valid = view.patch(heading_deg, pixels, tile_size_m / pixels, about_m=about_m)
        share = float((valid > 0).mean())
        if not cut:
            coverage = share
        elif share < LOOK_COVERAGE:
            continue
        cut.append(rgb)
        shifts.append(turned(about_m, heading_deg))
    return cut, shifts, coverage
