"""One world at two times: what the map's sensor saw of it, and what the drone sees."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.frames import LocalFrame
from mift_ros.simulation.disturbances import Disturbances
from mift_ros.simulation.geotiff import TOWN_LAT_DEG, TOWN_LON_DEG
from mift_ros.simulation.lake import flooded
from mift_ros.simulation.lighting import STRIP, Sun
from mift_ros.simulation.noise import Field, fractal_noise
from mift_ros.simulation.scene import Raster, Scene
from mift_ros.simulation.season import in_season
from mift_ros.simulation.sky import Sky
from mift_ros.simulation.world import World, make_town
from training.data.pairs.spec import PairsSpec, PlannedWorld
from training.data.synthetic.facades import Facades

Image = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]

SIDE_M, GSD_M = 900.0, 0.3
SNOW_SHARE, MOST_SNOW = 0.08, 0.9
DRY_SHARE, MOST_DRY = 0.35, 0.8
"""How many looks lie under snow or are dry, and how much of their ground is."""
STAINS, STAINS_M = (0.04, 0.12), 25.0
"""Strength and longest wavelength of what wear, moisture and growth leave on ground and roofs, seen in both looks."""
EXPOSED_MEAN = (85.0, 130.0)
CLOUDS_SHARE, MOST_CLOUDS = 0.35, 0.5


class Look(NamedTuple):
    """A world at one time: what is seen of it, and its walls in the light of that time."""

    scene: Scene
    facades: Facades


class PairWorld(NamedTuple):
    """Both looks, and the clouds over the drone's; the origin is the middle of the world."""

    map: Look
    drone: Look
    sky: Sky
    weather: Disturbances


def build_world(spec: PairsSpec, planned: PlannedWorld) -> PairWorld:
    """Build a world; the same specification and plan give the same."""
    rng = np.random.default_rng([spec.seed, 0, planned.number])
    kind = planned.kind
    suns = (
        Sun(rng.uniform(110.0, 250.0), rng.uniform(35.0, 68.0)),
        Sun(rng.uniform(80.0, 280.0), rng.uniform(20.0, 65.0), rng.uniform(0.15, 0.7), rng.uniform(0.42, 0.65)),
    )
    relief_m = rng.uniform(*kind.relief_m)
    world = make_town(int(rng.integers(1 << 31)), SIDE_M, GSD_M, kind.character, suns, kind.plan, relief_m)
    world = _stained(world, rng)
    if kind.has_lake:
        world = flooded(world, _shore(rng), rng)
    if rng.random() < 0.5:
        world = replace(world, map_rgb=world.camera_rgb, camera_rgb=world.map_rgb)
        suns = suns[::-1]
    walls = int(rng.integers(1 << 31))
    looks = (_exposed(_in_season(rgb, rng), rng) for rgb in (world.map_rgb, world.camera_rgb))
    first, second = (_look(world, rgb, sun, walls) for rgb, sun in zip(looks, suns, strict=True))
    return PairWorld(first, second, Sky(rng), _weather(rng))


def _stained(world: World, rng: np.random.Generator) -> World:
    """A world whose looks have stains in common."""
    field = fractal_noise(rng, world.surface_m.shape, STAINS_M / world.gsd_m, 6, 0.85)
    strengths = rng.uniform(*STAINS, 2).astype(np.float32)
    looks = [_scaled(rgb, 1.0 + s * field) for rgb, s in zip((world.map_rgb, world.camera_rgb), strengths, strict=True)]
    return replace(world, map_rgb=looks[0], camera_rgb=looks[1])


def _in_season(rgb: Image, rng: np.random.Generator) -> Image:
    """A look [H, W, 3], sometimes under snow or dry."""
    snow = rng.uniform(0.2, MOST_SNOW) if rng.random() < SNOW_SHARE else 0.0
    dry = rng.uniform(0.2, MOST_DRY) if rng.random() < DRY_SHARE else 0.0
    return in_season(rgb, GSD_M, snow, dry, rng) if snow or dry else rgb


def _exposed(rgb: Image, rng: np.random.Generator) -> Image:
    """A look [H, W, 3] as bright as its sensor would have it."""
    gain = np.float32(rng.uniform(*EXPOSED_MEAN) / rgb[::8, ::8].mean())
    return _scaled(rgb, np.full((len(rgb), 1), gain))


def _scaled(rgb: Image, factor: Field) -> Image:
    """A look [H, W, 3] times a factor [H, W or 1], in strips, which stay in the processor's cache."""
    out = np.empty_like(rgb)
    for top in range(0, len(rgb), STRIP):
        rows = slice(top, top + STRIP)
        out[rows] = np.clip(rgb[rows] * factor[rows][..., None], 0, 255)
    return out


def _look(world: World, rgb: Image, sun: Sun, walls: int) -> Look:
    half = SIDE_M / 2
    rasters = (Raster(pixels, -half, half, world.gsd_m) for pixels in (rgb, world.surface_m, world.terrain_m))
    scene = Scene(LocalFrame(TOWN_LAT_DEG, TOWN_LON_DEG), *rasters)
    return Look(scene, Facades(world, scene, sun, np.random.default_rng(walls)))


def _shore(rng: np.random.Generator) -> Points:
    """Outline [N, 2] of a lake with bays, in shares of the side."""
    angle = np.linspace(0.0, 2 * np.pi, 72, endpoint=False)
    bays = sum(rng.normal(0, 0.05) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 7))
    radius = rng.uniform(0.18, 0.3) + bays
    stretch = np.exp(rng.normal(0.0, 0.35))
    middle = rng.uniform(0.3, 0.7, 2)
    return np.asarray(middle + np.stack([radius * stretch * np.cos(angle), radius / stretch * np.sin(angle)], axis=1))


def _weather(rng: np.random.Generator) -> Disturbances:
    """Clear, or shadows of clouds over the ground."""
    cover = rng.uniform(0.1, MOST_CLOUDS) if rng.random() < CLOUDS_SHARE else 0.0
    return Disturbances(cloud_cover=cover, cloud_shadow=rng.uniform(0.3, 0.7), cloud_size_m=rng.uniform(60.0, 400.0))
