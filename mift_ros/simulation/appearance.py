"""A second look of a map's own pixels: another sensor, light and season, so that the query is not the map."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.simulation.noise import smooth_noise

Image = npt.NDArray[np.uint8]
Field = npt.NDArray[np.float32]


def second_look(rgb: Image, gsd_m: float, rng: np.random.Generator) -> Image:
    """Another appearance of the same ground [H, W, 3]: the geometry stays within half a metre."""
    shape = (rgb.shape[0], rgb.shape[1])
    moved = _displaced(rgb, gsd_m, rng)
    blurred = cv2.GaussianBlur(moved, (0, 0), max(rng.uniform(0.15, 0.45) / gsd_m, 0.3))
    weights = np.eye(3) + rng.normal(0, 0.08, (3, 3))
    mixed = cv2.transform(blurred, weights / weights.sum(axis=1, keepdims=True))
    tone = _tone_curve(rng)
    light = _cloud_shadows(shape, gsd_m, rng)
    out = np.empty_like(rgb)
    for channel in range(3):
        season = 1.0 + 0.10 * smooth_noise(rng, shape, 90.0 / gsd_m) + 0.05 * smooth_noise(rng, shape, 25.0 / gsd_m)
        out[..., channel] = np.clip(cv2.LUT(mixed[..., channel], tone) * season * light, 0, 255)
    return out


def _displaced(rgb: Image, gsd_m: float, rng: np.random.Generator) -> Image:
    """Shift every place by a smooth field of about 0.25 m: no two orthophotos agree to the pixel."""
    rows, cols = rgb.shape[:2]
    shift = [np.float32(0.25 / gsd_m) * smooth_noise(rng, (rows, cols), 40.0 / gsd_m) for _ in range(2)]
    shift[0] += np.arange(cols, dtype=np.float32)[None]
    shift[1] += np.arange(rows, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(rgb, shift[0], shift[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT), np.uint8)


def _tone_curve(rng: np.random.Generator) -> Image:
    """A monotone curve over 0 to 255: gamma, contrast and black level."""
    level = np.linspace(0, 1, 256) ** rng.uniform(0.7, 1.4)
    contrast = rng.uniform(0.7, 1.1)
    return np.asarray(np.clip(255 * (0.5 + contrast * (level - 0.5)) + rng.uniform(-14, 14), 0, 255), np.uint8)


def _cloud_shadows(shape: tuple[int, int], gsd_m: float, rng: np.random.Generator) -> Field:
    """Brightness factor: soft shadows of clouds over a fifth of the ground."""
    cover = smooth_noise(rng, shape, 260.0 / gsd_m) + 0.3 * smooth_noise(rng, shape, 70.0 / gsd_m)
    return np.asarray(1.0 - 0.38 * np.clip(2.0 * (cover - 0.7), 0, 1), np.float32)
