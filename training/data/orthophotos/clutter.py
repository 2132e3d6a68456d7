"""What stands, lies or drifts over the ground in one view and not in the other.

Every function takes RGB float32 [S, S, 3] in 0..1, a generator and a strength (1 is full) and returns the image.
"""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.data.orthophotos.warp import smooth_field

Floats = npt.NDArray[np.float32]

SHADOWS_MOST = 5
SHADOW_REACH = (0.04, 0.25)
SHADOW_LOSS = (0.2, 0.65)
SHADOW_TINT = np.array([1.0, 0.95, 0.85])
CARS_MOST = 24
CAR_SIDE = (0.015, 0.05)
BLOCKS_MOST = 3
BLOCK_SIDE = (0.08, 0.35)
CLOUD_CELLS = (3, 7)
HAZE_SHARE = (0.05, 0.45)
CORNER_MOST = 0.3
SKY = np.array([0.82, 0.86, 0.92], np.float32)


def shadows(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Bluish polygons of shade, soft at their edges."""
    size = image.shape[0]
    mask = np.zeros((size, size), np.float32)
    for _ in range(int(rng.integers(1, SHADOWS_MOST + 1))):
        centre, reach = rng.uniform(0.0, size, 2), size * rng.uniform(*SHADOW_REACH)
        cv2.fillConvexPoly(mask, cv2.convexHull(_corners(rng, centre, reach)), 1.0)
    soft = cv2.GaussianBlur(mask, (0, 0), float(rng.uniform(0.5, 2.0)))
    loss = strength * rng.uniform(*SHADOW_LOSS) * SHADOW_TINT
    return np.asarray(image * (1.0 - soft[..., None] * loss.astype(np.float32)), np.float32)


def cars(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Many small rectangles of any colour, dark or bright: cars, boats, roofs of sheds."""
    size = image.shape[0]
    out: Floats = image.copy()
    heading = rng.uniform(0.0, 180.0)
    for _ in range(int(rng.integers(1, int(CARS_MOST * strength) + 2))):
        centre = rng.uniform(0.0, size, 2)
        extent = rng.uniform(*CAR_SIDE, 2) * size
        turn = float(heading + rng.choice([0.0, 90.0]) + rng.normal(0.0, 5.0))
        box = cv2.boxPoints((tuple(centre.tolist()), tuple(extent.tolist()), turn))
        cv2.fillConvexPoly(out, box.astype(np.int32), _colour(rng))
    return out


def blocks(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Rectangles and ellipses that hide the ground: roofs built since, trees grown, objects near the camera."""
    size = image.shape[0]
    out: Floats = image.copy()
    for _ in range(int(rng.integers(1, BLOCKS_MOST + 1))):
        centre = tuple(rng.uniform(0.0, size, 2).tolist())
        extent = tuple((strength * rng.uniform(*BLOCK_SIDE, 2) * size).tolist())
        turn, colour = float(rng.uniform(0.0, 180.0)), _colour(rng)
        if rng.random() < 0.5:
            cv2.fillConvexPoly(out, cv2.boxPoints((centre, extent, turn)).astype(np.int32), colour)
        else:
            cv2.ellipse(out, (centre, extent, turn), colour, cv2.FILLED)
    return out


def haze(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Thin cloud and haze, thicker here than there."""
    field = smooth_field(rng, image.shape[0], 1, CLOUD_CELLS)
    share = np.clip(np.float32(strength * rng.uniform(*HAZE_SHARE)) * (1.0 + 0.8 * field), 0.0, 0.9)
    return np.asarray(image + share * (SKY - image), np.float32)


def black_corner(image: Floats, rng: np.random.Generator, strength: float) -> Floats:
    """Ground outside the camera's footprint is black in a rectified patch: one or two half planes are cut off."""
    size = image.shape[0]
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size - 0.5
    keep = np.ones((size, size), np.bool_)
    for _ in range(int(rng.integers(1, 3))):
        angle, reach = rng.uniform(0.0, 2.0 * np.pi), 0.5 - strength * rng.uniform(0.0, CORNER_MOST)
        diagonal = abs(np.cos(angle)) + abs(np.sin(angle))
        keep &= np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None] < reach * diagonal
    return np.asarray(image * keep[..., None], np.float32)


def _corners(rng: np.random.Generator, centre: npt.NDArray[np.float64], reach: float) -> npt.NDArray[np.int32]:
    count = int(rng.integers(3, 7))
    return np.asarray(centre + rng.uniform(-reach, reach, (count, 2)), np.int32)


def _colour(rng: np.random.Generator) -> tuple[float, float, float]:
    level = rng.uniform(0.0, 1.0)
    red, green, blue = np.clip(level + rng.normal(0.0, 0.1, 3), 0.0, 1.0)
    return float(red), float(green), float(blue)
