"""Normalised correlation of orientation fields: the sum of products over the root of both energies, at every shift.

The classical score, in [-1, 1] everywhere, that the matched filter of mift_ros.localization.structure is compared with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mift_ros.localization import structure
from mift_ros.localization.structure import Field, Spectrum

LEAST_OF_TEMPLATE = 0.05
LEAST_OF_TEXTURE = 1.0
"""Shares of the template's energy, and of the map's mean energy under it, that a place is taken to have at least:
nearly empty ground would else agree with anything by the one edge it has."""


@dataclass(frozen=True)
class Template:
    """Conjugate spectra of a patch's field and mask, norm of the field, side, and the least energy of a place."""

    x: Spectrum
    y: Spectrum
    mask: Spectrum
    norm: float
    size: int
    floor: float


@dataclass(frozen=True)
class Window:
    """Spectra of a map window's field (x, y) and of its energy, and its side."""

    x: Spectrum
    y: Spectrum
    energy: Spectrum
    size: int


def make_template(
    grey: npt.NDArray[np.uint8], valid: npt.NDArray[np.uint8], side: int, texture: float = 0.0
) -> Template:
    """Spectra of a square grey patch in a transform of `side`, for a map of a mean energy per pixel (`texture`)."""
    mask = structure.inner(valid)
    x, y = structure.planes(grey, mask, structure.SMOOTHING_PX)
    energy = float(np.vdot(x, x) + np.vdot(y, y))
    floor = max(1e-6, LEAST_OF_TEMPLATE * energy, LEAST_OF_TEXTURE * texture * float(mask.sum()))
    of_x, of_y, of_mask = (np.conjugate(structure.spectrum(plane, side)) for plane in (x, y, mask))
    return Template(of_x, of_y, of_mask, math.sqrt(energy), len(grey), floor)


def make_window(grey: npt.NDArray[np.uint8], side: int) -> Window:
    """Spectra of a square grey map window (0 = no data)."""
    x, y = structure.planes(grey, structure.inner((grey > 0) * np.uint8(255)), structure.SMOOTHING_PX)
    of_x, of_y, of_energy = (structure.spectrum(plane, side) for plane in (x, y, x * x + y * y))
    return Window(of_x, of_y, of_energy, len(grey))


def correlate(template: Template, window: Window) -> Field:
    """Score of the template at every shift inside the window: [window - template + 1] squared, in [-1, 1]."""
    side, shifts = len(window.x), window.size - template.size + 1
    match = structure.shifts(window.x * template.x + window.y * template.y, side, shifts)
    energy = np.maximum(structure.shifts(window.energy * template.mask, side, shifts), template.floor)
    score = match / (template.norm * np.sqrt(energy) + 1e-9)
    return np.asarray(score.clip(-1.0, 1.0), np.float32)
