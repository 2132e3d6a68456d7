"""Structural correlation: fields of doubled gradient angle find the same ground in images of different sources.

A field holds exp(2i*theta) of the image gradient with clipped magnitude, so that an edge counts the same whichever
side is brighter (another sun, another season) and however strong it is. The masked field of a view is correlated with
that of a map window by a matched filter: waves that the whole map is full of count less (`clutter.py`), and places are
compared by the plain sum of products, the logarithm of a likelihood ratio up to a factor, rather than by its share of
the local energy: where there is little structure there is little evidence.
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
LEAST_NORM = 1e-6
"""Divisor of scores on a map without any structure."""
FLAT = 1e-12
"""Second derivative below which three scores have no maximum between them."""


def orientation_field(grey: npt.NDArray[np.uint8], valid: npt.NDArray[np.uint8] | None = None) -> Field:
    """Doubled-angle field [H, W, 2] (cos, sin of 2*theta, weighted) of a grey image; zero where not valid.

    Validity shrinks by two pixels so that the border of the data makes no edge.
    """
    return np.dstack(planes(grey, None if valid is None else inner(valid), SMOOTHING_PX))


def planes(grey: npt.NDArray[np.uint8], mask: Field | None, smoothing_px: float) -> tuple[Field, Field]:
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
    """A rectified patch ready to be correlated: spectra of its weighted field, divisor of scores, side, valid pixels.

    The spectra are conjugate, as a correlation needs them.
    """

    x: Spectrum
    y: Spectrum
    norm: float
    size: int
    pixels: int


@dataclass(frozen=True)
class Window:
    """A map window ready to be correlated: spectra of its field (x, y) and its side."""

    x: Spectrum
    y: Spectrum
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
    texture: float,
    smoothing_px: float = SMOOTHING_PX,
    weight: Field | None = None,
) -> Template:
    """Spectra of a square grey patch in a transform of `side`, for a map of a mean energy per pixel (`texture`).

    `weight` [side, side // 2 + 1] is what each wave counts; all the same without it.
    """
    mask = inner(valid)
    pixels = cv2.countNonZero(mask)
    weight = np.ones((side, side // 2 + 1), np.float32) if weight is None else weight
    x, y = (spectrum(plane, side) for plane in planes(grey, mask, smoothing_px))
    norm = math.sqrt((_energy(x, weight) + _energy(y, weight)) * texture * pixels)
    weighted = [np.asarray(np.conjugate(wave) * weight, np.complex64) for wave in (x, y)]
    return Template(weighted[0], weighted[1], max(norm, LEAST_NORM), len(grey), pixels)


def make_window(grey: npt.NDArray[np.uint8], side: int, smoothing_px: float = SMOOTHING_PX) -> Window:
    """Spectra of a square grey map window (0 = no data)."""
    x, y = planes(grey, inner((grey > 0) * np.uint8(255)), smoothing_px)
    return Window(spectrum(x, side), spectrum(y, side), len(grey))


def correlate(template: Template, window: Window) -> Field:
    """Score of the template at every shift inside the window: [window - template + 1] squared.

    It is 1 where the view is, if the two pictures are one, on ground as textured as the map is on average.
    """
    match = window.x * template.x
    match += window.y * template.y
    score = shifts(match, len(window.x), window.size - template.size + 1)
    score /= np.float32(template.norm)
    return score


def _energy(half: Spectrum, weight: Field) -> float:
    """Energy of a real image from half of its spectrum (Parseval), each wave times its weight."""
    power = weight * (half.real**2 + half.imag**2)
    mirrored = 2 * float(power.sum()) - float(power[:, 0].sum() + power[:, -1].sum())
    return mirrored / len(half) ** 2


def spectrum(image: Field, side: int) -> Spectrum:
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


def shifts(half: Spectrum, side: int, count: int) -> Field:
    """The first `count` squared values [count, count] of the inverse transform of half a spectrum."""
    if count > side // PRUNED:
        columns = np.fft.ifft(half, axis=0)[:count]
        return np.asarray(np.fft.irfft(columns, n=side, axis=1)[:, :count], np.float32)
    down, across = _inverse(side, count)
    return (down @ half).view(np.float32) @ across


@lru_cache(maxsize=64)
def _inverse(side: int, count: int) -> tuple[Spectrum, Field]:
    """Inverse transform to `count` shifts as matrices: [count, side] down the columns, [side + 2, count] across."""
    shift, frequency = np.arange(count), np.arange(side // 2 + 1)
    down = np.exp(2j * np.pi / side * np.outer(shift, np.arange(side))) / side
    weight = np.where((frequency == 0) | (frequency == side // 2), 1.0, 2.0)[:, None] / side
    wave = weight * np.exp(2j * np.pi / side * np.outer(frequency, shift))
    across = np.stack([wave.real, -wave.imag], axis=1).reshape(-1, count)
    return down.astype(np.complex64), across.astype(np.float32)


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
