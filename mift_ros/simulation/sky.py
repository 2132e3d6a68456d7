"""What lies between the sun, the ground and the camera: shadows of clouds that move, and haze."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.simulation.disturbances import CLEAR_M, Disturbances, Vector
from mift_ros.simulation.noise import smooth_noise

Image = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]

CELLS, CELLS_PER_WAVE = 256, 8
EDGE = 0.5
"""Softness of a shadow's edge, in standard deviations of the cloud field."""
AIRLIGHT = np.array([201.0, 206.0, 212.0], np.float32)
"""Colour of haze without end."""
KOSCHMIEDER = 3.912
"""Optical depth at which contrast falls to 2 %: what visibility means (Koschmieder, 1924)."""


class Sky:
    """One flight's clouds, the same pattern carried over the ground."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._clouds = smooth_noise(rng, (CELLS, CELLS), CELLS_PER_WAVE)

    def seen(self, image: Image, points_m: Vector, eye_m: Vector, seconds: float, now: Disturbances) -> Image:
        """An image [H, W, 3] of ground points [H, W, 3] from an eye [3], with the light and the air of the moment."""
        if now.cloud_cover == 0.0 and now.visibility_m >= CLEAR_M:
            return image
        light = image * self._sunlight(points_m, seconds, now)[..., None]
        distance = np.linalg.norm(points_m - eye_m, axis=-1)
        through = np.exp(-KOSCHMIEDER / now.visibility_m * distance).astype(np.float32)[..., None]
        return np.asarray(np.clip(light * through + AIRLIGHT * (1.0 - through), 0, 255), np.uint8)

    def _sunlight(self, points_m: Vector, seconds: float, now: Disturbances) -> Field:
        """Brightness factor [H, W] of ground points."""
        if now.cloud_cover == 0.0:
            return np.ones(points_m.shape[:2], np.float32)
        gone_m = now.cloud_speed_mps * seconds / math.sqrt(2.0)
        cols, rows = ((points_m[..., axis] - gone_m) * CELLS_PER_WAVE / now.cloud_size_m for axis in (0, 1))
        cloud = cv2.remap(
            self._clouds, cols.astype(np.float32), rows.astype(np.float32), cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT,
        )  # fmt: skip
        edge = float(np.quantile(self._clouds, 1.0 - now.cloud_cover))
        return np.asarray(1.0 - now.cloud_shadow * np.clip((cloud - edge) / EDGE + 0.5, 0, 1), np.float32)
