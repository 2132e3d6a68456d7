"""Places on the ground: random ones, never two that overlap in one batch, and the fixed grid of held-out ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mift_ros.errors import TrainingError
from training.data.orthophotos.imagery import Imagery

REACH = 0.75
"""Half-diagonal of a tile, with a little room for the shift between its two views, as a share of its side."""
TRIES_PER_PLACE = 200


@dataclass(frozen=True)
class Place:
    """A square of ground: centre in metres from the image's upper left corner, side, turn and mirror of its frame."""

    image: int
    x_m: float
    y_m: float
    side_m: float
    turn_rad: float
    mirrored: bool


def overlap(a: Place, b: Place, images: Sequence[Imagery]) -> bool:
    """Whether the two places may show the same ground; images of one domain always may."""
    if a.image != b.image:
        return images[a.image].domain == images[b.image].domain
    return math.hypot(a.x_m - b.x_m, a.y_m - b.y_m) < REACH * (a.side_m + b.side_m)


class PlaceSampler:
    """Draws places: a source by its share, an image of it by the square root of its area, then a square inside it."""

    def __init__(
        self, images: Sequence[Imagery], shares: Sequence[float], side_m: tuple[float, float], least_px: float
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

    def _smallest_m(self, image: Imagery) -> float:
        return max(self._side_m[0], self._least_px * image.gsd_m)

    def _weight(self, image: Imagery, shares: Sequence[float]) -> float:
        width_m, height_m = image.size_m
        fits = min(width_m, height_m) >= self._smallest_m(image)
        return math.sqrt(width_m * height_m) if fits and shares[image.group] > 0 else 0.0

    def _draw(self, rng: np.random.Generator) -> Place | None:
        index = min(int(np.searchsorted(self._cumulative, rng.random())), len(self._images) - 1)
        image = self._images[index]
        width_m, height_m = image.size_m
        smallest_m = self._smallest_m(image)
        largest_m = max(min(self._side_m[1], width_m, height_m), smallest_m)
        side_m = float(np.exp(rng.uniform(math.log(smallest_m), math.log(largest_m))))
        x_m = float(rng.uniform(side_m / 2, width_m - side_m / 2))
        y_m = float(rng.uniform(side_m / 2, height_m - side_m / 2))
        turn_rad, mirrored = float(rng.uniform(-math.pi, math.pi)), bool(rng.random() < 0.5)
        return Place(index, x_m, y_m, side_m, turn_rad, mirrored) if image.is_valid(x_m, y_m, side_m / 2) else None


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
