"""Motion blur: the mean of what the camera sees while the shutter is open, from its real motion."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.geometry.camera import CameraModel
from mift_ros.simulation.disturbances import Vector

Image = npt.NDArray[np.uint8]
Pose = tuple[Vector, Vector]
"""Position [3] and body (FLU) to ENU rotation [3, 3]."""

STILL_PX = 0.3
MOST_STEPS = 32
"""Parts of an exposure at most; a longer motion leaves a dotted line."""


def smeared(image: Image, camera: CameraModel, pose_at: Callable[[float], Pose], seconds: float, exposure_s: float,
            height_agl_m: float) -> Image:  # fmt: skip
    """Blur an image [H, W, 3] that was rendered for the middle of the exposure at `seconds`.

    Each part of the exposure is the image moved by the homography of level ground, which is exact for rotations.
    """
    if exposure_s <= 0.0:
        return image
    middle = pose_at(seconds)
    right, bottom = camera.width - 1.0, camera.height - 1.0
    corners = np.array([[0.0, 0.0], [right, 0.0], [right, bottom], [0.0, bottom]])
    ground = _on_ground(camera, corners, middle, height_agl_m)

    def moved(share: float) -> Vector:
        return _pixels(camera, ground, pose_at(seconds + share * exposure_s))

    longest = float(np.linalg.norm(moved(0.5) - moved(-0.5), axis=1).max())
    if longest < STILL_PX:
        return image
    steps = min(max(2, math.ceil(longest)), MOST_STEPS)
    total = np.zeros(image.shape, np.float32)
    for share in (np.arange(steps) + 0.5) / steps - 0.5:
        change = cv2.getPerspectiveTransform(corners.astype(np.float32), moved(float(share)).astype(np.float32))
        total += cv2.warpPerspective(image, change, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(np.rint(total / steps), np.uint8)


def _on_ground(camera: CameraModel, pixels: Vector, pose: Pose, height_agl_m: float) -> Vector:
    """Where pixels [N, 2] meet level ground, [N, 3]."""
    position, enu_from_body = pose
    rays = camera.rays(pixels) @ (enu_from_body @ camera.mount).T
    return np.asarray(position + rays * (-height_agl_m / rays[:, 2:]))


def _pixels(camera: CameraModel, points_m: Vector, pose: Pose) -> Vector:
    """Pixels [N, 2] of points [N, 3]."""
    position, enu_from_body = pose
    return camera.project((points_m - position) @ (enu_from_body @ camera.mount))
