"""The two images of a place: a tile of the map, and the camera's view rectified as the localizer does it."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.rectify import ground_view
from mift_ros.localization.hypotheses import VIEW_OVERSAMPLING
from mift_ros.simulation.camera import SceneCamera
from training.data.pairs.flights import View, ground_m
from training.data.pairs.worlds import Look, PairWorld
from training.data.synthetic.sensor import DRONE, Sensor

Image = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float64]

LAYER_M, HALVINGS = 2.5, 3
SATELLITE_M = 8000.0
"""Height from which a map is seen: its rays are parallel but for a thousandth, and single precision still suffices."""
NORTH_UP = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
"""Optical axes in ENU of a camera that looks straight down with north at the top."""


class MapSight(NamedTuple):
    """How a map was taken: metres that a point lies off in east and north per metre of height, and its sensor."""

    lean: Vector
    sensor: Sensor


def map_tile(
    look: Look, sight: MapSight, centre_m: Vector, side_m: float, size_px: int, rng: np.random.Generator
) -> Image:
    """North-up tile [S, S, 3], rectified to the ground in its middle: what stands on it leans away from the sensor."""
    gsd_m = side_m / size_px
    middle = (size_px - 1) / 2
    offset_px = sight.lean * SATELLITE_M / gsd_m
    focal = SATELLITE_M / gsd_m
    camera = CameraModel(
        size_px, size_px, focal, focal, middle - offset_px[0], middle + offset_px[1], body_from_camera=NORTH_UP
    )
    eye = np.append(centre_m - sight.lean * SATELLITE_M, ground_m(look.scene, centre_m) + SATELLITE_M)
    return sight.sensor.expose(_seen(look, camera, eye, np.eye(3), gsd_m)[0], rng)


def drone_tile(
    world: PairWorld, view: View, centre_m: Vector, side_m: float, size_px: int, rng: np.random.Generator
) -> tuple[Image, float]:
    """The patch [S, S, 3] that the localizer would cut around a point, and the share of it that the camera sees."""
    image, points = _seen(
        world.drone, view.camera, view.position_m, view.enu_from_body, view.believed_height_m / view.camera.fx
    )
    clouded = world.sky.seen(image, points, view.position_m, 0.0, world.weather)
    photo = Sensor.random(DRONE, rng).expose(clouded, rng)
    roll, pitch = (math.radians(angle) for angle in view.believed_rpy_deg[:2])
    gsd_m = VIEW_OVERSAMPLING * side_m / size_px
    flat = ground_view(photo, view.camera, roll, pitch, view.believed_height_m, gsd_m, 2.0 * side_m)
    east, north = centre_m - view.position_m[:2]
    sin, cos = math.sin(math.radians(view.heading_deg)), math.cos(math.radians(view.heading_deg))
    about_m = (east * sin + north * cos - flat.centre_m[0], east * cos - north * sin - flat.centre_m[1])
    patch, valid = flat.patch(view.believed_heading_deg, size_px, side_m / size_px, about_m=about_m)
    return patch, float((valid > 0).mean())


def _seen(
    look: Look, camera: CameraModel, position_m: Vector, enu_from_body: Vector, pixel_m: float
) -> tuple[Image, Vector]:
    """What a camera sees of a look, walls painted, and the points [H, W, 3] of it."""
    scene = look.scene
    layers = max(8, round(scene.tallest_m / LAYER_M))
    points = SceneCamera(scene, camera, layers, HALVINGS).ground_points(position_m, enu_from_body)
    image = np.asarray(scene.look.sample(points[..., 0], points[..., 1]), np.uint8)
    return look.facades.paint(image, points, position_m, pixel_m), points
