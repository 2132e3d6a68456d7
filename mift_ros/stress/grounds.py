"""The grounds of the suite: made up, seeded, each with the map that the vehicle carries and what its camera sees."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.inference.embedder import Embedder
from mift_ros.maps.open import open_map
from mift_ros.simulation.geotiff import TOWN_LAT_DEG, TOWN_LON_DEG, WorldFiles, write_geotiff, write_world
from mift_ros.simulation.lake import flooded
from mift_ros.simulation.landuse import TOWN, Character
from mift_ros.simulation.world import World, make_town

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

STRIDE_M = 24.0
"""A third of a tile, as in the demo: nine of sixteen parts of the default's work."""
COUNTRYSIDE = Character(TOWN.country, TOWN.country, TOWN.country)
LAKE = np.array(
    [
        (0.55, 0.12),
        (0.66, 0.08),
        (0.8, 0.13),
        (1.1, 0.1),
        (1.1, 0.62),
        (0.86, 0.66),
        (0.7, 0.6),
        (0.57, 0.52),
        (0.51, 0.3),
    ]
)
"""Shore in shares of the side, from the south-west corner."""


@dataclass(frozen=True)
class Ground:
    """A square of `size_m`; the map shows its middle `map_m`."""

    seed: int
    size_m: float = 1500.0
    map_m: float = 1500.0
    character: Character = TOWN
    lake: bool = False


class GroundFiles(NamedTuple):
    """Paths of a prepared ground: what the simulation reads, and the cache."""

    world: WorldFiles
    cache: Path


GROUNDS = {
    "town": Ground(seed=11),
    "clearing": Ground(seed=11, map_m=780.0),
    "shore": Ground(seed=12, lake=True),
    "country": Ground(seed=13, character=COUNTRYSIDE),
}
"""By name; `clearing` is the town with a map of its middle only."""


def prepare_ground(ground: Ground, folder: Path, embedder: Embedder, progress: Progress) -> GroundFiles:
    """Make a ground and its cache in `folder`, or take what is there."""
    name = folder.name
    world = _files(folder / "world")
    if not all(path.is_file() for path in world):
        progress(f"{name}: ground", 0, 1)
        shutil.rmtree(world.map.parent, ignore_errors=True)
        made = _make(ground)
        write_world(made, world.map.parent)
        _write_map(made, ground, world.map)
        progress(f"{name}: ground", 1, 1)
    cache = folder / f"{embedder.identity.weights_sha256[:12]}.cache"
    if not cache.is_file():
        options = BuildOptions(stride_m=STRIDE_M, attribution="generated", build_command="mift stress")
        source = open_map(world.map)
        try:
            build_cache(source, embedder, cache, options, lambda stage, done, n: progress(f"{name}: {stage}", done, n))
        finally:
            source.close()
    return GroundFiles(world, cache)


def _make(ground: Ground) -> World:
    world = make_town(ground.seed, ground.size_m, character=ground.character)
    return flooded(world, LAKE, np.random.default_rng(ground.seed)) if ground.lake else world


def _write_map(world: World, ground: Ground, path: Path) -> None:
    """Write the middle of the map over the whole of it."""
    side = len(world.map_rgb)
    cut = round((side - ground.map_m / world.gsd_m) / 2)
    if cut > 0:
        middle = np.ascontiguousarray(world.map_rgb[cut : side - cut, cut : side - cut])
        write_geotiff(middle, path, TOWN_LAT_DEG, TOWN_LON_DEG, world.gsd_m)


def _files(folder: Path) -> WorldFiles:
    return WorldFiles(folder / "map.tif", folder / "look.tif", folder / "heights.tif")
