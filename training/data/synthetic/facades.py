"""Walls with storeys and windows, painted where an oblique view meets the side of a building."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mift_ros.simulation.buildings import axes
from mift_ros.simulation.lighting import Sun
from mift_ros.simulation.scene import Raster, Scene
from mift_ros.simulation.world import World

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]

WALL_RGB = (
    (152, 96, 74), (176, 122, 92), (184, 178, 166), (206, 190, 158), (222, 218, 208), (138, 142, 146), (196, 170, 120),
    (120, 104, 92), (168, 150, 138),
)  # fmt: skip
GLASS_RGB = np.array([62.0, 74.0, 88.0])
RISE_M = 0.7
"""A roof that rises more than this within a pixel is a wall."""
GROUP_M = 45.0
"""Buildings raised one after the other within this distance look alike: wings and what stands on them."""
STOREY_M, BAY_M, WINDOW_SHARE = (3.0, 3.8), (2.2, 5.5), (0.35, 0.8)


class Facades:
    """The walls of a town: one colour, storey height and spacing of windows for each group of buildings."""

    def __init__(self, world: World, scene: Scene, sun: Sun, rng: np.random.Generator) -> None:
        self._scene, self._sun = scene, sun
        self._roofs = world.building
        buildings = world.buildings
        corner = np.array([scene.look.west_m, scene.look.north_m - len(world.building) * world.gsd_m])
        self._centre = np.array([b.centre for b in buildings]).reshape(-1, 2) + corner
        self._axes = np.array([axes(b.angle_rad) for b in buildings]).reshape(-1, 2, 2)
        self._half = np.array([(b.length_m, b.width_m) for b in buildings]).reshape(-1, 2) / 2
        group = _groups(self._centre)
        count = int(group.max(initial=-1)) + 1
        tints = rng.normal(0.0, 10.0, (count, 1)) + rng.normal(0.0, 4.0, (count, 3))
        self._rgb = (np.array(WALL_RGB)[rng.integers(len(WALL_RGB), size=count)] + tints)[group]
        self._grid = np.stack([rng.uniform(*BAY_M, count), rng.uniform(*STOREY_M, count)], axis=-1)[group]
        self._share = rng.uniform(*WINDOW_SHARE, (count, 2))[group]

    def paint(self, image: Image, points: Floats, eye_m: Floats, pixel_m: float) -> Image:
        """Paint the walls among the surface points [H, W, 3] seen from eye_m [3] at about pixel_m metres per pixel."""
        rows, cols, owner = self._walls(points, eye_m)
        if not len(owner):
            return image
        hit = points[rows, cols]
        local = np.einsum("nij,nj->ni", self._axes[owner], hit[:, :2] - self._centre[owner])
        end = (self._half[owner] - np.abs(local)).argmin(axis=1)
        index = np.arange(len(owner))
        outward = np.sign(local[index, end])[:, None] * self._axes[owner][index, end]
        ground = self._scene.terrain.sample(points[..., 0], points[..., 1])[rows, cols]
        glass = self._windows(owner, np.stack([local[index, 1 - end], hit[:, 2] - ground], axis=-1), pixel_m)[:, None]
        colour = (self._rgb[owner] * (1 - glass) + GLASS_RGB * glass) * self._light(outward)[:, None]
        painted: Image = image.copy()
        painted[rows, cols] = np.clip(colour, 0, 255)
        return painted

    def _walls(self, points: Floats, eye_m: Floats) -> tuple[Indices, Indices, Indices]:
        """Rows and columns of the pixels that see a wall, and the building [N] it belongs to."""
        away = points[..., :2] - eye_m[:2]
        behind = points[..., :2] + away * (self._scene.look.gsd_m / np.linalg.norm(away, axis=-1, keepdims=True))
        rise = self._scene.surface.sample(behind[..., 0], behind[..., 1]) - points[..., 2]
        rows, cols = np.nonzero(rise > RISE_M)
        owner = self._owner(behind[rows, cols])
        return rows[owner > 0], cols[owner > 0], owner[owner > 0] - 1

    def _owner(self, points: Floats) -> Indices:
        """Number of the building at points [N, 2]; 0 is none."""
        look: Raster = self._scene.look
        side = len(self._roofs)
        cols = np.clip(((points[:, 0] - look.west_m) / look.gsd_m).astype(int), 0, side - 1)
        rows = np.clip(((look.north_m - points[:, 1]) / look.gsd_m).astype(int), 0, side - 1)
        return np.asarray(self._roofs[rows, cols], np.intp)

    def _windows(self, owner: Indices, place_m: Floats, pixel_m: float) -> Floats:
        """Share of glass [N] at places along and up a wall [N, 2], soft at the edges by a pixel."""
        grid, share = self._grid[owner], self._share[owner]
        from_middle = np.abs(np.mod(place_m, grid) - grid / 2)
        cover = np.clip((share * grid / 2 - from_middle) / pixel_m + 0.5, 0.0, 1.0)
        return np.asarray(cover.prod(axis=1))

    def _light(self, outward: Floats) -> Floats:
        """Brightness factor [N] of walls that face outward [N, 2]."""
        east, north, _ = self._sun.towards()
        return np.asarray(self._sun.ambient + self._sun.direct * np.clip(outward @ np.array([east, north]), 0.0, None))


def _groups(centres_m: Floats) -> Indices:
    """Number of the group of each building [N], in the order of building."""
    group = np.zeros(len(centres_m), np.intp)
    first = 0
    for index in range(1, len(centres_m)):
        if np.linalg.norm(centres_m[index] - centres_m[first]) > GROUP_M:
            first = index
        group[index] = group[index - 1] + (first == index)
    return group
