"""Structural correlation: fields of doubled gradient angle find the same ground in images of different sources.

A field holds exp(2i*theta) of the image gradient with clipped magnitude, so that an edge counts the same whichever
side is brighter (another sun, another season) and however strong it is. Correlating a masked field with a map window
and dividing by the local energy gives a score in [-1, 1] for every shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.float32]
"""OpenCV's packed spectrum of a real image."""
SMOOTHING_PX = 1.2
NOISE_FLOOR = 12.0
"""Gradient (Sobel units, grey levels x 8) added to every magnitude: weaker gradients lose their direction to noise."""
CLIP = 80.0
"""Gradient above which an edge counts no more: one bright roof must not outweigh a street."""
FLAT = 1e-12
"""Second derivative below which three scores have no maximum between them."""
LEAST_OF_TEMPLATE = 0.05
LEAST_OF_TEXTURE = 1.0
"""Shares of the template's energy, and of the map's mean energy under it, that a place is taken to have at least."""


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
    """A rectified patch ready to be correlated: spectra of its field and mask, norm, side, count of valid pixels.

    `floor` is the least energy that a place in the map is taken to have: nearly empty ground would else agree with
    anything by the one edge it has.
    """

    x: Spectrum
    y: Spectrum
    mask: Spectrum
    norm: float
    size: int
    pixels: int
    floor: float


@dataclass(frozen=True)
class Window:
    """A map window ready to be correlated: spectra of its field (x, y) and of its energy, and its side."""

    x: Spectrum
    y: Spectrum
    energy: Spectrum
    size: int


def transform_size(template: int, window: int) -> int:
    """Side of the transform in which every shift of the template inside the window is free of wrap-around."""
    return int(cv2.getOptimalDFTSize(max(template, window)))


def make_template(
    grey: npt.NDArray[np.uint8], valid: npt.NDArray[np.uint8], side: int, texture: float = 0.0
) -> Template:
    """Spectra of a square grey patch in a transform of `side`, for a map of a mean energy per pixel (`texture`)."""
    field = orientation_field(grey, valid)
    mask = inner(valid)
    norm = float(np.sqrt((field * field).sum()))
    x, y = (_spectrum(field[..., k], side) for k in (0, 1))
    pixels = int(mask.sum())
    floor = max(1e-6, LEAST_OF_TEMPLATE * norm * norm, LEAST_OF_TEXTURE * texture * pixels)
    return Template(x, y, _spectrum(mask, side), norm, len(grey), pixels, floor)


def make_window(grey: npt.NDArray[np.uint8], side: int) -> Window:
    """Spectra of a square grey map window (0 = no data)."""
    field = orientation_field(grey, ((grey > 0) * 255).astype(np.uint8))
    x, y = (_spectrum(field[..., k], side) for k in (0, 1))
    return Window(x, y, _spectrum((field * field).sum(axis=2), side), len(grey))


def correlate(template: Template, window: Window) -> npt.NDArray[np.float32]:
    """Score of the template at every shift inside the window: [window - template + 1] squared, in [-1, 1]."""
    shifts = window.size - template.size + 1
    match = _correlation(window.x, template.x) + _correlation(window.y, template.y)
    energy = _inverse(_correlation(window.energy, template.mask))[:shifts, :shifts]
    score = _inverse(match)[:shifts, :shifts] / (template.norm * np.sqrt(np.maximum(energy, template.floor)) + 1e-9)
    return np.asarray(np.clip(score, -1.0, 1.0), np.float32)


def _spectrum(image: npt.NDArray[np.float32], side: int) -> Spectrum:
    """Packed spectrum of a real image, zero-padded to `side`; half the work of a complex transform."""
    padded = np.zeros((side, side), np.float32)
    padded[: len(image), : len(image)] = image
    return np.asarray(cv2.dft(padded), np.float32)


def _correlation(window: Spectrum, template: Spectrum) -> Spectrum:
    return np.asarray(cv2.mulSpectrums(window, template, 0, conjB=True), np.float32)


def _inverse(spectrum: Spectrum) -> npt.NDArray[np.float32]:
    return np.asarray(cv2.dft(spectrum, flags=cv2.DFT_INVERSE | cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT), np.float32)


def subpixel_peak(field: npt.NDArray[np.float32]) -> tuple[float, float, float]:
    """x, y and value of the maximum, refined by a parabola through its neighbours in each axis."""
    y, x = divmod(int(field.argmax()), field.shape[1])
    peak = float(field[y, x])
    dx = _vertex(field[y, x - 1 : x + 2]) if 0 < x < field.shape[1] - 1 else 0.0
    dy = _vertex(field[y - 1 : y + 2, x]) if 0 < y < field.shape[0] - 1 else 0.0
    return x + dx, y + dy, peak


def _vertex(three: npt.NDArray[np.float32]) -> float:
    return parabola(*(float(v) for v in three))[0]


def parabola(left: float, mid: float, right: float) -> tuple[float, float]:
    """Vertex, in steps from the middle, and second derivative per step squared of the parabola through three values.

    The vertex is 0 where the parabola has no maximum.
    """
    bend = left - 2 * mid + right
    return (0.5 * (left - right) / bend if bend < -FLAT else 0.0), bend
