"""What another sensor, season and hour do to the colours of the same ground.

Every function takes RGB float32 [S, S, 3] in 0..1 (tone curves: uint8), a generator and a strength (1 is full), and
returns a new image; values may leave 0..1 until the end of the chain.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.data.orthophotos.warp import smooth_field

Floats = npt.NDArray[np.float32]

LUMA = np.array([0.299, 0.587, 0.114], np.float32)
TONE_KNOTS = 5
TONE_SPREAD = 0.6
BLACK_AND_WHITE_MOST = 0.2
GAMMA_LOG2 = 0.6
CHANNEL_MIX = 0.22
SATURATION_CHANGE = (-1.0, 0.6)
GREY_SPREAD = 0.35
COLOUR_FIELD_CELLS = (2, 6)
COLOUR_FIELD = 0.12
VEGETATION_GAIN = 14.0
SEASON_SHIFT = 0.22
BAND_CELLS = (6, 13)
LARGE_SCALE_LOSS = 1.2
DETAIL_LOG2 = (-0.7, 1.0)
SUN_RELIEF = 0.5
SUN_REACH_PX = (1.0, 4.0)
EXPOSED_MEAN = (0.25, 0.6)


def tone_curves(image: npt.NDArray[np.uint8], rng: np.random.Generator, strength: float) -> npt.NDArray[np.uint8]:
    """A random rising curve and gamma common to the channels, with small differences between them."""
    levels = np.linspace(0.0, 1.0, 256)
    steps = np.exp(strength * rng.normal(0.0, TONE_SPREAD, TONE_KNOTS))
    knots = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
    common = np.interp(levels, np.linspace(0.0, 1.0, TONE_KNOTS + 1), knots)
    gamma = 2.0 ** (strength * (rng.normal(0.0, GAMMA_LOG2) + rng.normal(0.0, GAMMA_LOG2 / 4, 3)))
    black, white = strength * rng.uniform(0.0, BLACK_AND_WHITE_MOST, 2)
    curves = black + (1.0 - black - white) * common[:, None] ** gamma[None, :]
    table = (np.clip(curves, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    return np.asarray(cv2.LUT(image, table[None]), np.uint8)


def mix_channels(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Gains, cross-talk and hue turn at once: a random matrix near identity."""
    mix = np.eye(3) + strength * CHANNEL_MIX * rng.standard_normal((3, 3))
    mix *= (1.0 + strength * rng.normal(0.0, 0.1)) / np.maximum(mix.sum(axis=1, keepdims=True), 0.5)
    return np.asarray(cv2.transform(image, mix.astype(np.float32)), np.float32)


def saturation(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """From grey to over-saturated."""
    factor = np.float32(np.clip(1.0 + strength * rng.uniform(*SATURATION_CHANGE), 0.0, 2.0))
    neutral = grey(image)
    return np.asarray(neutral + factor * (image - neutral), np.float32)


def grey(image: Floats) -> Floats:
    """The luminance in all three channels."""
    return np.asarray(cv2.transform(image, np.broadcast_to(LUMA, (3, 3)).copy()), np.float32)


def random_grey(image: Floats, rng: np.random.Generator) -> Floats:
    """A grey image with random, even negative, weights of the channels: materials change places on the grey scale."""
    weights = rng.normal(1.0 / 3.0, GREY_SPREAD, 3)
    weights /= max(weights.sum(), 0.4)
    return np.asarray(cv2.transform(image, np.broadcast_to(weights.astype(np.float32), (3, 3)).copy()), np.float32)


def colour_field(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Low-frequency light and colour, as mosaicked scenes, vignetting and thin cloud leave them."""
    size = image.shape[0]
    common = smooth_field(rng, size, 1, COLOUR_FIELD_CELLS)
    coloured = smooth_field(rng, size, 3, COLOUR_FIELD_CELLS)
    light = 1.0 + np.float32(strength * COLOUR_FIELD) * (1.5 * common + 0.5 * coloured)
    return np.asarray(image * light, np.float32)


def season(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Vegetation, found by its excess green, turns brown, yellow, dark or bare, more here than there."""
    excess = cv2.GaussianBlur(cv2.transform(image, np.array([[-1.0, 2.0, -1.0]], np.float32)), (0, 0), 1.5)
    mask = 1.0 / (1.0 + np.exp(-VEGETATION_GAIN * (excess - np.float32(rng.uniform(0.0, 0.1)))))
    local = np.clip(1.0 + 0.6 * smooth_field(rng, image.shape[0], 1, COLOUR_FIELD_CELLS), 0.0, 2.0)
    shift = strength * SEASON_SHIFT * (rng.standard_normal() + 0.5 * rng.standard_normal(3))
    return np.asarray(image + (mask[..., None] * local) * shift.astype(np.float32), np.float32)


def reweight_bands(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Large-scale brightness fades, or even inverts, while edges stay: what differs most between two sources."""
    size = image.shape[0]
    cells = int(rng.integers(*BAND_CELLS))
    low = cv2.resize(
        cv2.resize(image, (cells, cells), interpolation=cv2.INTER_AREA), (size, size), None, 0, 0, cv2.INTER_LINEAR
    )
    mean = image.mean(axis=(0, 1))
    keep = np.float32(1.0 - strength * rng.uniform(0.0, LARGE_SCALE_LOSS))
    detail = np.float32(2.0 ** (strength * rng.uniform(*DETAIL_LOG2)))
    return np.asarray(mean + keep * (low - mean) + detail * (image - low), np.float32)


def auto_exposure(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """The brightness a camera would have chosen, roughly: hardly any real image is all black or all white."""
    mean = max(float(image.mean()), 0.02)
    gain = (rng.uniform(*EXPOSED_MEAN) / mean) ** (0.5 + 0.5 * strength * rng.random())
    return np.asarray(image * np.float32(gain), np.float32)


def sun_relief(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Bright things cast shade away from the sun: a directional derivative of the luminance is added."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    reach = rng.uniform(*SUN_REACH_PX)
    smooth = cv2.GaussianBlur(cv2.transform(image, LUMA[None]), (0, 0), 1.0)
    move = np.array([[1.0, 0.0, reach * np.cos(angle)], [0.0, 1.0, reach * np.sin(angle)]], np.float32)
    moved = cv2.warpAffine(smooth, move, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    amplitude = np.float32(strength * rng.uniform(-SUN_RELIEF, SUN_RELIEF))
    return np.asarray(image + amplitude * (smooth - moved)[..., None], np.float32)
