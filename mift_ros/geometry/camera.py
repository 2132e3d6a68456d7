"""Pinhole camera with the distortion models of sensor_msgs/CameraInfo, and how it is mounted."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.errors import GeometryError

Vector = npt.NDArray[np.float64]

DISTORTION_MODELS = ("plumb_bob", "rational_polynomial", "equidistant")

NADIR_MOUNT = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
"""Camera optical (x right, y down, z forward) to body FLU: looking straight down, image top towards the nose."""


@dataclass(frozen=True)
class CameraModel:
    """Intrinsics in pixels of the full image, distortion coefficients in OpenCV order, mounting.

    `body_from_camera` [3, 3] rotates optical axes into body FLU axes.
    """

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    distortion: tuple[float, ...] = ()
    distortion_model: str = "plumb_bob"
    body_from_camera: tuple[tuple[float, float, float], ...] = tuple(tuple(row) for row in NADIR_MOUNT.tolist())

    def __post_init__(self) -> None:
        numbers = (self.fx, self.fy, self.cx, self.cy, *self.distortion)
        if self.width <= 0 or self.height <= 0 or not all(math.isfinite(v) for v in numbers):
            raise GeometryError(f"camera {self.width}x{self.height} has sizes or intrinsics that are not usable")
        if self.fx <= 0 or self.fy <= 0:
            raise GeometryError(f"camera focal lengths {self.fx}, {self.fy} must be positive: is it calibrated?")
        if self.distortion_model not in DISTORTION_MODELS:
            raise GeometryError(f"camera distortion model {self.distortion_model!r} is not one of {DISTORTION_MODELS}")

    @classmethod
    def from_fov(cls, width: int, height: int, horizontal_fov_deg: float) -> CameraModel:
        """An undistorted camera with square pixels and a centred principal point."""
        if not 1.0 <= horizontal_fov_deg <= 170.0:
            raise GeometryError(f"horizontal field of view {horizontal_fov_deg} deg is outside 1 to 170")
        focal = width / 2 / math.tan(math.radians(horizontal_fov_deg) / 2)
        return cls(width, height, focal, focal, (width - 1) / 2, (height - 1) / 2)

    @property
    def matrix(self) -> Vector:
        """K [3, 3]."""
        return np.array([[self.fx, 0, self.cx], [0, self.fy, self.cy], [0, 0, 1.0]])

    @property
    def mount(self) -> Vector:
        """body_from_camera as an array [3, 3]."""
        return np.array(self.body_from_camera)

    def project(self, rays: Vector) -> Vector:
        """Camera-frame points [N, 3] with z > 0 to distorted pixels [N, 2]."""
        points = np.ascontiguousarray(rays, float).reshape(-1, 1, 3)
        zero = np.zeros(3)
        coefficients = np.array(self.distortion or (0.0,) * 4)
        if self.distortion_model == "equidistant":
            pixels, _ = cv2.fisheye.projectPoints(points, zero, zero, self.matrix, coefficients[:4])
        else:
            pixels, _ = cv2.projectPoints(points, zero, zero, self.matrix, coefficients)
        return np.asarray(pixels, float).reshape(-1, 2)

    def rays(self, pixels: Vector) -> Vector:
        """Distorted pixels [N, 2] to camera-frame rays [N, 3] with z = 1."""
        if not any(self.distortion) and self.distortion_model != "equidistant":
            straight = (np.asarray(pixels, float).reshape(-1, 2) - (self.cx, self.cy)) / (self.fx, self.fy)
            return np.concatenate([straight, np.ones((len(straight), 1))], axis=1)
        points = np.ascontiguousarray(pixels, float).reshape(-1, 1, 2)
        coefficients = np.array(self.distortion or (0.0,) * 4)
        if self.distortion_model == "equidistant":
            flat = cv2.fisheye.undistortPoints(points, self.matrix, coefficients[:4])
        else:
            flat = cv2.undistortPoints(points, self.matrix, coefficients)
        return np.concatenate([np.asarray(flat, float).reshape(-1, 2), np.ones((len(points), 1))], axis=1)
