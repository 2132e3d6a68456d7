"""Smooth random fields: terrain, soil, clouds of colour. Small grids, enlarged by cubic interpolation."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], wavelength_px: float) -> Field:
    """A field [H, W] of about unit standard deviation that varies over `wavelength_px` pixels."""
    rows, cols = (max(2, round(2 * side / wavelength_px) + 1) for side in shape)
    coarse = rng.standard_normal((rows, cols)).astype(np.float32)
    if (rows, cols) >= shape:
        return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_AREA), np.float32)
    return np.asarray(cv2.resize(coarse, shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def fractal_noise(
    rng: np.random.Generator, shape: tuple[int, int], wavelength_px: float, octaves: int, gain: float = 0.5
) -> Field:
    """Octaves of smooth_noise, each half as long and `gain` times as strong; about unit standard deviation."""
    total = np.zeros(shape, np.float32)
    power = 0.0
    for octave in range(octaves):
        weight = gain**octave
        total += np.float32(weight) * smooth_noise(rng, shape, wavelength_px / 2**octave)
        power += weight**2
    return np.asarray(total / np.float32(np.sqrt(power)), np.float32)
