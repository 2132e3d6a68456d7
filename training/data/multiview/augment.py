"""What happens to the two images of a row before the network sees them; a function of the images and a generator."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from training.checkpoint import IMAGENET_MEAN
from training.data.multiview.parts import View
from training.data.orthophotos import colour, sensor
from training.recipes.data_schema import AugmentSpec

Pixels = npt.NDArray[np.uint8]

COLOUR_STRENGTH = 0.5
"""Of the orthophoto source's changes of colour, which are made for two sources of imagery, not for one."""
BLUR_SHARE = 0.5
"""Of the images whose focus changes; the others are sharpened."""
QUARTER_TURNS = (cv2.ROTATE_90_CLOCKWISE, cv2.ROTATE_180, cv2.ROTATE_90_COUNTERCLOCKWISE)
GRID_SHARE = 0.5
"""Of the images with dropout; the others lose rectangles at random places."""
GRID_PERIOD = (0.1, 0.25)
GRID_HOLE = 0.4
"""Side of the period as a share of the image, and of the hole as a share of the period (Sample4Geo: 0.4)."""
RECTANGLES = (4, 13)
RECTANGLE_SIDE = (0.08, 0.2)
FILL = tuple(round(255 * mean) for mean in IMAGENET_MEAN)
"""What normalisation turns into zeros."""


def augment_row(satellite: Pixels, drone: Pixels, spec: AugmentSpec, rng: np.random.Generator) -> tuple[Pixels, Pixels]:
    """The two images [S, S, 3] of a row, changed; those given are left as they are."""
    if rng.random() < spec.flip_together:
        satellite, drone = _flip(satellite), _flip(drone)
    return (
        _look(_frame(satellite, View.SATELLITE, spec, rng), spec, rng),
        _look(_frame(drone, View.DRONE, spec, rng), spec, rng),
    )


def _frame(image: Pixels, view: View, spec: AugmentSpec, rng: np.random.Generator) -> Pixels:
    if rng.random() < spec.flip:
        image = _flip(image)
    reach = round(spec.crop * image.shape[0])
    offset = rng.integers(-reach, reach, 2, endpoint=True)
    if view is View.SATELLITE:
        image = _turn(image, int(rng.integers(4)) * spec.satellite_turns)
        reach = round(spec.satellite_shift * image.shape[0])
        offset += rng.integers(-reach, reach, 2, endpoint=True)
    return _shift(image, int(offset[0]), int(offset[1]))


def _flip(image: Pixels) -> Pixels:
    return np.asarray(cv2.flip(image, 1), np.uint8)


def _turn(image: Pixels, quarters: int) -> Pixels:
    return image if quarters == 0 else np.asarray(cv2.rotate(image, QUARTER_TURNS[quarters - 1]), np.uint8)


def _shift(image: Pixels, down: int, right: int) -> Pixels:
    """Padded with its own edge and cropped: what a random crop of a padded image leaves."""
    pad, size = max(abs(down), abs(right)), image.shape[0]
    if pad == 0:
        return image
    padded = cv2.copyMakeBorder(image, pad, pad, pad, pad, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(padded[pad + down : pad + down + size, pad + right : pad + right + size], np.uint8)


def _look(image: Pixels, spec: AugmentSpec, rng: np.random.Generator) -> Pixels:
    coloured, focused, compressed, dropped = (
        rng.random(4) < (spec.colour, spec.focus, spec.jpeg, spec.dropout)
    ).tolist()
    if coloured:
        image = colour.tone_curves(image, rng, COLOUR_STRENGTH)
    if coloured or focused:
        pixels = image.astype(np.float32) * np.float32(1.0 / 255.0)
        if coloured:
            pixels = colour.mix_channels(pixels, rng, COLOUR_STRENGTH)
            pixels = colour.saturation(pixels, rng, COLOUR_STRENGTH)
        if focused:
            pixels = (sensor.blur if rng.random() < BLUR_SHARE else sensor.sharpen)(pixels, rng, 1.0)
        image = (np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8)
    if compressed:
        image = sensor.jpeg(image, rng)
    return _drop(image, rng) if dropped else image


def _drop(image: Pixels, rng: np.random.Generator) -> Pixels:
    """Holes, in a grid or at random, so that no single landmark decides."""
    size = image.shape[0]
    kept: Pixels = image.copy()
    if rng.random() < GRID_SHARE:
        period = max(round(size * rng.uniform(*GRID_PERIOD)), 2)
        rows, columns = ((np.arange(size) + rng.integers(period)) % period < GRID_HOLE * period for _ in range(2))
        kept[np.ix_(rows, columns)] = FILL
        return kept
    for _ in range(rng.integers(*RECTANGLES)):
        height, width = (size * rng.uniform(*RECTANGLE_SIDE, 2)).astype(int)
        top, left = rng.integers(0, size, 2)
        kept[top : top + height, left : left + width] = FILL
    return kept
