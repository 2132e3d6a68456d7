"""From where a place is seen: the camera's true pose, and what the vehicle believes of it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import rotation_from_rpy, yaw_from_heading
from mift_ros.simulation.scene import Scene

Vector = npt.NDArray[np.float64]

HEIGHT_AGL_M = (60.0, 150.0)
LEAST_HEIGHT_IN_SIDES = 0.7
"""A tile is not seen from so near that its edges are 45 degrees off the vertical."""
TILT_DEG, STEEP_DEG, STEEP_SHARE = (0.0, 15.0), (15.0, 25.0), 0.12
ASPECT = (4 / 3, 3 / 2, 16 / 9)
SHORT_SIDE_IN_TILES, WIDEST_DEG = (0.95, 1.45), 95.0
PIXEL_IN_TILE_PIXELS = (0.8, 1.2)
AIM_IN_SIDES = 0.12
"""The optical axis meets the ground at most this far beside the middle of the tile, in each axis."""
ATTITUDE_SIGMA_DEG, HEADING_DEG, HEIGHT_LOG = 0.6, 8.0, math.log(1.1)
"""Errors of what the vehicle believes: normal of roll and pitch, uniform of heading and of the height's logarithm."""


class View(NamedTuple):
    """A camera, where it truly is (east, north, altitude [3], body to ENU rotation [3, 3]), and what is believed."""

    camera: CameraModel
    position_m: Vector
    enu_from_body: Vector
    heading_deg: float
    believed_rpy_deg: Vector
    believed_height_m: float

    def scale_over(self, scene: Scene, point_m: Vector) -> float:
        """Believed height over the true one above the ground at a point [2]: hills come to the error of the height."""
        return float(self.believed_height_m / (self.position_m[2] - ground_m(scene, point_m)))

    @property
    def believed_heading_deg(self) -> float:
        """Clockwise from north."""
        return float(self.believed_rpy_deg[2])


def draw_view(scene: Scene, centre_m: Vector, side_m: float, size_px: int, rng: np.random.Generator) -> View:
    """A view of the tile of side_m around centre_m [2]."""
    height_m = rng.uniform(max(HEIGHT_AGL_M[0], LEAST_HEIGHT_IN_SIDES * side_m), HEIGHT_AGL_M[1])
    camera = _camera(height_m, side_m, size_px, rng)
    tilt = math.radians(rng.uniform(*(STEEP_DEG if rng.random() < STEEP_SHARE else TILT_DEG)))
    towards, heading = rng.uniform(0.0, 2 * math.pi), rng.uniform(0.0, 360.0)
    roll, pitch = tilt * math.cos(towards), tilt * math.sin(towards)
    enu_from_body = rotation_from_rpy(roll, pitch, yaw_from_heading(heading))
    axis = enu_from_body @ camera.mount @ np.array([0.0, 0.0, 1.0])
    aim = centre_m + rng.uniform(-AIM_IN_SIDES, AIM_IN_SIDES, 2) * side_m
    position = np.append(aim - height_m * axis[:2] / -axis[2], ground_m(scene, aim) + height_m)
    errors = np.append(rng.normal(0.0, ATTITUDE_SIGMA_DEG, 2), rng.uniform(-HEADING_DEG, HEADING_DEG))
    believed_height_m = (position[2] - ground_m(scene, position[:2])) * math.exp(rng.uniform(-HEIGHT_LOG, HEIGHT_LOG))
    rpy_deg = errors + np.array([math.degrees(roll), math.degrees(pitch), heading])
    return View(camera, position, enu_from_body, heading, rpy_deg, believed_height_m)


def ground_m(scene: Scene, point_m: Vector) -> float:
    """Altitude of the bare ground at a point [2]."""
    return float(scene.terrain.sample(point_m[None, None, 0], point_m[None, None, 1])[0, 0])


def _camera(height_m: float, side_m: float, size_px: int, rng: np.random.Generator) -> CameraModel:
    """A camera whose image shows about the tile at about the resolution of the tile."""
    aspect = float(rng.choice(ASPECT))
    across_m = side_m * rng.uniform(*SHORT_SIDE_IN_TILES) * aspect
    across_m = min(across_m, 2 * height_m * math.tan(math.radians(WIDEST_DEG / 2)))
    pixel_m = side_m / size_px * rng.uniform(*PIXEL_IN_TILE_PIXELS)
    width = round(across_m / pixel_m)
    return CameraModel.from_fov(width, round(width / aspect), math.degrees(2 * math.atan2(across_m / 2, height_m)))
