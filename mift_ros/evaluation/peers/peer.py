"""What every method is: a frame with its telemetry in, a position in the map frame out, or nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from mift_ros.errors import GeometryError, MiftError
from mift_ros.geometry.rectify import GroundView, ground_view
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import VIEW_OVERSAMPLING, attitude_rad
from mift_ros.localization.quality import check_telemetry
from mift_ros.localization.types import Frame, Telemetry

Point = tuple[float, float]
"""East and north in the map frame, metres."""
MAX_VIEW_M = 400.0
"""Largest extent of a rectified view that is matched as a whole: it bounds time and memory of high flights."""


class Peer(Protocol):
    """One method on one map; frames come in the order of their stamps."""

    def reset(self) -> None:
        """Forget the frames so far."""
        ...

    def locate(self, frame: Frame, telemetry: Telemetry) -> Point | None:
        """Where the vehicle was at the exposure; None when the method publishes nothing."""
        ...


class PeerError(MiftError):
    """A method that cannot be run on this map; the others go on."""


class Stateless:
    """A method that takes every frame alone."""

    def reset(self) -> None:
        """There is nothing to forget."""


def whole_view(frame: Frame, telemetry: Telemetry, config: LocalizerConfig, gsd_m: float) -> GroundView | None:
    """All that the camera sees of the ground, at most MAX_VIEW_M, at a map's ground sample distance or somewhat finer.

    None without attitude or height, or where the camera sees no ground: these methods try no heights.
    """
    if check_telemetry(frame, telemetry, config) or not math.isfinite(telemetry.height_agl_m):
        return None
    attitude, fine_gsd_m = attitude_rad(telemetry, config), VIEW_OVERSAMPLING * gsd_m
    try:
        return ground_view(frame.image, frame.camera, *attitude, telemetry.height_agl_m, fine_gsd_m, MAX_VIEW_M)
    except GeometryError:
        return None


def known_heading_deg(telemetry: Telemetry, config: LocalizerConfig) -> float:
    """The heading that a method may use, NaN if it is unknown."""
    return telemetry.heading_deg if config.use_heading else math.nan


def vehicle_m(view: GroundView, centre_m: Sequence[float], heading_deg: float, scale: float) -> Point:
    """Where the vehicle was that saw a view centred there."""
    east, north = view.offset_enu_m(heading_deg, scale)
    return float(centre_m[0] - east), float(centre_m[1] - north)
