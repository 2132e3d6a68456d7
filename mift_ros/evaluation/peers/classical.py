"""Classical correlation of the whole view with the whole map: every shift, every heading, three scales, no network.

Gradient-orientation fields (see mift_ros.localization.structure) at 1 m per pixel; the best score of all is taken.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np

from mift_ros.cache.reader import MapCache
from mift_ros.evaluation.peers.peer import PeerError, Point, Stateless, known_heading_deg, vehicle_m, whole_view
from mift_ros.geometry.rectify import GroundView
from mift_ros.localization import structure
from mift_ros.localization.chance import Chance
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.types import Frame, Telemetry
from mift_ros.localization.windows import map_window

MIN_GSD_M = 1.0
HEADING_STEP_DEG = 6.0
SCALES = (0.92, 1.0, 1.08)
MAX_KM2 = 4.0
"""Largest map: the work per frame grows with the area, and the spectra of all of it are held (some 20 MB per km^2)."""
BLOCK_PX = 1024
"""Side, or somewhat less, of the transforms that a larger map is cut into."""
SIZE_STEP_PX = 16
"""Views are padded to multiples of this, so that the spectra of the map serve most frames."""


class _Block(NamedTuple):
    """Part of the map ready to be correlated, with its centre in the map frame."""

    window: structure.Window
    centre_m: Point


class _Match(NamedTuple):
    score: float
    centre_m: Point
    heading_deg: float
    scale: float


class FullCorrelation(Stateless):
    """Publishes the best place of every frame with attitude and height.

    Raises:
        PeerError: the map is too large.
    """

    def __init__(self, cache: MapCache, config: LocalizerConfig) -> None:
        m, (rows, cols) = cache.manifest, cache.raster.shape
        area_km2 = rows * cols * m.raster_gsd_m**2 / 1e6
        if area_km2 > MAX_KM2:
            raise PeerError(f"{cache.path.name} covers {area_km2:.1f} km2, the whole is correlated up to {MAX_KM2:g}")
        self._cache, self._config = cache, config
        self._gsd_m = max(MIN_GSD_M, m.raster_gsd_m)
        self._texture = Chance(cache).clutter(self._gsd_m).texture
        self._size, self._side = 0, 0
        self._blocks: list[_Block] = []

    def locate(self, frame: Frame, telemetry: Telemetry) -> Point | None:
        """The best of all headings and scales; None without attitude or height."""
        view = whole_view(frame, telemetry, self._config, self._gsd_m)
        if view is None:
            return None
        extent_px = len(view.rgb) * view.gsd_m * max(SCALES) / self._gsd_m
        self._prepare(math.ceil(extent_px / SIZE_STEP_PX) * SIZE_STEP_PX)
        headings = headings_deg(known_heading_deg(telemetry, self._config), self._config.heading_tolerance_deg)
        best = max((self._best(view, h, s) for h in headings for s in SCALES), key=lambda match: match.score)
        return vehicle_m(view, best.centre_m, best.heading_deg, best.scale)

    def _best(self, view: GroundView, heading_deg: float, scale: float) -> _Match:
        """The best shift of one heading and scale over the whole map."""
        rgb, valid = view.patch(heading_deg, self._size, self._gsd_m, scale)
        grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        template = structure.make_template(grey, valid, self._side, self._texture)
        matches = []
        for block in self._blocks:
            field = structure.correlate(template, block.window)
            dx, dy, score = structure.subpixel_peak(field)
            mid = (len(field) - 1) / 2
            east, north = block.centre_m
            centre = east + (dx - mid) * self._gsd_m, north - (dy - mid) * self._gsd_m
            matches.append(_Match(score, centre, heading_deg, scale))
        return max(matches)

    def _prepare(self, size: int) -> None:
        """Spectra of the map for templates of a size; a view may be centred anywhere on it."""
        if size == self._size:
            return
        m, (rows, cols) = self._cache.manifest, self._cache.raster.shape
        high, wide = (math.ceil(n * m.raster_gsd_m / self._gsd_m) for n in (rows, cols))
        parts = math.ceil(max(high, wide) / max(BLOCK_PX - size, size))
        step = math.ceil(max(high, wide) / parts)
        self._size, self._side = size, structure.transform_size(size, step + size)
        self._blocks = [self._block(x, y, step + size) for y in range(0, high, step) for x in range(0, wide, step)]

    def _block(self, x: int, y: int, size: int) -> _Block:
        """The block whose first template centre is on a pixel of the map."""
        m, half = self._cache.manifest, (size - self._size) / 2
        centre = m.raster_west_m + (x + half) * self._gsd_m, m.raster_north_m - (y + half) * self._gsd_m
        grey = map_window(self._cache, centre, size, self._gsd_m)
        return _Block(structure.make_window(grey, self._side), centre)


def headings_deg(known_deg: float, tolerance_deg: float) -> list[float]:
    """A circle of headings, or those within the tolerance of the known one."""
    if not math.isfinite(known_deg):
        return [k * HEADING_STEP_DEG for k in range(round(360 / HEADING_STEP_DEG))]
    aside = math.floor(tolerance_deg / HEADING_STEP_DEG)
    return [known_deg + k * HEADING_STEP_DEG for k in range(-aside, aside + 1)]
