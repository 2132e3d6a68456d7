"""Squares of ground patched together from pieces of imagery: cut anywhere, turned, mirrored, at their true scale."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mift_ros.errors import MapError
from mift_ros.maps.ground import Ground

Pixels = npt.NDArray[np.uint8]
SMALLEST_M = 180.0
"""A square smaller than this is not divided again: to a tile of 72 m its pieces would be all border."""
TRIES = 8
"""Places tried in one image that has gaps."""
LAST_TRIES = 500
"""Images tried for a smallest piece."""


class Patchwork:
    """Fills squares; `placed_m2` counts by group what ground was used."""

    def __init__(self, grounds: Sequence[Ground], gsd_m: float, placed_m2: Counter[str]) -> None:
        self._grounds = grounds
        self._gsd_m = gsd_m
        self._placed_m2 = placed_m2
        areas = np.array([ground.width_m * ground.height_m for ground in grounds])
        self._share = areas / areas.sum()

    def square(self, pixels: int, rng: np.random.Generator) -> Pixels:
        """A square [pixels, pixels, 3]: one piece where the image that is drawn is large enough, else four squares.

        Images are drawn with their area as weight, so that all ground is shown about equally often.

        Raises:
            MapError: no image is as large as a smallest piece, or an image is damaged.
        """
        last = pixels * self._gsd_m < SMALLEST_M
        for _ in range(LAST_TRIES if last else 1):
            piece = self._piece(self._grounds[rng.choice(len(self._share), p=self._share)], pixels, rng)
            if piece is not None:
                return piece
        if last:
            side_m = pixels * self._gsd_m
            raise MapError(f"too little of the imagery shows {side_m:.0f} x {side_m:.0f} m without gaps; add other")
        half = pixels // 2
        (a, b), (c, d) = ((self.square(side, rng) for side in (half, half)) for _ in range(2))
        return np.concatenate([np.concatenate([a, b], axis=1), np.concatenate([c, d], axis=1)])

    def _piece(self, ground: Ground, pixels: int, rng: np.random.Generator) -> Pixels | None:
        """A piece without gaps, turned and mirrored at random; None where there is none."""
        side_m = pixels * self._gsd_m
        free = np.array([ground.width_m, ground.height_m]) - side_m
        if free.min() < 0:
            return None
        for _ in range(TRIES):
            left_m, top_m = rng.uniform(0, free)
            patch = ground.cut(float(left_m), float(top_m), pixels, self._gsd_m)
            if patch.valid.all():
                self._placed_m2[ground.group] += round(side_m**2)
                turned = np.rot90(patch.rgb, int(rng.integers(4)))
                return np.ascontiguousarray(turned[:, ::-1] if rng.random() < 0.5 else turned)
        return None
