"""By how much a match stands out from chance: by its edges, and by the brightness of the same ground."""

from __future__ import annotations

import math
from typing import NamedTuple

from mift_ros.cache.reader import MapCache
from mift_ros.localization import brightness
from mift_ros.localization.brightness import GSD_M, MOST_PX, REACH_PX, Shade
from mift_ros.localization.chance import Chance, Noise
from mift_ros.localization.places import Alignment
from mift_ros.localization.refine import Refiner
from mift_ros.localization.windows import map_window


class Standing(NamedTuple):
    """Standard deviations of chance by which a match exceeds its mean, in edges and in brightness."""

    edges: float
    brightness: float

    @property
    def significance(self) -> float:
        """Of both as independent tests (Stouffer et al., The American Soldier I, 1949), or of the edges where more.

        In another season bright ground may be dark, so that brightness may speak for a place, never against it.
        """
        return max(self.edges, (self.edges + self.brightness) / math.sqrt(2))


class Standings:
    """Judges the alignments of one frame; each view by what it scores by chance in the first pose that is asked for."""

    def __init__(self, cache: MapCache, chance: Chance, refiner: Refiner) -> None:
        self._cache, self._chance, self._refiner = cache, chance, refiner
        self._noises: dict[int, tuple[Noise, Noise]] = {}

    def of(self, alignment: Alignment) -> Standing:
        """Of a match that was aligned to metres."""
        shade = self._shade(alignment)
        window = map_window(self._cache, alignment.centre_m, shade.side + 2 * REACH_PX, shade.gsd_m)
        found = float(brightness.scores(shade, brightness.shifted(window, shade.side, 1)).max())
        if alignment.view not in self._noises:
            by_brightness = self._chance.shade_noise(shade, alignment.centre_m)
            self._noises[alignment.view] = self._refiner.noise(alignment), by_brightness
        edges, bright = self._noises[alignment.view]
        return Standing(edges.significance(alignment.score), bright.significance(found))

    def _shade(self, alignment: Alignment) -> Shade:
        extent_m = self._refiner.extent_m(alignment.view)
        gsd_m = max(GSD_M, self._cache.manifest.raster_gsd_m, extent_m / MOST_PX)
        grey, valid = self._refiner.patch(alignment, round(extent_m / gsd_m), gsd_m)
        return brightness.shade_of(grey, valid, gsd_m)
