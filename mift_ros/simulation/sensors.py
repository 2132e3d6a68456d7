"""What the instruments of the vehicle say of the truth, and what the sensor makes of the light."""

from __future__ import annotations

import math

import cv2
import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float64]

ATTITUDE_NOISE_RAD = math.radians(0.3)
ATTITUDE_BIAS_RAD = math.radians(0.5)
HEADING_BIAS_RAD = math.radians(2.0)
HEIGHT_NOISE_M = 0.3
HEIGHT_SCALE = 0.01
ODOMETRY_SCALE = 0.02
ODOMETRY_TURN_RAD = math.radians(1.5)


class Instruments:
    """Noise and errors of one flight, drawn once from a seed."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._bias = rng.normal(0, [ATTITUDE_BIAS_RAD, ATTITUDE_BIAS_RAD, HEADING_BIAS_RAD])
        self._height_scale = 1.0 + rng.normal(0, HEIGHT_SCALE)
        self._odometry_scale = 1.0 + rng.normal(0, ODOMETRY_SCALE)
        self._odometry_turn = rng.normal(0, ODOMETRY_TURN_RAD)

    def attitude(self, rpy_rad: Vector) -> tuple[float, float, float]:
        """Measured roll, pitch, yaw."""
        roll, pitch, yaw = rpy_rad + self._bias + self._rng.normal(0, ATTITUDE_NOISE_RAD, 3)
        return float(roll), float(pitch), float(yaw)

    def height_agl_m(self, true_m: float) -> float:
        """Measured height above ground."""
        return float(true_m * self._height_scale + self._rng.normal(0, HEIGHT_NOISE_M))

    def odometry_m(self, east_north_m: Vector, start_m: Vector) -> tuple[float, float]:
        """East/north from the start as dead reckoning has it: wrong in scale and direction by a little."""
        east, north = (east_north_m - start_m) * self._odometry_scale
        c, s = math.cos(self._odometry_turn), math.sin(self._odometry_turn)
        return float(c * east - s * north), float(s * east + c * north)

    def expose(self, image: Image, exposure: float = 1.0) -> Image:
        """Optics and sensor: blur, vignetting, exposure and white balance that wander, shot noise."""
        blurred = cv2.GaussianBlur(image, (0, 0), 0.6)
        rows, cols = image.shape[:2]
        y, x = np.ogrid[-1 : 1 : rows * 1j, -1 : 1 : cols * 1j]
        gain = exposure * (1.0 - 0.18 * (x * x + y * y) / 2) * self._rng.normal(1.0, 0.05)
        light = blurred * (gain[..., None] * self._rng.normal(1.0, 0.02, 3))
        noise = self._rng.standard_normal(image.shape, np.float32) * (1.5 + 0.1 * np.sqrt(np.clip(light, 0, 255)))
        return np.asarray(np.clip(light + noise, 0, 255), np.uint8)
