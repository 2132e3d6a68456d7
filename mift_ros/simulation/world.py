"""A seeded town with relief, owned by nobody: a licence-clean map and what a drone sees over it in another season."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import SimulationError
from mift_ros.simulation.buildings import Building
from mift_ros.simulation.canvas import Canvas, Kind
from mift_ros.simulation.landuse import TOWN, Character, choose_use
from mift_ros.simulation.layout import MARKET_TOWN, Layout, Plan, plan_town
from mift_ros.simulation.lighting import STRIP, Sun, illumination
from mift_ros.simulation.materials import GRASS, varied
from mift_ros.simulation.noise import Field, fractal_noise, smooth_noise
from mift_ros.simulation.roads import paint_river, paint_roads, park_cars
from mift_ros.simulation.trees import Nursery

Image = npt.NDArray[np.uint8]

MAP_SUN = Sun(azimuth_deg=145.0, elevation_deg=52.0)
CAMERA_SUN = Sun(azimuth_deg=236.0, elevation_deg=37.0, direct=0.56, ambient=0.48)
RELIEF_M = 14.0
"""Standard deviation of the terrain."""
DETAIL = (1.0, 0.55)
"""Strength of crop rows and roof courses in either look."""


@dataclass(frozen=True)
class World:
    """Rasters of one square piece of ground, north up, pixel [0, 0] in the north-west.

    `map_rgb` and `camera_rgb` [S, S, 3] are the ground as the satellite and as the drone see it; `surface_m` [S, S] is
    the height of terrain, buildings and trees above the WGS 84 ellipsoid, `terrain_m` that of the bare ground.
    `building` [S, S] tells whose roof lies there: 0 is none, k is `buildings[k - 1]`, whose centres are metres east and
    north of the south-west corner.
    """

    map_rgb: Image
    camera_rgb: Image
    surface_m: Field
    terrain_m: Field
    gsd_m: float
    building: npt.NDArray[np.uint16]
    buildings: tuple[Building, ...]


def make_town(
    seed: int = 0, size_m: float = 1200.0, gsd_m: float = 0.3, character: Character = TOWN,
    suns: tuple[Sun, Sun] = (MAP_SUN, CAMERA_SUN), plan: Plan = MARKET_TOWN, relief_m: float = RELIEF_M,
) -> World:  # fmt: skip
    """Make a town under the suns of its two looks; the same arguments give the same town.

    relief_m: standard deviation of its terrain.

    Raises:
        SimulationError: a size or resolution that gives no usable raster.
    """
    if not (200.0 <= size_m <= 4000.0 and 0.1 <= gsd_m <= 2.0 and size_m / gsd_m <= 12000):
        raise SimulationError(f"no town of {size_m:g} m at {gsd_m:g} m per pixel: 200 to 4000 m, at most 12000 pixels")
    rng = np.random.default_rng(seed)
    canvas = Canvas(size_m, gsd_m)
    layout = plan_town(rng, size_m, plan)
    _paint(canvas, layout, character, rng)
    shape = canvas.height_m.shape
    terrain = 100.0 + relief_m * fractal_noise(rng, shape, 0.55 * size_m / gsd_m, 5, 0.42)
    surface = (terrain + canvas.height_m).astype(np.float32)
    soil = fractal_noise(rng, shape, 60.0 / gsd_m, 6, 0.75)
    looks = [_look(canvas, layout, surface, soil, sun, which, rng) for which, sun in enumerate(suns)]
    heights = surface, terrain.astype(np.float32)
    return World(looks[0], looks[1], *heights, gsd_m, canvas.building, tuple(canvas.buildings))


def _paint(canvas: Canvas, layout: Layout, character: Character, rng: np.random.Generator) -> None:
    """Ground first, then the river and the roads, then what keeps clear of them."""
    canvas.polygon(np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * canvas.size_m, varied(rng, Kind.GROUND, GRASS))
    uses = [choose_use(block, rng, character) for block in layout.blocks]
    for block, use in zip(layout.blocks, uses):
        canvas.polygon(block.outline, varied(rng, Kind.GROUND, use.ground, 6.0, 8.0))
        use.lay(canvas, block, rng)
    paint_river(canvas, layout, rng)
    paint_roads(canvas, layout.roads, layout.blocks, rng)
    kinds = np.array([material.kind for material in canvas.materials])[canvas.material]
    canvas.detail[(kinds == Kind.ROAD) | (kinds == Kind.WATER)] = 0
    nursery = Nursery(canvas, rng)
    for block, use in zip(layout.blocks, uses):
        use.furnish(canvas, block, rng, nursery)


def _look(
    canvas: Canvas, layout: Layout, surface_m: Field, soil: Field, sun: Sun, which: int, rng: np.random.Generator
) -> Image:
    """Colours of one look under its sun; the soil pattern is shared, the fine grain and the cars are not."""
    material = park_cars(canvas, layout.roads, rng)
    colours = np.array([m[1 + which] for m in canvas.materials], np.float32)
    grain = np.array([m.grain for m in canvas.materials], np.float32)
    texture = 0.6 * soil + fractal_noise(rng, soil.shape, 120.0 / canvas.gsd_m, 4, 0.6) * np.float32(0.4)
    texture += 0.5 * smooth_noise(rng, soil.shape, 0.9 / canvas.gsd_m)
    light = illumination(surface_m, canvas.gsd_m, sun)
    image = np.empty((*material.shape, 3), np.uint8)
    for top in range(0, len(image), STRIP):
        rows = slice(top, top + STRIP)
        fine = grain[material[rows]] * texture[rows] + np.float32(DETAIL[which]) * canvas.detail[rows]
        image[rows] = np.clip((colours[material[rows]] + fine[..., None]) * light[rows][..., None], 0, 255)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 0.6), np.uint8)
