"""Does the ground agree in what is bright and what is dark: evidence for a place that its edges do not hold.

Edges count the same whichever side is bright (structure.py), so that a match survives another sun and season. Where
light and season are alike enough, roofs, roads and trees agree in their brightness too, and of wrong places those that
agree in their edges do so no more than others: over 700 of them the two correlate by 0.1.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.localization.structure import LEAST_OF_TEMPLATE, Field, inner

Pixels = npt.NDArray[np.uint8]
GSD_M = 2.0
"""Resolution, or the map's if that is coarser; coarser too for views of more than MOST_PX."""
MOST_PX = 112
FINE_PX, BROAD_PX = 1.0, 4.0
"""Standard deviations of the Gaussians that bound the band: of roofs, roads and trees, but not of fields or haze."""
SATURATED = 10.0
"""Grey levels beyond which more contrast counts little: one white roof must not outweigh a street."""
REACH_PX = 1
"""Shift to each side at which the edges' place is tried: what their alignment may be off by."""
STEPS = range(-REACH_PX, REACH_PX + 1)


@dataclass(frozen=True)
class Shade:
    """Contrast of a view and where it is valid, [N * N] each, for windows of side N at `gsd_m`."""

    contrast: Field
    mask: Field
    side: int
    gsd_m: float


def shade_of(grey: Pixels, valid: Pixels, gsd_m: float) -> Shade:
    """A square grey view [N, N] ready to be compared."""
    mask = inner(valid)
    return Shade(_contrast(grey, mask).ravel(), mask.ravel(), len(grey), gsd_m)


def shifted(grey: Pixels, side: int, step: int) -> Field:
    """Contrast of a map window (0 = no data) about its centre, moved by -step, 0, step along both axes [9, side^2]."""
    contrast = _contrast(grey, (grey > 0).astype(np.float32))
    first = (len(grey) - side) // 2
    rows = [first + step * k for k in STEPS]
    cut = [contrast[r : r + side, c : c + side] for r in rows for c in rows]
    return np.stack(cut).reshape(len(cut), -1)


def scores(shade: Shade, windows: Field, squares: Field | None = None) -> Field:
    """Normalised correlation [K] of a view with windows [K, N * N]; `squares` are theirs if they are at hand.

    Windows that are all but flat are taken to have some contrast: they would agree with anything by chance.
    """
    own = float(shade.contrast @ shade.contrast)
    energy = (windows * windows if squares is None else squares) @ shade.mask
    floor = max(LEAST_OF_TEMPLATE * own, 1e-6)
    return np.asarray(windows @ shade.contrast / np.sqrt(np.maximum(energy, floor) * max(own, 1e-6)), np.float32)


def _contrast(grey: Pixels, mask: Field) -> Field:
    """The band of the brightness in [-1, 1], 0 where not valid; what is not valid does not bleed into what is."""
    seen = grey * mask

    def mean(sigma_px: float) -> Field:
        weight = cv2.GaussianBlur(mask, (0, 0), sigma_px)
        return np.asarray(cv2.GaussianBlur(seen, (0, 0), sigma_px) / np.maximum(weight, np.float32(1e-3)), np.float32)

    return np.asarray(np.tanh((mean(FINE_PX) - mean(BROAD_PX)) / np.float32(SATURATED)) * mask, np.float32)
