"""Tiles of real ground and the same ground as a camera sees it, drawn from maps and image folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.cache.build import STRIDES_PER_TILE
from mift_ros.cache.raster import MIN_VALID_SHARE
from mift_ros.errors import ExportError
from mift_ros.maps.ground import Ground, open_grounds
from mift_ros.maps.source import Patch
from mift_ros.simulation.appearance import second_look

TRIES_PER_TILE = 20
"""Places drawn before a ground counts as empty."""

Images = npt.NDArray[np.uint8]
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Pairs:
    """`tiles` [N, S, S, 3] of maps, and `looks` [N, S, S, 3]: of another sensor, light and season, and shifted."""

    tiles: Images
    looks: Images


def draw_pairs(
    words: Sequence[str],
    pixels: int,
    tile_size_m: float,
    count: int,
    seed: int,
    progress: Progress = lambda done, total: None,
) -> Pairs:
    """Draw places at random, as many from a square kilometre of one ground as of another; the seed repeats them.

    A look is shifted by up to half a stride of the cache, which is how far a camera is from the nearest tile.

    Raises:
        MapError: no imagery under one of the `words` (see `open_grounds`), or it is damaged.
        ExportError: every ground is smaller than a tile, or mostly without data.
    """
    rng = np.random.default_rng(seed)
    gsd_m, margin = tile_size_m / pixels, pixels // (2 * STRIDES_PER_TILE)
    side = pixels + 2 * margin
    grounds = [g for g in open_grounds(words) if min(g.width_m, g.height_m) > side * gsd_m]
    if not grounds:
        raise ExportError(f"{', '.join(words)}: nothing wider than {side * gsd_m:.0f} m; name larger imagery")
    areas = np.array([ground.width_m * ground.height_m for ground in grounds])
    tiles, looks = (np.empty((count, pixels, pixels, 3), np.uint8) for _ in range(2))
    for index in range(count):
        progress(index, count)
        rgb = _cut(grounds, areas / areas.sum(), side, gsd_m, rng)
        tiles[index] = rgb[margin : margin + pixels, margin : margin + pixels]
        down, right = rng.integers(0, 2 * margin + 1, 2)
        looks[index] = second_look(rgb, gsd_m, rng)[down : down + pixels, right : right + pixels]
    progress(count, count)
    return Pairs(tiles, looks)


def _cut(
    grounds: Sequence[Ground], chances: npt.NDArray[np.float64], side: int, gsd_m: float, rng: np.random.Generator
) -> Images:
    for _ in range(TRIES_PER_TILE):
        ground = grounds[rng.choice(len(grounds), p=chances)]
        left, top = (rng.uniform(0, length - side * gsd_m) for length in (ground.width_m, ground.height_m))
        patch: Patch = ground.cut(left, top, side, gsd_m)
        if patch.valid.mean() >= MIN_VALID_SHARE:
            return patch.rgb
    groups = ", ".join(sorted({ground.group for ground in grounds}))
    raise ExportError(f"{groups}: {TRIES_PER_TILE} places drawn in a row have no data; name imagery that covers ground")
