"""Gradient-orientation correlation of every query with every tile: what can be had without any network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.localization.structure import LEAST_OF_TEMPLATE, LEAST_OF_TEXTURE, inner, orientation_field

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

SIZE_PX = 48
"""Tiles of 72 m come to 1.5 m per pixel."""
MARGIN_PX = 8
"""Largest shift that is tried, a sixth of the side: what the recipe's pairs may be shifted by, and no less."""
POSES = ((0.0, 1.0), (-6.0, 1.0), (6.0, 1.0), (0.0, 0.92), (0.0, 1.08))
"""Turn, degrees, and scale around those that the query is given with; the steps are those of the classical peer."""
TILES_AT_ONCE = 8


class OrientationMatcher:
    """Best score of gradient-orientation correlation over all shifts, and some headings and scales, per tile.

    The score is that of mift_ros.localization.structure.correlate; the middle of the query is the template. So few
    shifts of so many pairs cost less as matrix products than as transforms.
    """

    name = "orientation correlation"
    size = 128

    def scores(self, queries: Pixels, tiles: Pixels) -> Floats:
        """See Matcher."""
        whole = np.full((SIZE_PX, SIZE_PX), 255, np.uint8)
        fields = [orientation_field(_grey(tile, SIZE_PX), whole) for tile in tiles]
        texture = float(np.mean([np.square(field).sum(axis=2).mean() for field in fields]))
        templates = [_template(*view, texture) for query in queries for view in posed(query)]
        products = _Products(templates)
        best = [products.best(fields[start : start + TILES_AT_ONCE]) for start in range(0, len(fields), TILES_AT_ONCE)]
        each = np.concatenate(best).reshape(len(tiles), len(queries), -1)
        return np.ascontiguousarray(each.max(axis=2).T)


@dataclass(frozen=True)
class _Template:
    """The middle of a view: field [s * s * 2], mask [s * s], norm, and the least energy a place is taken to have."""

    field: Floats
    mask: Floats
    norm: float
    floor: float


class _Products:
    """Templates side by side, ready to be multiplied with the windows of tiles."""

    def __init__(self, templates: Sequence[_Template]) -> None:
        self._fields = np.stack([template.field for template in templates], axis=1)
        self._masks = np.stack([template.mask for template in templates], axis=1)
        self._norms = np.array([template.norm for template in templates], np.float32)
        self._floors = np.array([template.floor for template in templates], np.float32)

    def best(self, fields: Sequence[Floats]) -> Floats:
        """Best score over all shifts [tiles, templates]."""
        match = np.concatenate([windows(field) for field in fields]) @ self._fields
        energy = np.concatenate([windows(np.square(f).sum(axis=2, keepdims=True)) for f in fields]) @ self._masks
        match /= self._norms * np.sqrt(np.maximum(energy, self._floors)) + np.float32(1e-9)
        return np.asarray(match.reshape(len(fields), -1, match.shape[1]).max(axis=1), np.float32)


def posed(query: Pixels) -> Iterator[tuple[Pixels, Pixels]]:
    """The query [S, S, 3] at each of POSES: grey and valid, both [SIZE_PX, SIZE_PX]."""
    grey = _grey(query, SIZE_PX)
    valid = np.where(grey > 0, 255, 0).astype(np.uint8)
    middle = (SIZE_PX - 1) / 2
    for turn_deg, scale in POSES:
        matrix = cv2.getRotationMatrix2D((middle, middle), turn_deg, scale)
        turned, shown = (cv2.warpAffine(plane, matrix, (SIZE_PX, SIZE_PX)) for plane in (grey, valid))
        yield np.asarray(turned, np.uint8), np.asarray(shown, np.uint8)


def windows(field: Floats) -> Floats:
    """Every window of the templates' side in a field [S, S, C]: [shifts, side * side * C]."""
    side = SIZE_PX - 2 * MARGIN_PX
    seen = np.lib.stride_tricks.sliding_window_view(field, (side, side), axis=(0, 1))
    return np.ascontiguousarray(seen.transpose(0, 1, 3, 4, 2)).reshape(-1, side * side * field.shape[2])


def _template(grey: Pixels, valid: Pixels, texture: float) -> _Template:
    middle = slice(MARGIN_PX, SIZE_PX - MARGIN_PX)
    field = np.ascontiguousarray(orientation_field(grey, valid)[middle, middle])
    mask = np.ascontiguousarray(inner(valid)[middle, middle])
    energy = float(np.square(field).sum())
    floor = max(1e-6, LEAST_OF_TEMPLATE * energy, LEAST_OF_TEXTURE * texture * float(mask.sum()))
    return _Template(field.ravel(), mask.ravel(), float(np.sqrt(energy)), floor)


def _grey(image: Pixels, side: int) -> Pixels:
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.uint8)
