"""What weather, sensor and processing make of the same ground: one draw per satellite scene and per flight."""

from __future__ import annotations

import math
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.simulation.noise import smooth_noise

Image = npt.NDArray[np.uint8]
Vector = npt.NDArray[np.float64]

GREY = np.array([0.299, 0.587, 0.114])
AIRLIGHT = 0.8
"""Brightness of full haze."""


class Spread(NamedTuple):
    """How much draws differ: standard deviations of logarithms, and largest values."""

    brightness: float
    tint: float
    gamma: float
    saturation: float
    most_haze: float
    unevenness: float
    blur_px: tuple[float, float]
    most_sharpened: float
    exposure: float
    noise: float


SATELLITE = Spread(0.14, 0.07, 0.22, 0.3, 0.22, 0.07, (0.3, 1.1), 1.2, 0.0, 1.0)
DRONE = Spread(0.10, 0.05, 0.15, 0.15, 0.12, 0.0, (0.3, 0.7), 0.0, 0.05, 2.5)


class Sensor(NamedTuple):
    """A colour matrix [3, 3], a gamma, a share of haze, a blur and a sharpening, and what changes between exposures."""

    colour: Vector
    gamma: float
    haze: float
    blur_px: float
    sharpened: float
    spread: Spread

    @classmethod
    def random(cls, spread: Spread, rng: np.random.Generator) -> Sensor:
        """Draw one."""
        gain = np.exp(rng.normal(0.0, spread.brightness) + rng.normal(0.0, spread.tint, 3))
        saturation = math.exp(rng.normal(0.0, spread.saturation))
        colour = gain[:, None] * (saturation * np.eye(3) + (1.0 - saturation) * GREY)
        gamma, haze = math.exp(rng.normal(0.0, spread.gamma)), rng.uniform(0.0, spread.most_haze)
        return cls(colour, gamma, haze, rng.uniform(*spread.blur_px), rng.uniform(0.0, spread.most_sharpened), spread)

    def expose(self, image: Image, rng: np.random.Generator) -> Image:
        """RGB [H, W, 3] as this sensor gives it."""
        spread, shape = self.spread, image.shape[:2]
        levels = np.linspace(0.0, 1.0, 256) ** self.gamma * math.exp(rng.normal(0.0, spread.exposure))
        levels = np.clip((1.0 - self.haze) * levels + self.haze * AIRLIGHT, 0.0, 1.0)
        table = (255.0 * levels).astype(np.uint8)
        toned = np.asarray(cv2.LUT(image, table), np.float32)
        seen = np.asarray(cv2.GaussianBlur(cv2.transform(toned, self.colour), (0, 0), self.blur_px), np.float32)
        seen += self.sharpened * (seen - cv2.GaussianBlur(seen, (0, 0), 1.5))
        if spread.unevenness:
            seen *= 1.0 + np.float32(spread.unevenness) * smooth_noise(rng, shape, max(shape) / 1.5)[..., None]
        seen += np.float32(spread.noise) * rng.standard_normal(shape, np.float32)[..., None]
        return np.asarray(np.clip(seen, 0, 255), np.uint8)
