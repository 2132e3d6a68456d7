"""What the demo flies over and what it flies with: a town, a recorded flight over it, a map cache of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from mift_ros.cache.build import BuildOptions, build_cache
from mift_ros.cache.manifest import CacheManifest
from mift_ros.cache.reader import read_header
from mift_ros.errors import CacheError
from mift_ros.files import claim_folder
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
MARK = ".mift-demo"
COMMAND = "mift demo"

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""


class DemoFiles(NamedTuple):
    """Paths in the demo's folder."""

    bag: Path
    cache: Path


def prepare(folder: Path, embedder: Embedder, progress: Progress) -> DemoFiles:
    """Make everything anew in `folder`; what an earlier demo left there is replaced.

    Raises:
        ConfigError: the folder holds something else.
    """
    files = DemoFiles(folder / "flight", folder / "town.cache")
    if _is_of_an_unmarked_demo(files.cache):
        (folder / MARK).touch()
    claim_folder(folder, MARK)
    shutil.rmtree(files.bag, ignore_errors=True)
    town = _build_town(folder, progress)
    simulate(town.map, files.bag, FLIGHT, town.look, town.heights, lambda done, n: progress("flight", done, n))
    options = BuildOptions(stride_m=STRIDE_M, attribution="generated", build_command=COMMAND)
    source = open_map(town.map)
    try:
        build_cache(source, embedder, files.cache, options, progress)
    finally:
        source.close()
    return files


def _is_of_an_unmarked_demo(cache: Path) -> bool:
    """Whether a demo of before there were marks got as far as its cache here."""
    try:
        return CacheManifest.from_json(read_header(cache)[2].get("manifest", ""), str(cache)).build_command == COMMAND
    except CacheError:
        return False


def _build_town(folder: Path, progress: Progress) -> WorldFiles:
    progress("town", 0, 1)
    town = write_world(make_town(SEED, TOWN_M), folder)
    progress("town", 1, 1)
    return town
