"""What the map's structure is like anywhere: the background that a match has to stand out from.

Edges of a map are not white noise: streets and roofs share directions and spacings, so that long waves and the lattice
of a town carry most of the correlation with wrong places. A matched filter for a signal in coloured clutter divides by
the clutter's power (Turin, "An introduction to matched filters", IRE Trans. Inf. Theory 6, 1960). Here the view
is itself such clutter, known from another source only: dividing by all of the power would lift the waves that the two
sources do not share, so it is the square root, and waves shorter than the sources agree on are damped.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.localization.structure import Field, orientation_field

FIELD_PX = 128
"""Side of the windows that are measured: waves up to half of a view, and the direction that all streets share."""
COHERENT_M = 0.7
"""Standard deviation of the Gaussian that damps short waves. Over real photos on another source's map and two made-up
grounds the true place stands out about as well from 0.7 to 1.5 m, at 1, 2 and 3 m per pixel."""
PAD = 4
"""Beyond the reach of the smoothing: the spectrum is that of a periodic field and goes on at its ends."""
LEAST_POWER = 0.01
"""Share of the mean power that every wave is taken to have."""


class Clutter:
    """Texture and power spectrum of a map's orientation field at one resolution."""

    def __init__(self, windows: Sequence[npt.NDArray[np.uint8]], gsd_m: float) -> None:
        """`windows`: grey, [FIELD_PX, FIELD_PX], 0 where there is no data."""
        fields = [orientation_field(grey, (grey > 0) * np.uint8(255)) for grey in windows]
        seen = sum(int(np.count_nonzero(grey)) for grey in windows)
        self.texture = sum(float((field**2).sum()) for field in fields) / max(seen, 1)
        self._power, self._gsd_m = _power(fields), gsd_m
        self._weights: dict[int, Field] = {}

    def weight(self, side: int) -> Field:
        """What each wave of a half spectrum [side, side // 2 + 1] counts in a match; 1 on average."""
        if side not in self._weights:
            down, across = np.fft.fftfreq(side), np.fft.rfftfreq(side)
            column, row = np.meshgrid(across * FIELD_PX + FIELD_PX // 2, down * FIELD_PX + FIELD_PX // 2)
            places = column.astype(np.float32), row.astype(np.float32)
            power = cv2.remap(self._power, *places, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
            short = np.exp(-0.5 * (2 * np.pi * COHERENT_M / self._gsd_m) ** 2 * (down[:, None] ** 2 + across**2))
            weight = short / np.sqrt(power)
            self._weights[side] = np.asarray(weight / weight.mean(), np.float32)
        return self._weights[side]


def _power(fields: Sequence[Field]) -> Field:
    """Mean power [FIELD_PX, FIELD_PX] over its mean, smoothed over neighbours, the zero frequency in the middle."""
    taper = np.hanning(FIELD_PX)[:, None] * np.hanning(FIELD_PX)
    waves = [np.fft.fft2(plane * taper) for field in fields for plane in np.moveaxis(field, 2, 0)]
    power = np.fft.fftshift(np.sum([np.abs(w) ** 2 for w in waves], axis=0))
    smooth = cv2.GaussianBlur(np.pad(power, PAD, mode="wrap"), (0, 0), 1.0)[PAD:-PAD, PAD:-PAD]
    return np.asarray(smooth / max(float(smooth.mean()), 1e-12) + LEAST_POWER, np.float32)
