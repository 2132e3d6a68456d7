"""What the demo flies over and what it flies with: a town, a recorded flight over it, a map cache of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.inference.embedder import Embedder
from mift_ros.maps.open import open_map
from mift_ros.simulation.flight import FlightPlan, simulate
from mift_ros.simulation.geotiff import WorldFiles, write_world
from mift_ros.simulation.world import make_town

SEED = 1
TOWN_M = 900.0
FLIGHT = FlightPlan(seed=SEED, minutes=1.0, rate_hz=1.0)
STRIDE_M = 24.0
"""A third of a tile: nine of sixteen parts of the default's work, and the refinement reaches that far."""

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class DemoFiles(NamedTuple):
    """Paths in the demo's folder."""

    bag: Path
    cache: Path


def prepare(folder: Path, embedder: Embedder, progress: Progress) -> DemoFiles:
    """Make everything anew in `folder`; what an earlier demo left there is replaced."""
    files = DemoFiles(folder / "flight", folder / "town.cache")
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(files.bag, ignore_errors=True)
    town = _build_town(folder, progress)
    simulate(town.map, files.bag, FLIGHT, town.look, town.heights, lambda done, n: progress("flight", done, n))
    options = BuildOptions(stride_m=STRIDE_M, attribution="generated", build_command="mift demo")
    source = open_map(town.map)
    try:
        build_cache(source, embedder, files.cache, options, progress)
    finally:
        source.close()
    return files


def _build_town(folder: Path, progress: Progress) -> WorldFiles:
    progress("town", 0, 1)
    town = write_world(make_town(SEED, TOWN_M), folder)
    progress("town", 1, 1)
    return town
