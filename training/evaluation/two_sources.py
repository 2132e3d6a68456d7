"""Retrieval between two images of one place, pixel for pixel, taken by different sources: nothing here is made up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from rasterio.errors import RasterioError

from mift_ros.errors import TrainingError
from mift_ros.maps.raster import open_dataset
from training.evaluation.matchers import Matcher

Pixels = npt.NDArray[np.uint8]
Metres = npt.NDArray[np.float64]

STRIDE_M = 9.0
"""Between tiles, and between queries, which lie midway between the tiles: as far from them as the ground can be."""
WITHIN_SIDES = 0.25
"""A tile is right whose centre is this share of its side from the query's, or nearer: the stride of a map cache."""


@dataclass(frozen=True)
class TwoSources:
    """The images [H, W, 3], of the same size, and metres per pixel; queries are cut from `seen`, tiles from `map_`."""

    seen: Pixels
    map_: Pixels
    gsd_m: float

    def grid(self, side_m: float, offset_m: float) -> Metres:
        """Centres [N, 2] of squares that fit, x right and y down from the corner."""
        height_m, width_m = (n * self.gsd_m for n in self.map_.shape[:2])
        xs, ys = (
            np.arange(side_m / 2 + offset_m, extent - side_m / 2 + 1e-6, STRIDE_M) for extent in (width_m, height_m)
        )
        return np.stack(np.meshgrid(xs, ys), axis=-1).reshape(-1, 2)

    def ranks(self, matcher: Matcher, side_m: float, distractors: Pixels) -> npt.NDArray[np.int64]:
        """Rank of the first right tile for each query, among the grid and other tiles; 0 is best."""
        tiles_at, queries_at = self.grid(side_m, 0.0), self.grid(side_m, STRIDE_M / 2)
        if not len(queries_at):
            raise TrainingError(f"the two images show less than {side_m + STRIDE_M / 2:g} m; take smaller tiles")
        tiles = np.concatenate([cut(self.map_, tiles_at, side_m, self.gsd_m, matcher.size), distractors])
        scores = matcher.scores(cut(self.seen, queries_at, side_m, self.gsd_m, matcher.size), tiles)
        apart = np.hypot(*(queries_at[:, None] - tiles_at).transpose(2, 0, 1))
        right = np.full(scores.shape, False)
        right[:, : len(tiles_at)] = apart <= WITHIN_SIDES * side_m
        found = np.where(right, scores, -math.inf).max(axis=1)
        return np.asarray((scores > found[:, None]).sum(axis=1), np.int64)


def open_two_sources(seen: Path, map_: Path, gsd_m: float) -> TwoSources:
    """Read both images, whatever their georeference says.

    Raises:
        TrainingError: the sizes differ, or the scale is none.
        MapError: one cannot be read.
    """
    if not gsd_m > 0:
        raise TrainingError(f"{gsd_m:g} m per pixel is no scale of two images")
    first, second = (_read(path) for path in (seen, map_))
    if first.shape != second.shape:
        raise TrainingError(f"{seen} and {map_} differ in size: both must show the same ground pixel for pixel")
    return TwoSources(first, second, gsd_m)


def cut(image: Pixels, centres_m: Metres, side_m: float, gsd_m: float, size: int) -> Pixels:
    """Squares [N, size, size, 3] around the centres."""
    side = side_m / gsd_m
    corners = np.rint(centres_m / gsd_m - side / 2).astype(int)
    pixels = round(side)
    squares = [image[y : y + pixels, x : x + pixels] for x, y in corners.tolist()]
    return np.stack([np.asarray(cv2.resize(s, (size, size), interpolation=cv2.INTER_AREA), np.uint8) for s in squares])


def _read(path: Path) -> Pixels:
    try:
        with open_dataset(str(path), str(path)) as dataset:
            return np.ascontiguousarray(dataset.read([1, 2, 3]).transpose(1, 2, 0), np.uint8)
    except (RasterioError, IndexError) as error:
        raise TrainingError(f"{path}: cannot be read as three bands ({error})") from error
