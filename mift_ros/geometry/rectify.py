"""From a camera image to the ground: a heading-up ground view, and north-up patches cut out of it.

The ground is taken as a horizontal plane `height_agl_m` below the camera. Rectification is independent of the heading
(a rotation about the vertical), so one GroundView serves every heading hypothesis.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import GeometryError
from mift_ros.geometry.camera import CameraModel
from mift_ros.geometry.frames import rotation_from_rpy

Vector = npt.NDArray[np.float64]
HORIZON = 0.05
"""Smallest downward part of a unit viewing ray that is still taken to meet the ground (3 deg below the horizon)."""
RELIEF_STEPS = 8
"""Castings of the optical axis to ground that is not level."""
NODE_STEP = 8
"""Pixels of the view between points projected exactly; linear in between is off by at most 0.2 image pixels."""


@dataclass(frozen=True)
class GroundView:
    """The rectified image, heading up: rows run backwards, columns to the right of the vehicle.

    `rgb` [S, S, 3] uint8, `valid` [S, S] uint8 (255 inside the footprint), `centre_m` is (forward, right) of the
    centre from the point under the camera, metres.
    """

    rgb: npt.NDArray[np.uint8]
    valid: npt.NDArray[np.uint8]
    gsd_m: float
    centre_m: tuple[float, float]

    def offset_enu_m(self, heading_deg: float, scale: float = 1.0) -> Vector:
        """East/north [2] from the point under the camera to the view's centre, for a heading and a height scale."""
        return scale * turned(self.centre_m, heading_deg)

    def patch(
        self,
        heading_deg: float,
        pixels: int,
        gsd_m: float,
        scale: float = 1.0,
        about_m: tuple[float, float] = (0.0, 0.0),
    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """North-up patch [pixels, pixels, 3] about a point of the view and its validity (255 or 0).

        `scale` is the true height over the assumed one: the ground is that much larger than the view says. `about_m` is
        (forward, right) of the patch's centre from the view's, in metres of the view.
        """
        turn = math.radians(heading_deg)
        step = gsd_m / (self.gsd_m * scale)
        cos, sin = step * math.cos(turn), step * math.sin(turn)
        out, mid = (pixels - 1) / 2, (len(self.rgb) - 1) / 2
        x, y = mid + about_m[1] / self.gsd_m, mid - about_m[0] / self.gsd_m
        # inverse map: patch pixel (x right = east, y down = south) to view pixel (x = right, y = backwards)
        to_view = np.array([[cos, sin, x - out * (cos + sin)], [-sin, cos, y - out * (cos - sin)]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        rgb = cv2.warpAffine(self.rgb, to_view, (pixels, pixels), flags=flags)
        valid = cv2.warpAffine(self.valid, to_view, (pixels, pixels), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
        return rgb.astype(np.uint8, copy=False), valid.astype(np.uint8, copy=False)


def turned(forward_right_m: tuple[float, float], heading_deg: float) -> Vector:
    """(forward, right) of a vehicle with a heading as east/north [2]."""
    forward, right = forward_right_m
    sin, cos = math.sin(math.radians(heading_deg)), math.cos(math.radians(heading_deg))
    return np.array([forward * sin + right * cos, forward * cos - right * sin])


def ground_from_camera(camera: CameraModel, roll_rad: float, pitch_rad: float) -> Vector:
    """Rotation [3, 3] of camera rays into (forward, right, down) of a level, heading-aligned frame."""
    forward_left_up = rotation_from_rpy(roll_rad, pitch_rad, 0.0) @ camera.mount
    return np.asarray(np.diag([1.0, -1.0, -1.0]) @ forward_left_up)


def tilt_deg(camera: CameraModel, roll_rad: float, pitch_rad: float) -> float:
    """Angle of the optical axis from nadir, degrees."""
    down = ground_from_camera(camera, roll_rad, pitch_rad)[2, 2]
    return math.degrees(math.acos(max(-1.0, min(1.0, down))))


def footprint(camera: CameraModel, roll_rad: float, pitch_rad: float, height_agl_m: float) -> Vector:
    """Ground points (forward, right) [8, 2] in metres of the image's corners and edge middles.

    Raises:
        GeometryError: the height is not positive, the attitude is not finite, or the image shows the horizon.
    """
    if not height_agl_m > 0:
        raise GeometryError(f"height above ground {height_agl_m} m must be positive")
    if not (math.isfinite(roll_rad) and math.isfinite(pitch_rad) and math.isfinite(height_agl_m)):
        raise GeometryError(f"attitude ({roll_rad}, {pitch_rad}) rad or height {height_agl_m} m is not finite")
    right, bottom = camera.width - 1.0, camera.height - 1.0
    edge = [(0, 0), (0.5, 0), (1, 0), (1, 0.5), (1, 1), (0.5, 1), (0, 1), (0, 0.5)]
    rays = camera.rays(np.array([(x * right, y * bottom) for x, y in edge]))
    rays = rays @ ground_from_camera(camera, roll_rad, pitch_rad).T
    if (rays[:, 2] < HORIZON * np.linalg.norm(rays, axis=1)).any():
        raise GeometryError("the image reaches the horizon: the ground it shows has no end")
    return np.asarray(height_agl_m * rays[:, :2] / rays[:, 2:])


def ground_view(
    image: npt.NDArray[np.uint8],
    camera: CameraModel,
    roll_rad: float,
    pitch_rad: float,
    height_agl_m: float,
    gsd_m: float,
    max_size_m: float,
    rise_m: Callable[[Vector], Vector] | None = None,
) -> GroundView:
    """Rectify an image to a square heading-up view of at most `max_size_m` about the ground point of the optical axis.

    `rise_m` says by how much the ground at points (forward, right) [N, 2] is above that under the camera; without it
    the ground is level. What hides behind a hill is not left out.

    Raises:
        GeometryError: see `footprint`.
    """
    rotation = ground_from_camera(camera, roll_rad, pitch_rad)
    corners = footprint(camera, roll_rad, pitch_rad, height_agl_m)
    centre = _axis_ground(rotation, height_agl_m, rise_m)
    reach = min(2 * float(np.linalg.norm(corners - centre, axis=1).max()), max_size_m)
    size = max(round(reach / gsd_m), 8)
    image, shrink = _shrink(image, height_agl_m / camera.fx, gsd_m)
    pixels = _view_pixels(camera, rotation, height_agl_m, centre, size, gsd_m, rise_m)
    x, y = pixels[..., 0], pixels[..., 1]
    inside = (x >= -0.5) & (x <= camera.width - 0.5) & (y >= -0.5) & (y <= camera.height - 0.5)
    pixels = (pixels + 0.5) * shrink - 0.5
    rgb = cv2.remap(image, pixels[..., 0], pixels[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    valid = inside.astype(np.uint8) * 255
    rgb = cv2.bitwise_and(rgb, rgb, mask=valid)
    return GroundView(rgb.astype(np.uint8, copy=False), valid, gsd_m, (float(centre[0]), float(centre[1])))


def _shrink(
    image: npt.NDArray[np.uint8], image_gsd_m: float, gsd_m: float
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]:
    """Average away detail finer than the view before it is sampled, else it aliases; returns the factors applied."""
    factor = image_gsd_m / gsd_m
    height, width = image.shape[:2]
    if factor >= 0.8:
        return image, np.ones(2, np.float32)
    small = (max(round(width * factor), 1), max(round(height * factor), 1))
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return shrunk.astype(np.uint8, copy=False), np.array([small[0] / width, small[1] / height], np.float32)


def _axis_ground(rotation: Vector, height_agl_m: float, rise_m: Callable[[Vector], Vector] | None) -> Vector:
    """Where (forward, right) the optical axis meets the ground."""
    axis = rotation @ np.array([0.0, 0.0, 1.0])
    centre = height_agl_m * axis[:2] / axis[2]
    if rise_m is not None:
        for _ in range(RELIEF_STEPS):
            centre = (height_agl_m - rise_m(centre[None])[0]) * axis[:2] / axis[2]
    return np.asarray(centre)


def _view_pixels(
    camera: CameraModel,
    rotation: Vector,
    height_agl_m: float,
    centre: Vector,
    size: int,
    gsd_m: float,
    rise_m: Callable[[Vector], Vector] | None,
) -> npt.NDArray[np.float32]:
    """Image pixel [size, size, 2] of every pixel of the view; far outside the image where it is not seen."""
    nodes = (size - 1 + NODE_STEP - 1) // NODE_STEP + 1
    steps = (np.arange(nodes) * NODE_STEP - (size - 1) / 2) * gsd_m
    right, backward = np.meshgrid(centre[1] + steps, steps - centre[0])
    ground = np.stack([-backward, right, np.full_like(right, height_agl_m)], axis=-1).reshape(-1, 3)
    if rise_m is not None:
        ground[:, 2] -= rise_m(ground[:, :2])
    rays = ground @ rotation
    # rays far outside the field of view would fold back into the image under a distortion polynomial
    corners = camera.rays(
        np.array([(0, 0), (camera.width, 0), (0, camera.height), (camera.width, camera.height)], float)
    )
    limit = 1.2 * float(np.hypot(corners[:, 0], corners[:, 1]).max())
    seen = (rays[:, 2] > 0) & (np.hypot(rays[:, 0], rays[:, 1]) <= limit * rays[:, 2])
    pixels = np.full((len(rays), 2), -1e6, np.float32)
    if seen.any():
        pixels[seen] = camera.project(rays[seen])
    between = np.array([[1 / NODE_STEP, 0, 0], [0, 1 / NODE_STEP, 0]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    dense = cv2.warpAffine(
        pixels.reshape(nodes, nodes, 2), between, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(dense, np.float32)
