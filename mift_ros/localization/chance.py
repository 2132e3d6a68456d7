"""How well a view matches where it does not belong: the yardstick of every match.

Scores of wrong places depend on the size of the view, on its texture and on the map's (a town matches any town a
little), so a score alone says nothing. Measured against the scores of the same view at random places, it does. The
places are drawn the likelier the more structure they have: nothing matches water by chance, and measured against a map
that is mostly water any town would stand out over any other.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.cache.reader import MapCache
from mift_ros.localization import brightness, structure
from mift_ros.localization.brightness import Shade
from mift_ros.localization.clutter import FIELD_PX, Clutter
from mift_ros.localization.structure import Field
from mift_ros.localization.windows import map_window

PLACES = 32
POOL = 256
"""Tiles, drawn alike, of which the PLACES are drawn by their structure."""
POOL_GSD_M = 3.0
LEAST_SHARE = 1e-3
"""Structure that empty ground is taken to have, of the mean: a map that is empty all over has places too."""
SHIFTS_PX = 24
"""Each place gives the scores of (SHIFTS_PX + 1) squared shifts; neighbours are alike, some fifty are independent."""
SHADE_STEP_PX = 6
"""Nine shifts so far apart tell of the brightness: further than its band, they are independent."""
APART_M = 60.0
"""Places nearer than this to the match are left out: there the view may well belong."""
LEAST_SPREAD = 0.01
"""Standard deviation below which the map is too empty for any match to mean something."""


class Noise(NamedTuple):
    """Mean and standard deviation of what a view scores where it does not belong."""

    mean: float
    spread: float

    def significance(self, score: float) -> float:
        """By how many standard deviations of chance a score exceeds the mean of chance."""
        return (score - self.mean) / self.spread if self.spread > 0 else 0.0


NO_CHANCE = Noise(0.0, 0.0)
"""There is no other place to compare with: nothing is significant."""


class Chance:
    """Scores at seeded random tiles of one map, drawn by their structure; their spectra are kept between frames."""

    def __init__(self, cache: MapCache) -> None:
        self._cache = cache
        alike = np.random.default_rng(0).permutation(len(cache))
        self._anywhere_m: npt.NDArray[np.float64] = np.asarray(cache.centres_m[alike[:PLACES]])
        self._centres_m = _drawn(cache, np.asarray(cache.centres_m[alike[:POOL]]))
        self._size = 0
        self._windows: list[structure.Window] = []
        self._shades: dict[tuple[int, float], tuple[Field, Field]] = {}
        self._clutter: dict[float, Clutter] = {}

    def noise(self, template: structure.Template, centre_m: tuple[float, float]) -> Noise:
        """What a view scores at places away from the one where it matched best."""
        windows = zip(self._windows_for(template.size), self._far(centre_m))
        return _noise([structure.correlate(template, window) for window, far in windows if far])

    def shade_noise(self, shade: Shade, centre_m: tuple[float, float]) -> Noise:
        """What the brightness of a view scores at places away from the one where it matched best."""
        scores = brightness.scores(shade, *self._shades_for(shade)).reshape(len(self._centres_m), -1)
        return _noise(list(scores[self._far(centre_m)]))

    def clutter(self, gsd_m: float) -> Clutter:
        """What the map's structure is like at a resolution, empty ground and all."""
        if gsd_m not in self._clutter:
            self._clutter[gsd_m] = Clutter(self._cut(FIELD_PX, gsd_m, self._anywhere_m), gsd_m)
        return self._clutter[gsd_m]

    def side(self, template_size: int) -> int:
        """Side of the transform that a template of this size must have."""
        return structure.transform_size(template_size, template_size + SHIFTS_PX)

    def _far(self, centre_m: tuple[float, float]) -> npt.NDArray[np.bool_]:
        return np.asarray(np.hypot(*(self._centres_m - centre_m).T) > APART_M)

    def _shades_for(self, shade: Shade) -> tuple[Field, Field]:
        """Contrast at all places and shifts [PLACES * 9, N * N], and its squares; kept for the last size asked for."""
        key = shade.side, shade.gsd_m
        if key not in self._shades:
            cut = self._cut(shade.side + 2 * SHADE_STEP_PX, shade.gsd_m, self._centres_m)
            windows = np.concatenate([brightness.shifted(grey, shade.side, SHADE_STEP_PX) for grey in cut])
            self._shades = {key: (windows, windows * windows)}
        return self._shades[key]

    def _windows_for(self, size: int) -> list[structure.Window]:
        if size != self._size:
            cut = self._cut(size + SHIFTS_PX, self._cache.manifest.raster_gsd_m, self._centres_m)
            self._windows = [structure.make_window(grey, self.side(size)) for grey in cut]
            self._size = size
        return self._windows

    def _cut(self, pixels: int, gsd_m: float, centres_m: npt.NDArray[np.float64]) -> list[npt.NDArray[np.uint8]]:
        """The map at each of the places, grey [pixels, pixels]."""
        return [map_window(self._cache, (float(east), float(north)), pixels, gsd_m) for east, north in centres_m]


def _drawn(cache: MapCache, pool: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """PLACES of the centres [N, 2], or all if there are fewer, drawn with a chance in proportion to their structure."""
    gsd_m = max(POOL_GSD_M, cache.manifest.raster_gsd_m)
    pixels = math.ceil(cache.manifest.tile_size_m / gsd_m)
    structure_of = np.array([_structure(map_window(cache, (east, north), pixels, gsd_m)) for east, north in pool])
    weight = structure_of + LEAST_SHARE * structure_of.mean() + np.finfo(float).tiny
    return np.asarray(
        np.random.default_rng(0).choice(pool, min(PLACES, len(pool)), replace=False, p=weight / weight.sum())
    )


def _structure(grey: npt.NDArray[np.uint8]) -> float:
    """Energy of a window's orientation field."""
    return float(np.square(structure.orientation_field(grey, (grey > 0) * np.uint8(255))).sum())


def _noise(scores: Sequence[Field]) -> Noise:
    """Of scores at places that are wrong, an array for each."""
    if not scores:
        return NO_CHANCE
    return Noise(float(np.mean(scores)), max(float(np.std(scores)), LEAST_SPREAD))
