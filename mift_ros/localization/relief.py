"""A match seen again over the ground's real shape: where the ground is not level, a level view of it is distorted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.geometry.rectify import GroundView, ground_view, turned
from mift_ros.geometry.terrain import Terrain
from mift_ros.localization.config import LocalizerConfig
from mift_ros.localization.hypotheses import VIEW_SIZE_IN_TILES, Hypotheses, attitude_rad
from mift_ros.localization.places import Alignment, Candidate
from mift_ros.localization.refine import POLISHED, Refiner
from mift_ros.localization.types import Frame, Telemetry

Vector = npt.NDArray[np.float64]
logger = logging.getLogger(__name__)

ROUNDS = 2
"""Views at most: the second from where the first puts the vehicle, if that is elsewhere."""
SAME_M, SAME_SCALE = 1.0, 0.02
"""A view whose match moves the vehicle and its height by less need not be made again."""
FELT_M = 0.5
"""Relief that displaces nothing in the view by more is not worth another view."""
POINTS_PER_SIDE = 7


class Relief:
    """Knows the heights of the map's ground."""

    def __init__(self, cache: MapCache, terrain: Terrain, config: LocalizerConfig) -> None:
        self._cache, self._terrain, self._config = cache, terrain, config
        self._told = False

    def resolved(
        self,
        frame: Frame,
        telemetry: Telemetry,
        made: Hypotheses,
        found: Sequence[Alignment],
        refiner_of: Callable[[Hypotheses], Refiner],
    ) -> tuple[Hypotheses, list[Alignment]]:
        """The alignments with the best and its rival, the first two, seen over the relief; the hypotheses for that.

        The rival too: a lead that only the best may add to would be no lead.
        """
        seen = list(found)
        for k, alignment in enumerate(seen[:POLISHED]):
            made, seen[k] = self._seen_again(frame, telemetry, made, alignment, refiner_of)
        return made, seen

    def _seen_again(
        self,
        frame: Frame,
        telemetry: Telemetry,
        made: Hypotheses,
        found: Alignment,
        refiner_of: Callable[[Hypotheses], Refiner],
    ) -> tuple[Hypotheses, Alignment]:
        """The match in a view over the relief where it is, and the hypotheses with that view added.

        The same ones where the relief does not matter, is unknown, or fits the image less well than level ground does.
        """
        height_m = made.heights_m[found.view] * (1.0 if np.isfinite(telemetry.height_agl_m) else found.scale)
        vehicle = np.array(found.centre_m) - made.views[found.view].offset_enu_m(found.heading_deg, found.scale)
        heading_deg, best = found.heading_deg, (made, found)
        if not self._felt(made.views[found.view], vehicle, heading_deg, height_m):
            return best
        for _ in range(ROUNDS):
            view = self._view(frame, telemetry, made.views[found.view].gsd_m, vehicle, heading_deg, height_m)
            more = replace(made, views=[*made.views, view], heights_m=[*made.heights_m, height_m])
            east, north = vehicle + view.offset_enu_m(heading_deg)
            there = Candidate(len(made.views), (float(east), float(north)), heading_deg, 1.0)
            again = refiner_of(more).near(there)
            if again is None or again.score <= best[1].score:
                break
            before, vehicle = vehicle, np.array(again.centre_m) - view.offset_enu_m(again.heading_deg, again.scale)
            best, heading_deg, height_m = (more, again), again.heading_deg, height_m * again.scale
            if np.hypot(*(vehicle - before)) < SAME_M and abs(again.scale - 1.0) < SAME_SCALE:
                break
        return best

    def _felt(self, view: GroundView, vehicle: Vector, heading_deg: float, height_m: float) -> bool:
        """Whether relief displaces any ground in the view by more than FELT_M; says once where it is not known."""
        half = len(view.rgb) * view.gsd_m / 2
        steps = np.linspace(-half, half, POINTS_PER_SIDE)
        points = np.stack(np.meshgrid(view.centre_m[0] + steps, view.centre_m[1] + steps), axis=-1).reshape(-1, 2)
        rise = self._rise(vehicle, heading_deg, points)
        if not np.isfinite(rise).all():
            self._tell(vehicle)
            return False
        return bool((np.abs(rise) * np.linalg.norm(points, axis=1) > FELT_M * height_m).any())

    def _view(
        self, frame: Frame, telemetry: Telemetry, gsd_m: float, vehicle: Vector, heading_deg: float, height_m: float
    ) -> GroundView:
        extent_m = VIEW_SIZE_IN_TILES * self._cache.manifest.tile_size_m
        roll, pitch = attitude_rad(telemetry, self._config)

        def rise_m(points: Vector) -> Vector:
            return np.nan_to_num(self._rise(vehicle, heading_deg, points))

        return ground_view(frame.image, frame.camera, roll, pitch, height_m, gsd_m, extent_m, rise_m)

    def _rise(self, vehicle: Vector, heading_deg: float, points: Vector) -> Vector:
        """How much higher the ground at points (forward, right) [N, 2] is than under the vehicle; NaN where unknown."""
        axes = np.stack([turned((1.0, 0.0), heading_deg), turned((0.0, 1.0), heading_deg)])
        return self._terrain.at(vehicle + points @ axes) - self._terrain.at(vehicle)

    def _tell(self, vehicle: Vector) -> None:
        if not self._told:
            self._told = True
            east, north = vehicle
            where = f"{east:.0f} m east, {north:.0f} m north of the map's centre"
            logger.warning("no terrain heights around %s: the ground is taken as level there", where)
