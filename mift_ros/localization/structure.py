"""Structural correlation: fields of doubled gradient angle find the same ground in images of different sources.

A field holds exp(2i*theta) of the image gradient with clipped magnitude, so that an edge counts the same whichever
side is brighter (another sun, another season) and however strong it is. Correlating a masked field with a map window
and dividing by the local energy gives a score for every shift, about 1 at most.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Spectrum = npt.NDArray[np.complex64]
"""Spectrum [N, N // 2 + 1] of a real image: the other half of the columns mirrors it."""
SMOOTHING_PX = 1.2
NOISE_FLOOR = 12.0
"""Gradient (Sobel units, grey levels x 8) added to every magnitude: weaker gradients lose their direction to noise."""
CLIP = 80.0
"""Gradient above which an edge counts no more: one bright roof must not outweigh a street."""
PRUNED = 4
"""Up to the side of a transform over this, few shifts cost less as two matrix products than as a whole inverse."""
FLAT = 1e-12
"""Second derivative below which three scores have no maximum between them."""
LEAST_OF_TEMPLATE = 0.05
LEAST_OF_TEXTURE = 1.0
"""Shares of the template's energy, and of the map's mean energy under it, that a place is taken to have at least."""


def orientation_field(grey: npt.NDArray[np.uint8], valid: npt.NDArray[np.uint8] | None = None) -> Field:
    """Doubled-angle field [H, W, 2] (cos, sin of 2*theta, weighted) of a grey image; zero where not valid.

    Validity shrinks by two pixels so that the border of the data makes no edge.
    """
    return np.dstack(_planes(grey, None if valid is None else inner(valid), SMOOTHING_PX))


def _planes(grey: npt.NDArray[np.uint8], mask: Field | None, smoothing_px: float) -> tuple[Field, Field]:
    """Both parts of the orientation field, in place: at these sizes memory costs more than arithmetic."""
    smooth = cv2.GaussianBlur(grey, (0, 0), smoothing_px)
    gx = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 1, 0), np.float32)
    gy = np.asarray(cv2.Sobel(smooth, cv2.CV_32F, 0, 1), np.float32)
    weight = np.asarray(cv2.magnitude(gx, gy), np.float32)
    weight += np.float32(NOISE_FLOOR)
    weight *= np.maximum(weight, np.float32(CLIP))
    np.divide(np.float32(1.0) if mask is None else mask, weight, out=weight)
    y = gx * gy
    y *= weight
    y += y
    gx *= gx
    gy *= gy
    gx -= gy
    gx *= weight
    return gx, y


def inner(valid: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The valid area less two pixels of border, as 0.0 or 1.0."""
    eroded = cv2.erode(valid, np.ones((5, 5), np.uint8), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    return (eroded > 0).astype(np.float32)


@dataclass(frozen=True)
class Template:
    """A rectified patch ready to be correlated: spectra of its field and mask, norm, side, count of valid pixels.

    The spectra are conjugate, as a correlation needs them.

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
    """Side of the transform in which every shift of the template inside the window is free of wrap-around.

    A multiple of 4: transforms of odd sides take twice the time.
    """
    return 4 * int(cv2.getOptimalDFTSize(-(-max(template, window) // 4)))


def make_template(
    grey: npt.NDArray[np.uint8],
    valid: npt.NDArray[np.uint8],
    side: int,
    texture: float = 0.0,
    smoothing_px: float = SMOOTHING_PX,
    weight: Field | None = None,
) -> Template:
    """Spectra of a square grey patch in a transform of `side`, for a map of a mean energy per pixel (`texture`).

    `weight` [side, side // 2 + 1] is what each wave counts; all the same without it.
    """
    mask = inner(valid)
    x, y = _planes(grey, mask, smoothing_px)
    energy = float(np.vdot(x, x) + np.vdot(y, y))
    pixels = cv2.countNonZero(mask)
    floor = max(1e-6, LEAST_OF_TEMPLATE * energy, LEAST_OF_TEXTURE * texture * pixels)
    x_spectrum, y_spectrum, mask_spectrum = (_conjugate(_spectrum(plane, side)) for plane in (x, y, mask))
    if weight is not None:
        energy = _weighted_energy(x_spectrum, weight) + _weighted_energy(y_spectrum, weight)
        x_spectrum *= weight
        y_spectrum *= weight
    return Template(x_spectrum, y_spectrum, mask_spectrum, math.sqrt(energy), len(grey), pixels, floor)


def _weighted_energy(spectrum: Spectrum, weight: Field) -> float:
    """Energy of a real image from half of its spectrum (Parseval), each wave times its weight."""
    power = weight * (spectrum.real**2 + spectrum.imag**2)
    both = 2 * float(power.sum()) - float(power[:, 0].sum() + power[:, -1].sum())
    return both / len(spectrum) ** 2


def make_window(grey: npt.NDArray[np.uint8], side: int, smoothing_px: float = SMOOTHING_PX) -> Window:
    """Spectra of a square grey map window (0 = no data)."""
    x, y = _planes(grey, inner((grey > 0) * np.uint8(255)), smoothing_px)
    return Window(_spectrum(x, side), _spectrum(y, side), _spectrum(x * x + y * y, side), len(grey))


def correlate(template: Template, window: Window) -> Field:
    """Score of the template at every shift inside the window: [window - template + 1] squared.

    It is in [-1, 1], but for a template of weighted waves: they are not weighed in the window's energy, which takes
    two more transforms of every window, and the true place stands out hardly better for it.
    """
    shifts = window.size - template.size + 1
    side = len(window.x)
    match = window.x * template.x
    match += window.y * template.y
    energy = _shifts(window.energy * template.mask, side, shifts)
    np.maximum(energy, np.float32(template.floor), out=energy)
    np.sqrt(energy, out=energy)
    energy *= np.float32(template.norm)
    energy += np.float32(1e-9)
    score = _shifts(match, side, shifts)
    score /= energy
    return score


def _conjugate(spectrum: Spectrum) -> Spectrum:
    return np.conjugate(spectrum, out=spectrum)


def _spectrum(image: Field, side: int) -> Spectrum:
    """Spectrum of a real image, zero-padded to an even `side`; OpenCV is fastest into its packed format."""
    padded = np.zeros((side, side), np.float32)
    padded[: len(image), : len(image)] = image
    packed = np.asarray(cv2.dft(padded, dst=padded), np.float32)
    half = np.empty((side, side // 2 + 1), np.complex64)
    half.view(np.float32)[:, 2:-2] = packed[:, 1:-1]
    for column in (0, -1):
        half[:, column] = _unpacked(packed[:, column])
    return half


def _unpacked(packed: Field) -> Spectrum:
    """Spectrum [N] of a real column from its packed form: real of 0, real and imaginary of 1 ..., real of N / 2."""
    inside = np.ascontiguousarray(packed[1:-1]).view(np.complex64)
    return np.concatenate([packed[:1], inside, packed[-1:], inside[::-1].conj()])


def _shifts(spectrum: Spectrum, side: int, count: int) -> Field:
    """The first `count` squared values [count, count] of the inverse transform of a spectrum."""
    if count > side // PRUNED:
        columns = np.fft.ifft(spectrum, axis=0)[:count]
        return np.asarray(np.fft.irfft(columns, n=side, axis=1)[:, :count], np.float32)
    down, across = _inverse(side, count)
    return (down @ spectrum).view(np.float32) @ across


@lru_cache(maxsize=64)
def _inverse(side: int, count: int) -> tuple[Spectrum, Field]:
    """Inverse transform to `count` shifts as matrices: [count, side] down the columns, [side + 2, count] across."""
    shift, frequency = np.arange(count), np.arange(side // 2 + 1)
    down = np.exp(2j * np.pi / side * np.outer(shift, np.arange(side))) / side
    weight = np.where((frequency == 0) | (frequency == side // 2), 1.0, 2.0)[:, None] / side
    wave = weight * np.exp(2j * np.pi / side * np.outer(frequency, shift))
    across = np.stack([wave.real, -wave.imag], axis=1).reshape(-1, count)
    return down.astype(np.complex64), across.astype(np.float32)


def subpixel_peak(field: npt.NDArray[np.float32], at: tuple[int, int] | None = None) -> tuple[float, float, float]:
    """x, y and value of the maximum of the parabolas through the greatest value and its neighbours in each axis.

    The value too is that between the pixels: that of the nearest one varies with where they happen to lie by more than
    a step of a percent in scale changes it. `at` (row, column) is another value to start from.
    """
    y, x = divmod(int(field.argmax()), field.shape[1]) if at is None else at
    dx, over = _summit(field[y, max(x - 1, 0) : x + 2])
    dy, above = _summit(field[max(y - 1, 0) : y + 2, x])
    return x + dx, y + dy, float(field[y, x]) + over + above


def _summit(near: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Where the parabola through three values is greatest, in steps from the middle, and by how much more.

    0 and 0 at an end of the field and where the middle is not the greatest.
    """
    if len(near) < 3 or near.argmax() != 1:
        return 0.0, 0.0
    vertex, bend = parabola(*(float(value) for value in near))
    return vertex, -0.5 * bend * vertex**2


def parabola(left: float, mid: float, right: float) -> tuple[float, float]:
    """Vertex, in steps from the middle, and second derivative per step squared of the parabola through three values.

    The vertex is 0 where the parabola has no maximum.
    """
    bend = left - 2 * mid + right
    return (0.5 * (left - right) / bend if bend < -FLAT else 0.0), bend
