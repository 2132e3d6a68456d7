"""The images of one building: a satellite image of another season and sensor, and the drone views of its spiral."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.camera import CameraModel
from mift_ros.simulation.camera import SceneCamera
from training.data.synthetic.sensor import DRONE, SATELLITE, Sensor
from training.data.synthetic.spiral import FIELD_OF_VIEW_DEG, RADIUS_M, pose, spiral
from training.data.synthetic.towns import SATELLITE_M, Town

Image = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float64]

SATELLITE_SCALE = (0.9, 1.12)
GEOREFERENCE_M, AIM_M, SHAKE_DEG = 2.5, 2.0, 0.8
"""Standard deviations: position of the satellite image, of the point the drone looks at, of its attitude."""
LAYER_M, LEAST_LAYERS, HALVINGS = 2.0, 8, 3


def satellite_view(town: Town, building_m: Vector, size_px: int, rng: np.random.Generator) -> Image:
    """North-up image [S, S, 3] of about SATELLITE_M around a building [3], a little beside it."""
    gsd_m = SATELLITE_M * rng.uniform(*SATELLITE_SCALE) / size_px
    centre = building_m[:2] + rng.normal(0.0, GEOREFERENCE_M, 2)
    offsets = (np.arange(size_px) - (size_px - 1) / 2) * gsd_m
    east, north = np.meshgrid(centre[0] + offsets, centre[1] - offsets)
    ground = np.asarray(town.satellite.sample(east, north), np.uint8)
    return Sensor.random(SATELLITE, rng).expose(ground, rng)


def drone_views(town: Town, building_m: Vector, views: int, size_px: int, rng: np.random.Generator) -> Iterator[Image]:
    """Images [S, S, 3] of a flight around a building [3], from the highest to the lowest."""
    scene, camera = town.scene, CameraModel.from_fov(size_px, size_px, FIELD_OF_VIEW_DEG)
    eye = SceneCamera(scene, camera, max(LEAST_LAYERS, round(scene.tallest_m / LAYER_M)), HALVINGS)
    sensor = Sensor.random(DRONE, rng)
    aim = building_m + np.append(rng.normal(0.0, AIM_M, 2), 0.0)
    for viewpoint in spiral(views, rng.uniform(0.0, 360.0)):
        position, enu_from_body = pose(viewpoint, aim, rng.normal(0.0, SHAKE_DEG, 3))
        points = eye.ground_points(position, enu_from_body)
        image = np.asarray(scene.look.sample(points[..., 0], points[..., 1]), np.uint8)
        pixel_m = math.hypot(RADIUS_M, viewpoint.height_agl_m) / camera.fx
        yield sensor.expose(town.facades.paint(image, points, position, pixel_m), rng)
