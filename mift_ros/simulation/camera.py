"""What a camera sees of a scene: every pixel's ray is followed to the surface."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from mift_ros.errors import SimulationError
from mift_ros.geometry.camera import CameraModel
from mift_ros.simulation.scene import Raster, Scene

Vector = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]
Image = npt.NDArray[np.uint8]

GROUND_STEPS, CONVERGED_M = 40, 0.02
"""Iterations to the terrain at most: each shrinks the error by slope times tangent of the view angle."""
LAYERS = 12
"""Heights above the terrain at which a ray is tested for roofs and trees."""
HALVINGS = 0
"""Times the interval between two such heights is halved to find a wall; without, it is found by interpolation."""


class SceneCamera:
    """Renders a scene for one camera model; more layers and halvings draw walls straighter and take longer."""

    def __init__(self, scene: Scene, camera: CameraModel, layers: int = LAYERS, halvings: int = HALVINGS) -> None:
        self.scene, self.camera = scene, camera
        self._layers, self._halvings = layers, halvings
        rows, cols = np.mgrid[: camera.height, : camera.width]
        pixels = np.stack([cols, rows], axis=-1).reshape(-1, 2).astype(float)
        self._rays = camera.rays(pixels).reshape(camera.height, camera.width, 3)

    def render(self, position_m: Vector, enu_from_body: Vector) -> Image:
        """RGB [H, W, 3] seen from a position [3] (east, north, altitude) with a body (FLU) to ENU rotation [3, 3].

        Raises:
            SimulationError: the image would reach the horizon or the camera is under the ground.
        """
        points = self.ground_points(position_m, enu_from_body)
        return np.asarray(self.scene.look.sample(points[..., 0], points[..., 1]), np.uint8)

    def ground_points(self, position_m: Vector, enu_from_body: Vector) -> Vector:
        """East, north, altitude [H, W, 3] of the surface that each pixel sees."""
        rays = self._rays @ (enu_from_body @ self.camera.mount).T
        if (rays[..., 2] > -0.1).any():
            raise SimulationError("the camera would see the horizon: reduce the field of view or the tilt")
        slopes = rays[..., :2] / -rays[..., 2:]
        bundle = _Bundle(position_m, slopes)
        altitude = np.zeros(rays.shape[:2], np.float32)
        for _ in range(GROUND_STEPS):
            before, altitude = altitude, bundle.height(self.scene.terrain, altitude)
            if np.abs(altitude - before).max() < CONVERGED_M:
                break
        if position_m[2] - altitude.max() < 1.0:
            raise SimulationError(f"camera at {position_m[2]:.1f} m, ground at {altitude.max():.1f} m: not above it")
        if self.scene.tallest_m > 0.1:
            altitude = self._first_hit(bundle, altitude)
        plane = position_m[:2] + slopes * (position_m[2] - altitude)[..., None]
        return np.concatenate([plane, altitude[..., None]], axis=-1)

    def _first_hit(self, bundle: _Bundle, ground_m: Field) -> Field:
        """Altitude [H, W] at which each ray first meets the surface, going down through layers above the terrain."""
        hit: Field = ground_m.copy()
        floor: Field = ground_m.copy()
        step_m = np.float32(self.scene.tallest_m / self._layers)
        open_rays = np.ones(ground_m.shape, bool)
        before = np.full(ground_m.shape, 1e6, np.float32)
        for above in np.linspace(self.scene.tallest_m, 0.0, self._layers + 1, dtype=np.float32):
            level = ground_m + above
            clearance = level - bundle.height(self.scene.surface, level)
            meets = open_rays & (clearance <= 0.0)
            below = clearance[meets] / (clearance[meets] - before[meets])
            hit[meets] = level[meets] + below * step_m
            floor[meets] = level[meets]
            open_rays &= ~meets
            before = np.maximum(clearance, np.float32(1e-6))
        return self._narrowed(bundle, floor, step_m) if self._halvings else hit

    def _narrowed(self, bundle: _Bundle, floor: Field, step_m: np.float32) -> Field:
        """The altitude [H, W] at which rays enter the surface, known to be at most `step_m` above `floor`."""
        for _ in range(self._halvings):
            step_m = step_m / np.float32(2.0)
            middle = floor + step_m
            floor = np.where(middle <= bundle.height(self.scene.surface, middle), middle, floor)
        return floor


class _Bundle:
    """The rays of one image in single precision: metres east and north per metre of descent from the camera."""

    def __init__(self, position_m: Vector, slopes: Vector) -> None:
        self._east_m, self._north_m, self._altitude_m = (np.float32(v) for v in position_m)
        self._east, self._north = (np.ascontiguousarray(slopes[..., axis], np.float32) for axis in (0, 1))

    def height(self, raster: Raster, altitude_m: Field) -> Field:
        """Heights [H, W] of a raster where the rays are at an altitude [H, W]."""
        drop = self._altitude_m - altitude_m
        east, north = self._east_m + self._east * drop, self._north_m + self._north * drop
        return np.asarray(raster.sample(east, north), np.float32)
