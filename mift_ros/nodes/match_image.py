"""The picture of a match for people: what the camera saw, rectified, beside the map at the place it was matched to."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.localization.types import Fix, Match, Result

SIDE = 384
BAR = 28
GREEN, ORANGE = (60, 220, 90), (255, 150, 40)


def draw_match(cache: MapCache, result: Result) -> npt.NDArray[np.uint8] | None:
    """RGB [SIDE + BAR, 2 SIDE, 3], or None if the frame was refused before it was matched."""
    if result.match is None:
        return None
    pair = np.concatenate([_square(result.match.patch), _square(_map_at(cache, result.match))], axis=1)
    fixed = isinstance(result, Fix)
    text = f"fix {result.similarity:.2f} +{result.lead:.1f} sigma" if isinstance(result, Fix) else result.reason.value
    bar = np.zeros((BAR, 2 * SIDE, 3), np.uint8)
    cv2.putText(bar, text, (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.55, GREEN if fixed else ORANGE, 1, cv2.LINE_AA)
    return np.concatenate([bar, pair])


def _map_at(cache: MapCache, match: Match) -> npt.NDArray[np.uint8]:
    """The cache's grey raster under the patch, black beyond its edge, as RGB."""
    half, gsd = match.size_m / 2, cache.manifest.raster_gsd_m
    grey, west, north = cache.raster_window(*match.centre_m, half)
    side = max(round(match.size_m / gsd), 1)
    canvas = np.zeros((side, side), np.uint8)
    row, column = round((match.centre_m[1] + half - north) / gsd), round((west - match.centre_m[0] + half) / gsd)
    row, column = max(row, 0), max(column, 0)
    part = np.asarray(grey)[: side - row, : side - column]
    canvas[row : row + part.shape[0], column : column + part.shape[1]] = part
    return np.asarray(cv2.cvtColor(canvas, cv2.COLOR_GRAY2RGB), np.uint8)


def _square(image: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR), np.uint8)
