"""A campus: groups of joined wings around lawns, courtyards and paths, lower and higher, under similar roofs."""

from __future__ import annotations

import numpy as np

from mift_ros.simulation import materials as m
from mift_ros.simulation.buildings import Building, Roof, axes, fits, raise_building
from mift_ros.simulation.canvas import Canvas, Kind, Points
from mift_ros.simulation.country import longest_side
from mift_ros.simulation.layout import Block
from mift_ros.simulation.trees import Nursery, inside, scatter

Plan = tuple[tuple[float, float, float, float], ...]
"""Wings of a group in a square of side 1: centre along and across, length and width."""

PLANS: tuple[Plan, ...] = (
    ((0.0, 0.0, 1.0, 0.34),),
    ((0.0, 0.0, 0.5, 0.5),),
    ((0.0, -0.35, 1.0, 0.3), (-0.35, 0.0, 0.3, 1.0)),
    ((0.0, -0.35, 1.0, 0.3), (0.35, 0.0, 0.3, 1.0)),
    ((0.0, -0.36, 1.0, 0.28), (-0.36, 0.0, 0.28, 1.0), (0.36, 0.0, 0.28, 1.0)),
    ((0.0, -0.37, 1.0, 0.26), (0.0, 0.37, 1.0, 0.26), (-0.37, 0.0, 0.26, 1.0), (0.37, 0.0, 0.26, 1.0)),
    ((0.0, 0.0, 1.0, 0.28), (-0.36, 0.0, 0.28, 1.0), (0.36, 0.0, 0.28, 1.0)),
    ((0.0, 0.35, 1.0, 0.3), (0.0, 0.0, 0.3, 1.0)),
    ((0.0, 0.0, 1.0, 0.28), (0.0, 0.0, 0.28, 1.0)),
    ((0.0, -0.36, 1.0, 0.28), (-0.36, 0.0, 0.28, 1.0), (0.1, 0.0, 0.24, 1.0)),
)
SPACING_M, SIDE_M, SMALLER = (18.0, 34.0), (32.0, 62.0), (1.0, 0.75, 0.55)
APART_M = 8.0
STOREY_M, LOW, HIGH, TOWERS = 3.4, (2, 6), (7, 12), 0.12
ROOF_COLOURS = m.HALL_ROOFS + m.HOUSE_ROOFS[:5]


def build_campus(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Groups of wings along the longest side of the block, joined by paths; trees on the lawns."""
    along, _ = longest_side(block.corners)
    angle = float(np.arctan2(along[1], along[0]))
    colours = m.pick(rng, ROOF_COLOURS), m.pick(rng, ROOF_COLOURS)
    middle = block.outline.mean(axis=0)
    for point in rng.permutation(scatter(rng, block.outline, rng.uniform(*SPACING_M))):
        wings = _place(canvas, block, point, angle, rng)
        if wings:
            canvas.line(np.stack([point, middle]), rng.uniform(2.0, 3.5), m.varied(rng, Kind.PAVED, m.PAVEMENT))
            _raise(canvas, wings, colours[int(rng.random() < 0.3)], rng)
    nursery.plant(scatter(rng, block.outline, rng.uniform(9, 17)), 3.0, 0.4)


def _place(canvas: Canvas, block: Block, point: Points, angle: float, rng: np.random.Generator) -> list[Building]:
    """The first of ever smaller groups that stands free, or none."""
    plan = PLANS[int(rng.integers(len(PLANS)))]
    turned = angle + float(rng.integers(4)) * np.pi / 2
    side_m, tower = rng.uniform(*SIDE_M), rng.random() < TOWERS
    storeys = rng.integers(*(HIGH if tower else LOW))
    roof = Roof.HIP if not tower and rng.random() < 0.35 else Roof.FLAT
    for smaller in SMALLER:
        wings = [_wing(wing, point, turned, smaller * side_m, storeys * STOREY_M, roof) for wing in plan]
        if all(len(inside(block.outline, wing.corners(3.0))) == 4 and fits(canvas, wing, APART_M) for wing in wings):
            return wings
    return []


def _wing(
    wing: tuple[float, float, float, float], point: Points, angle: float, side_m: float, eaves_m: float, roof: Roof
) -> Building:
    """One wing; a building is never wider than long, which its roof depends on."""
    along, across, length, width = (side_m * value for value in wing)
    centre = point + np.array([along, across]) @ axes(angle)
    if width > length:
        angle, length, width = angle + np.pi / 2, width, length
    return Building(centre, angle, length, width, eaves_m, roof, 0.45)


def _raise(canvas: Canvas, wings: list[Building], colours: m.Pair, rng: np.random.Generator) -> None:
    """Wings under one roof colour, of the same height or one storey apart; units on flat roofs."""
    material = m.varied(rng, Kind.BUILDING, colours, 9.0, 5.0)
    for wing in wings:
        lower = wing._replace(eaves_m=wing.eaves_m - STOREY_M * float(rng.random() < 0.25))
        raise_building(canvas, lower, material, rng)
        for along, across in rng.uniform(-0.42, 0.42, (int(rng.integers(0, 5)), 2)) * (lower.roof is Roof.FLAT):
            centre = lower.centre + np.array([along * lower.length_m, across * 0.6 * lower.width_m]) @ axes(
                lower.angle_rad
            )
            length, width = rng.uniform(1.5, 6.0), rng.uniform(1.5, 4.0)
            unit = Building(centre, lower.angle_rad, length, width, lower.eaves_m + rng.uniform(1, 2.5), Roof.FLAT)
            raise_building(canvas, unit, m.varied(rng, Kind.BUILDING, m.pick(rng, m.HALL_ROOFS[:3]), 14.0), rng)
