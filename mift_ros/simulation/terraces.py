"""The dense part of a city: rows of joined houses along the streets, sheds behind them, car parks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from mift_ros.simulation import materials as m
from mift_ros.simulation.buildings import Building, Roof, axes, fits, raise_building
from mift_ros.simulation.canvas import Canvas, Kind, Points
from mift_ros.simulation.country import longest_side
from mift_ros.simulation.layout import Block
from mift_ros.simulation.trees import Nursery, inside, scatter

FRONT_M, DEPTH_M, SETBACK_M = (5.0, 16.0), (10.0, 17.0), (5.5, 8.0)
STOREY_M, STOREYS = 3.2, (2, 6)
FLAT_SHARE = 0.55
SHED_SPACING_M, SHED_SHARE = 11.0, 0.55
ROOFS = (*m.HALL_ROOFS, *m.HOUSE_ROOFS)
STALL_M, ROW_M = (2.6, 5.0), 17.0
"""Width and length of a stall; distance between aisles, which have a row of stalls on either side."""


class _Street(NamedTuple):
    """One side of a block: where it starts, unit vectors along it and into the block, its length."""

    start: Points
    along: Points
    inward: Points
    length_m: float


def build_terraces(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Houses wall to wall along every side of the block; what is left inside gets sheds, then trees."""
    roofs = [ROOFS[int(rng.integers(len(ROOFS)))] for _ in range(5)]
    for start, stop in zip(block.corners, np.roll(block.corners, -1, axis=0)):
        length = float(np.linalg.norm(stop - start))
        along = (stop - start) / length
        _row(canvas, block, _Street(start, along, np.array([-along[1], along[0]]), length), roofs, rng)
    for point in scatter(rng, block.outline, SHED_SPACING_M):
        if rng.random() < SHED_SHARE:
            angle = float(np.arctan2(*(block.corners[1] - block.corners[0])[::-1]))
            shed = Building(point, angle, rng.uniform(4, 11), rng.uniform(3, 8), rng.uniform(2.4, 4.5), Roof.FLAT)
            _raise_free(canvas, block, shed, m.pick(rng, ROOFS), rng)
    nursery.plant(scatter(rng, block.outline, rng.uniform(8, 16)), 2.2, 0.4)


def _row(canvas: Canvas, block: Block, street: _Street, roofs: list[m.Pair], rng: np.random.Generator) -> None:
    """Houses of uneven width, depth and height, with a gap here and there."""
    angle = float(np.arctan2(street.along[1], street.along[0]))
    setback, storeys = rng.uniform(*SETBACK_M), rng.integers(*STOREYS)
    at = 8.0
    while at < street.length_m - 14.0:
        front, depth = rng.uniform(*FRONT_M), rng.uniform(*DEPTH_M)
        middle = street.start + street.along * (at + front / 2) + street.inward * (setback + depth / 2)
        eaves = STOREY_M * max(1, storeys + rng.integers(-1, 2)) + rng.uniform(0, 0.8)
        roof = Roof.FLAT if rng.random() < FLAT_SHARE else Roof.GABLE
        turned, sides = (angle, (front, depth)) if front > depth else (angle + np.pi / 2, (depth, front))
        house = Building(middle, turned, *sides, eaves, roof, rng.uniform(0.2, 0.6))
        _raise_free(canvas, block, house, roofs[int(rng.integers(len(roofs)))], rng)
        at += front + (rng.uniform(2, 7) if rng.random() < 0.12 else 0.0)


def _raise_free(canvas: Canvas, block: Block, house: Building, roof: m.Pair, rng: np.random.Generator) -> None:
    """Raise a building that touches others at most; flat roofs carry tanks and stairs."""
    if len(inside(block.outline, house.corners(-0.3))) < 4 or not fits(canvas, house, -0.3):
        return
    raise_building(canvas, house, m.varied(rng, Kind.BUILDING, roof, 12.0), rng)
    if house.roof is Roof.FLAT and house.eaves_m > 2 * STOREY_M:
        for along, across in rng.uniform(-0.35, 0.35, (int(rng.integers(1, 4)), 2)):
            offset = np.array([along * house.length_m, across * house.width_m]) @ axes(house.angle_rad)
            length, width = rng.uniform(1.2, 3.5, 2)
            unit = Building(
                house.centre + offset, house.angle_rad, length, width, house.eaves_m + rng.uniform(0.8, 2.6), Roof.FLAT
            )
            raise_building(canvas, unit, m.varied(rng, Kind.BUILDING, m.pick(rng, ROOFS), 14.0), rng)


def lay_car_park(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Aisles with stalls on both sides along the longest side of the block; who parks there changes with the look."""
    along, across = longest_side(block.corners)
    marking = m.varied(rng, Kind.PAVED, m.MARKING, 4.0, 3.0)
    middle = block.outline.mean(axis=0)
    reach = float(np.abs(block.outline - middle).max()) * 1.5
    rows = np.arange(-reach, reach, ROW_M) + rng.uniform(0, ROW_M)
    for row in np.concatenate([rows, rows + STALL_M[1] + 0.2]):
        places = middle + across * row + along * np.arange(-reach, reach, STALL_M[0])[:, None]
        for place in inside(block.outline, places, 12.0):
            corner = place + along * STALL_M[0] / 2
            canvas.line(np.stack([corner - across * STALL_M[1] / 2, corner + across * STALL_M[1] / 2]), 0.15, marking)
            canvas.stalls.append((place, across))


def plant_islands(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Trees around a car park."""
    nursery.plant(block.outline * 0.94 + block.outline.mean(axis=0) * 0.06, 2.4, 0.4)
