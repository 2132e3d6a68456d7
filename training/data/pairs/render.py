"""Render a set of pairs: a world per job, a shard per world, going on where an earlier run ended."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mift_ros.errors import TrainingError
from training.data.pairs.flights import draw_view
from training.data.pairs.shard import Pair, Shard, encode, made_by, write_shard
from training.data.pairs.spec import PairsSpec, PlannedWorld
from training.data.pairs.views import MapSight, drone_tile, map_tile
from training.data.pairs.worlds import SIDE_M, Look, PairWorld, build_world
from training.data.synthetic.manifest import claim
from training.data.synthetic.renderers import Renderers, count_one, go_on
from training.data.synthetic.sensor import SATELLITE, Sensor

TILE_M = (70.0, 165.0)
"""Side of the stored tiles; training cuts places of 50 to 150 m out of them, turned by any angle."""
SHIFT_IN_SIDES = 0.1
"""The drone's patch lies at most this far beside the tile, in each axis: the nearest tile of a map's grid is not
centred on what the camera sees."""
MARGIN_IN_SIDES = 0.7
"""Distance of a tile's middle from the edge of the world: the drone's patch is turned and lies aside."""
LEAST_COVERAGE = 0.72
MOST_SCALE_ERROR = math.log(1.2)
"""Beyond it the localizer tries other heights, on hilly ground as with a height that is not known well."""
LEAST_CONTRAST = 8.0
"""Standard deviation of the brightness of CELLS x CELLS parts of a tile: less is one field or open water, where nothing
tells a place from the next."""
CELLS, SAMPLES = 8, 6
TRUE_ORTHOPHOTO_SHARE, LEAN_SIGMA = 0.35, 0.13
"""How many maps are seen from straight above; of the others, the tangent of the angle off the vertical, per axis."""
TRIES = 200


def render_pairs(root: Path, spec: PairsSpec, processes: int = 2) -> int:
    """Render what is missing of a set in a folder; returns the number of pairs rendered now.

    A set grows with `spec.places`: whole worlds stay as they are. It never shrinks.

    Raises:
        TrainingError: the folder holds another set or cannot be written, or a process died.
        KeyboardInterrupt: once the workers have ended; whole shards stay.
    """
    claim(root, spec.manifest())
    worlds = [world for world in spec.worlds() if made_by(root / world.file_name) != _made(spec, world)]
    total = sum(world.places for world in worlds)
    try:
        with Renderers(min(processes, max(len(worlds), 1)), total, "pairs") as renderers:
            for _ in renderers.results(_render_world, ((root, spec, world) for world in worlds)):
                pass
    except OSError as error:
        raise TrainingError(f"{root}: {error.strerror or error}; finished worlds are kept, run again") from error
    return renderers.count


def _made(spec: PairsSpec, planned: PlannedWorld) -> dict[str, Any]:
    return {**spec.manifest(), "world": planned.number, "kind": planned.kind.name, "places": planned.places}


def _render_world(root: Path, spec: PairsSpec, planned: PlannedWorld) -> None:
    go_on()
    world = build_world(spec, planned)
    rng = np.random.default_rng([spec.seed, 1, planned.number])
    sight = MapSight(_lean(rng), Sensor.random(SATELLITE, rng))
    pairs = []
    for number in range(planned.places):
        go_on()
        pairs.append(
            make_pair(world, sight, spec.size_px, np.random.default_rng([spec.seed, 2, planned.number, number]))
        )
        count_one()
    write_shard(root / planned.file_name, Shard(_made(spec, planned), tuple(pairs)))


def make_pair(world: PairWorld, sight: MapSight, size_px: int, rng: np.random.Generator) -> Pair:
    """A pair of a random place of a world; raises TrainingError where nothing in it can be told apart."""
    for _ in range(TRIES):
        side_m = math.exp(rng.uniform(*np.log(TILE_M)))
        reach_m = SIDE_M / 2 - MARGIN_IN_SIDES * side_m
        centre_m = rng.uniform(-reach_m, reach_m, 2)
        if min(_contrast(look, centre_m, side_m) for look in (world.map, world.drone)) < LEAST_CONTRAST:
            continue
        view = draw_view(world.drone.scene, centre_m, side_m, size_px, rng)
        if abs(math.log(view.scale_over(world.drone.scene, centre_m))) > MOST_SCALE_ERROR:
            continue
        aside_m = rng.uniform(-SHIFT_IN_SIDES, SHIFT_IN_SIDES, 2) * side_m
        drone, coverage = drone_tile(world, view, centre_m + aside_m, side_m, size_px, rng)
        if coverage >= LEAST_COVERAGE:
            tile = map_tile(world.map, sight, centre_m, side_m, size_px, rng)
            return Pair((float(centre_m[0]), float(centre_m[1])), side_m, encode(tile), encode(drone))
    raise TrainingError("a world without features: give another --seed")


def _contrast(look: Look, centre_m: npt.NDArray[np.float64], side_m: float) -> float:
    """Of a look of a tile: rows of crops and grain are averaged away."""
    count = CELLS * SAMPLES
    offsets = (np.arange(count) - (count - 1) / 2) * side_m / count
    east, north = np.meshgrid(centre_m[0] + offsets, centre_m[1] + offsets)
    grey = np.asarray(look.scene.look.sample(east, north)).mean(axis=-1)
    return float(grey.reshape(CELLS, SAMPLES, CELLS, SAMPLES).mean(axis=(1, 3)).std())


def _lean(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    return np.zeros(2) if rng.random() < TRUE_ORTHOPHOTO_SHARE else rng.normal(0.0, LEAN_SIGMA, 2)
