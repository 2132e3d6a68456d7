"""Another season than the map's: snow in patches, vegetation gone dry. Edges on the ground change, not only colours."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.simulation.noise import fractal_noise

Image = npt.NDArray[np.uint8]

SNOW = np.array([232.0, 236.0, 243.0], np.float32)
STRAW = np.array([178.0, 158.0, 112.0], np.float32)
DRIFT_M = 35.0
"""Wavelength of the patches in which snow lies."""
EDGE = 0.15
GREEN = 8.0, 40.0
"""Excess green, 2 G - R - B in grey levels, from which a pixel is taken for vegetation, and from which wholly."""


def in_season(rgb: Image, gsd_m: float, snow_cover: float, dry_share: float, rng: np.random.Generator) -> Image:
    """Ground [H, W, 3] with a share of it under snow and vegetation dry by a share."""
    image = rgb.astype(np.float32)
    if dry_share > 0.0:
        excess = 2 * image[..., 1] - image[..., 0] - image[..., 2]
        plant = dry_share * np.clip((excess - GREEN[0]) / (GREEN[1] - GREEN[0]), 0, 1)[..., None]
        image = image * (1 - plant) + STRAW * (image.mean(axis=-1, keepdims=True) / STRAW.mean()) * plant
    if snow_cover > 0.0:
        drifts = fractal_noise(rng, rgb.shape[:2], DRIFT_M / gsd_m, 5, 0.6)
        edge = float(np.quantile(drifts[::8, ::8], 1.0 - snow_cover))
        covered = np.clip((drifts - edge) / EDGE + 0.5, 0, 1)[..., None]
        grey = cv2.GaussianBlur(image.mean(axis=-1), (0, 0), 0.5 / gsd_m)
        shade = np.clip(grey / 110.0, 0.45, 1.0)[..., None]
        image = image * (1 - covered) + SNOW * shade * covered
    return np.asarray(np.clip(image, 0, 255), np.uint8)
