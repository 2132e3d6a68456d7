"""Held-out places as map tiles and as drone views whose heading, scale and size are wrong by so much."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.orthophotos.imagery import Imagery
from training.data.orthophotos.places import Place, grid_places
from training.data.orthophotos.views import dress, map_view, random_distortion
from training.data.orthophotos.warp import Distortion, render
from training.recipes.data_schema import ViewsSpec

Pixels = npt.NDArray[np.uint8]

HEADING_ERRORS_DEG = (0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
SCALE_ERRORS = (0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30)
SIDES_M = (36.0, 50.0, 72.0, 100.0, 150.0)


@dataclass(frozen=True)
class Error:
    """Framing of the queries: heading and scale wrong by exactly so much, to either side; None: as the recipe draws."""

    heading_deg: float | None = None
    scale: float | None = None


@dataclass(frozen=True)
class HeldOut:
    """Places and the images they lie in; row i of everything made of it shows place i."""

    images: Sequence[Imagery]
    places: Sequence[Place]
    views: ViewsSpec
    seed: int

    def tiles(self, count: int, size: int) -> Pixels:
        """The first `count` places as map tiles [count, size, size, 3]."""
        return np.stack([self._tile(place, size) for place in self.places[:count]])

    def queries(self, count: int, size: int, error: Error) -> Pixels:
        """The first `count` places as a drone shows them; light, clutter and sensor are the same whatever the error."""
        return np.stack([self._query(place, size, error) for place in self.places[:count]])

    def _tile(self, place: Place, size: int) -> Pixels:
        return map_view(self.images[place.image], place, self.views.map, size, self._rng(place, 0))

    def _query(self, place: Place, size: int, error: Error) -> Pixels:
        distortion = random_distortion(self.views.geometry, size, self._rng(place, 1))
        shown = render(self.images[place.image], place, wrong_by(distortion, error), size)
        return dress(shown, self.views.drone, self._rng(place, 2))

    def _rng(self, place: Place, part: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, place.image, round(place.x_m), round(place.y_m), part])


def wrong_by(distortion: Distortion, error: Error) -> Distortion:
    """The distortion with its turn and scale replaced by errors of that size, to the side that it had drawn."""
    if error.heading_deg is not None:
        distortion = replace(
            distortion, turn_rad=math.copysign(math.radians(error.heading_deg), distortion.turn_rad or 1.0)
        )
    if error.scale is not None:
        distortion = replace(distortion, scale=(1.0 + error.scale) ** (1.0 if distortion.scale >= 1.0 else -1.0))
    return distortion


def held_out(images: Sequence[Imagery], views: ViewsSpec, side_m: float, seed: int, fine: bool = False) -> HeldOut:
    """All tiles of a grid over the held-out images, in an order drawn by the seed.

    fine: only of images that are fine enough for the smallest of SIDES_M, so that sizes are compared on one ground.

    Raises:
        TrainingError: there are no two.
    """
    kept = [image for image in images if image.held_out]
    if fine:
        kept = [image for image in kept if image.gsd_m * views.least_px <= min(SIDES_M)]
    places = grid_places(kept, side_m, views.least_px)
    if len(places) < 2:
        raise TrainingError(f"no two held-out places of {side_m:g} m; set hold_out_every on a source of the recipe")
    order = np.random.default_rng(seed).permutation(len(places))
    return HeldOut(kept, [places[index] for index in order], views, seed)
