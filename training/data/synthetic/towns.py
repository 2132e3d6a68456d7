"""One town: what the satellite and the drone see of it, and the buildings that are asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from mift_ros.geometry.frames import LocalFrame
from mift_ros.simulation.geotiff import TOWN_LAT_DEG, TOWN_LON_DEG
from mift_ros.simulation.landuse import UNIVERSITY
from mift_ros.simulation.lighting import Sun
from mift_ros.simulation.scene import Raster, Scene
from mift_ros.simulation.world import World, make_town
from training.data.synthetic.facades import Facades
from training.data.synthetic.spec import PlannedTown, SetSpec

Points = npt.NDArray[np.float64]

TOWN_M, MARGIN_M = 900.0, 130.0
"""Side of a town, and how far from its edge a building must stand for every view of it to lie inside."""
SATELLITE_M = 90.0
GSD_M = (0.25, 0.5)
TOWN_STEP_DEG, TOWNS_IN_ROW = 0.05, 40
"""Towns lie 4 km apart or more."""
LEAST_M2, LEAST_EAVES_M = 200.0, 4.0
APART_M = (45.0, 30.0, 20.0)
"""Between two buildings of the set; less where the town is thinly built."""


@dataclass(frozen=True)
class Town:
    """A rendered town; `buildings_m` [N, 3] are east, north and ground altitude of its buildings in the set."""

    frame: LocalFrame
    satellite: Raster
    scene: Scene
    facades: Facades
    buildings_m: Points


def town_frame(number: int) -> LocalFrame:
    """Where a town lies: towns stand on a grid in the Bay of Biscay, where no town is."""
    row, column = divmod(number, TOWNS_IN_ROW)
    return LocalFrame(TOWN_LAT_DEG + TOWN_STEP_DEG * row, TOWN_LON_DEG + TOWN_STEP_DEG * column)


def build_town(spec: SetSpec, planned: PlannedTown) -> Town:
    """Build a town; the same specification and plan give the same town."""
    rng = np.random.default_rng([spec.seed, 1, planned.number])
    gsd_m = float(np.clip(SATELLITE_M / spec.size_px, *GSD_M))
    suns = (
        Sun(rng.uniform(120.0, 240.0), rng.uniform(38.0, 64.0)),
        Sun(rng.uniform(90.0, 270.0), rng.uniform(28.0, 58.0), rng.uniform(0.4, 0.66), rng.uniform(0.46, 0.62)),
    )
    world = make_town(int(rng.integers(1 << 31)), TOWN_M, gsd_m, UNIVERSITY, suns)
    frame = town_frame(planned.number)
    seasons = [world.map_rgb, world.camera_rgb]
    seen = int(rng.integers(2))
    look, surface, terrain = (_raster(p, gsd_m) for p in (seasons[seen], world.surface_m, world.terrain_m))
    scene = Scene(frame, look, surface, terrain)
    places = _choose(world, len(planned.classes), rng)
    ground = np.asarray(terrain.sample(places[None, :, 0], places[None, :, 1]), float)[0]
    facades = Facades(world, scene, suns[seen], rng)
    other = _raster(seasons[1 - seen], gsd_m)
    return Town(frame, other, scene, facades, np.column_stack([places, ground]))


def _raster(pixels: npt.NDArray[np.uint8] | npt.NDArray[np.float32], gsd_m: float) -> Raster:
    """Pixels on the grid of a town, whose middle is the origin."""
    half = len(pixels) * gsd_m / 2
    return Raster(pixels, -half, half, gsd_m)


def _choose(world: World, count: int, rng: np.random.Generator) -> Points:
    """Centres [count, 2] of buildings away from the edge and from each other, relative to the middle of the town."""
    size_m = len(world.building) * world.gsd_m
    large = [b for b in world.buildings if b.length_m * b.width_m >= LEAST_M2 and b.eaves_m >= LEAST_EAVES_M]
    centres = np.array([b.centre for b in large]).reshape(-1, 2)
    centres = centres[((centres > MARGIN_M) & (centres < size_m - MARGIN_M)).all(axis=1)]
    order = rng.permutation(centres) - size_m / 2
    for apart_m in APART_M:
        chosen: list[Points] = []
        for centre in order:
            if all(np.linalg.norm(centre - other) >= apart_m for other in chosen):
                chosen.append(centre)
            if len(chosen) == count:
                return np.array(chosen)
    raise TrainingError(f"a town with {len(chosen)} buildings where {count} are needed: give another --seed")
