"""Structural correlation: fields of doubled gradient angle find the same ground in images of different sources.

A field holds exp(2i*theta) of the image gradient with clipped magnitude, so that an edge counts the same whichever side is
brighter (another sun, another season) and however strong it is. Correlating a masked field with a map window and dividing
by the local energy gives a score in [-1, 1] for every shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
SMOOTHING_PX = 1.2
NOISE_FLOOR = 12.0
"""Gradient (Sobel units, grey levels x 8) added to every magnitude: weaker gradients lose their direction to noise."""
CLIP = 80.0
"""Gradient above which an edge counts no more: one bright roof must not outweigh a street."""


def orientation_field(grey: npt.NDArray[np.uint8], valid: npt.NDArray[np.uint8] | None = None) -> Field:
    """Doubled-angle field [H, W, 2] (cos, sin of 2*theta, weighted) of a grey image; zero where not valid.

    Validity shrinks by two pixels so that the border of the data makes no edge.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), SMOOTHING_PX).astype(np.float32)
    gx, gy = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    magnitude = np.sqrt(gx * gx + gy * gy) + NOISE_FLOOR
    weight = np.minimum(magnitude, CLIP) / (CLIP * magnitude * magnitude)
    field = np.dstack([(gx * gx - gy * gy) * weight, 2 * gx * gy * weight])
    if valid is not None:
        field *= inner(valid)[..., None]
    return field.astype(np.float32, copy=False)


def inner(valid: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The valid area less two pixels of border, as 0.0 or 1.0."""
    eroded = cv2.erode(valid, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return (eroded > 0).astype(np.float32)


@dataclass(frozen=True)
class Template:
    """A rectified patch ready to be correlated: spectra of its field and of its mask, its norm, side and valid pixels."""

    field: npt.NDArray[np.complex64]
    mask: npt.NDArray[np.complex64]
    norm: float
    size: int
    pixels: int


def transform_size(template: int, window: int) -> int:
    """Side of the transform in which every shift of the template inside the window is free of wrap-around."""
    return int(cv2.getOptimalDFTSize(max(template, window)))


def make_template(grey: npt.NDArray[np.uint8], valid: npt.NDArray[np.uint8], side: int) -> Template:
    """Spectra, conjugated, of a square grey patch in a transform of `side`."""
    field = orientation_field(grey, valid)
    mask = inner(valid)
    norm = float(np.sqrt((field * field).sum()))
    return Template(np.conj(_spectrum(field, side)), np.conj(_spectrum(mask, side)), norm, len(grey), int(mask.sum()))


@dataclass(frozen=True)
class Window:
    """A map window ready to be correlated: spectra of its field and of its energy."""

    field: npt.NDArray[np.complex64]
    energy: npt.NDArray[np.complex64]
    size: int


def make_window(grey: npt.NDArray[np.uint8], side: int) -> Window:
    """Spectra of a square grey map window (0 = no data)."""
    field = orientation_field(grey, ((grey > 0) * 255).astype(np.uint8))
    energy = (field * field).sum(axis=2)
    return Window(_spectrum(field, side), _spectrum(energy, side), len(grey))


def correlate(template: Template, window: Window) -> npt.NDArray[np.float32]:
    """Score of the template at every shift inside the window: [window - template + 1] squared, in [-1, 1]."""
    shifts = window.size - template.size + 1
    match = np.fft.ifft2(window.field * template.field).real[:shifts, :shifts]
    energy = np.fft.ifft2(window.energy * template.mask).real[:shifts, :shifts]
    # a window that is nearly empty under the mask would divide noise by nothing
    floor = max(1e-6, 0.05 * template.norm * template.norm)
    return np.asarray(match / (template.norm * np.sqrt(np.maximum(energy, floor)) + 1e-9), np.float32)


def subpixel_peak(field: npt.NDArray[np.float32]) -> tuple[float, float, float]:
    """x, y and value of the maximum, refined by a parabola through its neighbours in each axis."""
    y, x = divmod(int(field.argmax()), field.shape[1])
    peak = float(field[y, x])
    dx = _vertex(field[y, x - 1 : x + 2]) if 0 < x < field.shape[1] - 1 else 0.0
    dy = _vertex(field[y - 1 : y + 2, x]) if 0 < y < field.shape[0] - 1 else 0.0
    return x + dx, y + dy, peak


def _vertex(three: npt.NDArray[np.float32]) -> float:
    left, mid, right = (float(v) for v in three)
    bend = left - 2 * mid + right
    return 0.5 * (left - right) / bend if bend < -1e-12 else 0.0


def _spectrum(image: npt.NDArray[np.float32], side: int) -> npt.NDArray[np.complex64]:
    """Two-dimensional transform of a field (as complex numbers) or of a real image, zero-padded to `side`."""
    flat = image[..., 0] + 1j * image[..., 1] if image.ndim == 3 else image
    return np.asarray(np.fft.fft2(flat.astype(np.complex64), (side, side)), np.complex64)
