"""Places on the ground: random ones, never two that overlap in one batch, and the fixed grid of held-out ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from mift_ros.errors import TrainingError

if TYPE_CHECKING:
    from training.data.orthophotos.imagery import Imagery

REACH = 0.75
"""Half-diagonal of a tile, with a little room for the shift between its two views, as a share of its side."""
TRIES_PER_PLACE = 200


@dataclass(frozen=True)
class Place:
    """A square of ground: centre in metres from the image's upper left corner, side, turn and mirror of its frame.

    In a world of rendered pairs `pair` is the one that it is cut from, and x and y count from the world's middle.
    """

    image: int
    x_m: float
    y_m: float
    side_m: float
    turn_rad: float
    mirrored: bool
    pair: int = 0


class Sides(NamedTuple):
    """The images that the two views are taken from, and the place in them: one image twice, or a rendered pair."""

    map: Imagery
    drone: Imagery
    place: Place


class Ground(Protocol):
    """Where places are: one image, or a world of rendered pairs. Grounds of one domain may show the same ground."""

    @property
    def name(self) -> str:
        """File, below the data folder."""

    @property
    def group(self) -> int:
        """Number of the recipe's source."""

    @property
    def domain(self) -> str:
        """Its own name, where it shows ground that no other shows."""

    @property
    def held_out(self) -> bool:
        """Whether it is kept for evaluation."""

    def weight(self, side_m: tuple[float, float], least_px: float) -> float:
        """How often it is drawn beside others of its group; 0 where no place fits."""

    def draw(self, index: int, side_m: tuple[float, float], least_px: float, rng: np.random.Generator) -> Place | None:
        """A random place in it, Place.image being index; None where there happens to be none."""

    def sides(self, place: Place) -> Sides:
        """What the views of one of its places are taken from."""


def overlap(a: Place, b: Place, images: Sequence[Ground]) -> bool:
    """Whether the two places may show the same ground; images of one domain always may."""
    if a.image != b.image:
        return images[a.image].domain == images[b.image].domain
    return near(a, b)


def near(a: Place, b: Place) -> bool:
    """Whether two places of one ground may have some of it in common."""
    return math.hypot(a.x_m - b.x_m, a.y_m - b.y_m) < REACH * (a.side_m + b.side_m)


class PlaceSampler:
    """Draws places: a source by its share, a ground of it by its weight, then a square inside it."""

    def __init__(
        self, images: Sequence[Ground], shares: Sequence[float], side_m: tuple[float, float], least_px: float
    ) -> None:
        """shares: one per source group; side_m: range of the sides; least_px: fewest source pixels along a side.

        Raises TrainingError when no image is large enough for the smallest tile.
        """
        self._images = images
        self._side_m = side_m
        self._least_px = least_px
        weights = np.array([self._weight(image, shares) for image in images])
        for group in range(len(shares)):
            members = np.array([image.group == group for image in images])
            total = weights[members].sum()
            weights[members] *= shares[group] / total if total > 0 else 0.0
        if not weights.sum() > 0:
            raise TrainingError(f"no training image is {side_m[0]:g} m wide; add larger images or lower views.side_m")
        self._cumulative = np.cumsum(weights / weights.sum())

    def batch(self, count: int, rng: np.random.Generator) -> list[Place]:
        """`count` places, no two of which overlap; raises TrainingError where the imagery has no room for them."""
        places: list[Place] = []
        for _ in range(TRIES_PER_PLACE * count):
            place = self._draw(rng)
            if place is not None and not any(overlap(place, other, self._images) for other in places):
                places.append(place)
                if len(places) == count:
                    return places
        raise TrainingError(f"the imagery has no room for {count} distinct places a batch; lower batch.classes")

    def _weight(self, image: Ground, shares: Sequence[float]) -> float:
        return image.weight(self._side_m, self._least_px) if shares[image.group] > 0 else 0.0

    def _draw(self, rng: np.random.Generator) -> Place | None:
        index = min(int(np.searchsorted(self._cumulative, rng.random())), len(self._images) - 1)
        return self._images[index].draw(index, self._side_m, self._least_px, rng)


def grid_places(images: Sequence[Imagery], side_m: float, least_px: float) -> list[Place]:
    """Every north-up tile of a grid without overlap over the images; tiles of coarse images grow to least_px pixels."""
    places: list[Place] = []
    seen_domains: set[str] = set()
    for index, image in enumerate(images):
        side = max(side_m, least_px * image.gsd_m)
        width_m, height_m = image.size_m
        if image.domain != image.name and image.domain in seen_domains:
            continue
        seen_domains.add(image.domain)
        for row in range(int(height_m // side)):
            for column in range(int(width_m // side)):
                x_m, y_m = (column + 0.5) * side, (row + 0.5) * side
                if image.is_valid(x_m, y_m, side / 2):
                    places.append(Place(index, x_m, y_m, side, 0.0, False))
    return places
