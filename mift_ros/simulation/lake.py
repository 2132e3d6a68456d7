"""A lake over a part of a World: still water, whose ripples are others in either look."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.simulation.canvas import Points
from mift_ros.simulation.materials import WATER
from mift_ros.simulation.noise import fractal_noise
from mift_ros.simulation.world import Image, World

RIPPLE = 4.0
RIPPLE_M = 25.0
SHORE_M = 40.0
"""Width over which the terrain falls to the level of the lake."""


def flooded(world: World, outline: Points, rng: np.random.Generator) -> World:
    """Flood a polygon [N, 2], in shares of the side from the south-west corner; everything on it is gone."""
    side = len(world.terrain_m)
    corners = np.stack([outline[:, 0], 1.0 - outline[:, 1]], axis=1) * side
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 1)
    wet = mask > 0
    level = float(np.quantile(world.terrain_m[wet], 0.1))
    off_shore_m = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5) * world.gsd_m
    above = np.clip(off_shore_m / SHORE_M, 0, 1)
    terrain = level + (world.terrain_m - level) * above
    objects = np.where(wet, 0.0, world.surface_m - world.terrain_m)
    looks = [
        _water(look, wet, colour, world.gsd_m, rng) for look, colour in zip((world.map_rgb, world.camera_rgb), WATER)
    ]
    return replace(
        world, map_rgb=looks[0], camera_rgb=looks[1], terrain_m=terrain.astype(np.float32),
        surface_m=(terrain + objects).astype(np.float32), building=np.where(wet, np.uint16(0), world.building),
    )  # fmt: skip


def _water(
    look: Image, wet: npt.NDArray[np.bool_], rgb: tuple[float, float, float], gsd_m: float, rng: np.random.Generator
) -> Image:
    ripples = RIPPLE * fractal_noise(rng, look.shape[:2], RIPPLE_M / gsd_m, 5, 0.7)
    water = np.clip(np.array(rgb, np.float32) + ripples[..., None], 0, 255).astype(np.uint8)
    return np.asarray(np.where(wet[..., None], water, look), np.uint8)
