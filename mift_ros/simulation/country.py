"""Land outside the town: fields with crop rows, forest, orchards, meadows with trees."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mift_ros.simulation.canvas import Canvas, Kind, Points
from mift_ros.simulation.layout import Block
from mift_ros.simulation.materials import CROPS, pick, varied
from mift_ros.simulation.trees import Nursery, inside, scatter


def sow(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Strips of crops along the longest side, each with its rows."""
    _, across = longest_side(block.corners)
    offsets = block.outline @ across
    count = int(rng.integers(1, 5))
    cuts = np.linspace(offsets.min(), offsets.max(), count + 1)
    cuts[1:-1] += rng.normal(0, 0.1, count - 1) * (cuts[1] - cuts[0])
    for low, high in pairwise(cuts):
        strip = _strip(block.outline, across, low, high)
        if len(strip) > 2:
            material = varied(rng, Kind.GROUND, pick(rng, CROPS), 8.0, rng.uniform(3, 8))
            canvas.polygon(strip, material)
            _rows(canvas, strip, across, rng)


def plant_hedge(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Trees along a part of the border of every other field."""
    if rng.random() < 0.5:
        start = int(rng.integers(len(block.outline)))
        side = np.roll(block.outline, start, axis=0)[: len(block.outline) // 3]
        nursery.plant(side + rng.normal(0, 0.6, side.shape), rng.uniform(2.0, 4.0))


def plant_forest(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Dense trees, with clearings where a random field is low."""
    points = scatter(rng, block.outline, 4.6)
    clearing = block.outline[rng.integers(len(block.outline))] * 0.35 + block.outline.mean(axis=0) * 0.65
    far = np.linalg.norm(points - clearing, axis=1) > rng.uniform(0, 45)
    nursery.plant(points[far], 3.1)


def plant_orchard(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Small trees on a grid along the longest side."""
    along, across = longest_side(block.corners)
    reach = np.abs(block.outline - block.outline.mean(axis=0)).max() * 1.5
    east, north = np.meshgrid(np.arange(-reach, reach, 6.0), np.arange(-reach, reach, 4.5))
    points = block.outline.mean(axis=0) + east.reshape(-1, 1) * across + north.reshape(-1, 1) * along
    nursery.plant(inside(block.outline, points, 8.0), 1.9, 0.15)


def plant_groups(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """A few groups of trees."""
    for point in scatter(rng, block.outline, 60.0):
        group = point + rng.normal(0, 7.0, (int(rng.integers(1, 9)), 2))
        nursery.plant(group, rng.uniform(2.5, 5.0))


def longest_side(corners: Points) -> tuple[Points, Points]:
    """Unit vectors [2] along the longest side of a polygon [M, 2] and across it."""
    sides = np.roll(corners, -1, axis=0) - corners
    side = sides[np.argmax(np.linalg.norm(sides, axis=1))]
    along = side / np.linalg.norm(side)
    return along, np.array([-along[1], along[0]])


def _strip(outline: Points, across: Points, low: float, high: float) -> Points:
    """The part of a nearly convex outline whose offset along `across` is between low and high."""
    parts = outline
    for limit, sign in ((low, 1.0), (high, -1.0)):
        side = sign * (parts @ across - limit)
        kept: list[Points] = []
        for a, b, here, there in zip(side, np.roll(side, -1), parts, np.roll(parts, -1, axis=0)):
            if a >= 0:
                kept.append(here)
            if (a >= 0) != (b >= 0):
                kept.append(here + (there - here) * (a / (a - b)))
        parts = np.array(kept).reshape(-1, 2)
        if len(parts) < 3:
            break
    return parts


def _rows(canvas: Canvas, strip: Points, across: Points, rng: np.random.Generator) -> None:
    """Crop rows and tractor lanes over the material that was painted last."""
    low, high = strip.min(axis=0), strip.max(axis=0)
    window = canvas.window((low + high) / 2, float((high - low).max()) / 2)
    mine = canvas.material[window.rows, window.cols] == len(canvas.materials) - 1
    offset = window.east_m[mine] * across[0] + window.north_m[mine] * across[1]
    period, strength = rng.uniform(1.2, 3.5), rng.uniform(2, 9)
    lanes = -12.0 * (np.mod(offset, rng.uniform(12, 24)) < 0.9)
    rows = strength * np.sin(2 * np.pi * offset / period) + lanes
    canvas.detail[window.rows, window.cols][mine] = rows.astype(np.int8)
