"""What lens, sensor, resolution and compression do to a view: RGB float32 [S, S, 3] in 0..1, or uint8 for JPEG."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]

BLUR_SIGMA_PX = (0.4, 1.8)
DEFOCUS_SHARE = 0.7
MOTION_PX = (3, 8)
SHARPEN = (0.3, 2.0)
SHARPEN_SIGMA_PX = (0.7, 2.0)
REDUCED_LEAST_PX = 24
REDUCTION = (1.2, 3.5)
NOISE = 0.05
JPEG_QUALITY = (25, 90)


def blur(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Out of focus, or smeared along one direction."""
    if rng.random() < DEFOCUS_SHARE:
        sigma = float(BLUR_SIGMA_PX[0] + strength * rng.uniform(0.0, BLUR_SIGMA_PX[1] - BLUR_SIGMA_PX[0]))
        return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.float32)
    length = int(rng.integers(*MOTION_PX))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0.0, np.pi)
    arm = 0.5 * (length - 1) * np.array([np.cos(angle), np.sin(angle)])
    start, end = np.rint(0.5 * (length - 1) - arm).astype(int), np.rint(0.5 * (length - 1) + arm).astype(int)
    cv2.line(kernel, tuple(start.tolist()), tuple(end.tolist()), 1.0)
    return np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.float32)


def sharpen(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Unsharp masking, as map providers apply it."""
    soft = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(*SHARPEN_SIGMA_PX)))
    return np.asarray(image + np.float32(strength * rng.uniform(*SHARPEN)) * (image - soft), np.float32)


def coarser(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Reduced and enlarged again: the detail of a coarser source."""
    size = image.shape[0]
    reduced = max(round(size / (1.0 + strength * (rng.uniform(*REDUCTION) - 1.0))), REDUCED_LEAST_PX)
    small = cv2.resize(image, (reduced, reduced), interpolation=cv2.INTER_AREA)
    enlarge = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(small, (size, size), interpolation=enlarge), np.float32)


def noise(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Sensor noise, the same for all channels or of each."""
    channels = 3 if rng.random() < 0.5 else 1
    grain = rng.standard_normal((*image.shape[:2], channels), dtype=np.float32)
    return np.asarray(image + np.float32(strength * rng.uniform(0.0, NOISE)) * grain, np.float32)


def jpeg(image: npt.NDArray[np.uint8], rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Compressed and decoded again."""
    quality = int(rng.integers(*JPEG_QUALITY))
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
