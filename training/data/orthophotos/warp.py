"""Geometry of one view: from a place to S x S pixels through one resampling."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from training.data.orthophotos.imagery import Imagery
from training.data.orthophotos.places import Place

RELIEF_CELLS = (3, 9)
"""Range of the number of cells of the smooth displacement field along a side."""


@dataclass(frozen=True)
class Distortion:
    """How one view lies on its place.

    shift: of the centre, share of the side; turn_rad; scale: of the side; tilt: perspective, change of depth over the
    tile in x and y; relief_px: smooth displacement [S, S, 2] in view pixels (None for flat ground).
    """

    shift: tuple[float, float] = (0.0, 0.0)
    turn_rad: float = 0.0
    scale: float = 1.0
    tilt: tuple[float, float] = (0.0, 0.0)
    relief_px: npt.NDArray[np.float32] | None = None


def smooth_field(rng: np.random.Generator, size: int, channels: int, cells: tuple[int, int]) -> npt.NDArray[np.float32]:
    """A low-frequency random field [size, size, channels] of unit variance at its nodes."""
    count = int(rng.integers(cells[0], cells[1]))
    nodes = rng.standard_normal((count, count, channels), dtype=np.float32)
    field = cv2.resize(nodes, (size, size), interpolation=cv2.INTER_CUBIC)
    return np.asarray(field, np.float32).reshape(size, size, channels)


def relief(rng: np.random.Generator, size: int, amplitude_px: float) -> npt.NDArray[np.float32]:
    """Displacement [size, size, 2] as relief and parallax cause it."""
    return np.asarray(smooth_field(rng, size, 2, RELIEF_CELLS) * np.float32(amplitude_px), np.float32)


def render(image: Imagery, place: Place, distortion: Distortion, size: int) -> npt.NDArray[np.uint8]:
    """The view of the place as RGB uint8 [size, size, 3]; ground outside the image is mirrored."""
    grid = _unit_grid(size)
    if distortion.relief_px is not None:
        grid = grid + distortion.relief_px / np.float32(size)
    depth = 1.0 + grid @ np.array(distortion.tilt, np.float32)
    local = grid / depth[..., None]
    level, pixels_per_m = _level(image, place.side_m * distortion.scale / size)
    linear, offset = _to_pixels(place, distortion, pixels_per_m)
    source = local @ linear.T + offset
    columns, rows = cv2.split(source)
    sampled = cv2.remap(level, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
    return np.asarray(sampled, np.uint8)


def _unit_grid(size: int) -> npt.NDArray[np.float32]:
    axis = (np.arange(size, dtype=np.float32) + np.float32(0.5)) / np.float32(size) - np.float32(0.5)
    return np.stack(np.meshgrid(axis, axis), axis=-1)


def _level(image: Imagery, view_gsd_m: float) -> tuple[npt.NDArray[np.uint8], float]:
    """The coarsest level still as fine as the view, so that bilinear sampling does not alias, and its pixels per m."""
    deepest = len(image.pyramid) - 1
    index = min(max(round(math.log2(view_gsd_m / image.gsd_m) - 0.2), 0), deepest)
    return image.pyramid[index], 1.0 / (image.gsd_m * 2**index)


def _to_pixels(
    place: Place, distortion: Distortion, pixels_per_m: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Linear part [2, 2] and offset [2] from view coordinates (-0.5 .. 0.5) to pixels of the level."""
    side_px = place.side_m * pixels_per_m
    frame = _rotation(place.turn_rad) @ np.diag([-1.0 if place.mirrored else 1.0, 1.0]) * side_px
    linear = frame @ _rotation(distortion.turn_rad) * distortion.scale
    centre = np.array([place.x_m, place.y_m]) * pixels_per_m + frame @ np.array(distortion.shift)
    return linear.astype(np.float32), (centre - 0.5).astype(np.float32)


def _rotation(angle_rad: float) -> npt.NDArray[np.float64]:
    cosine, sine = math.cos(angle_rad), math.sin(angle_rad)
    return np.array([[cosine, -sine], [sine, cosine]])
