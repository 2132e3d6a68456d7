"""Land inside the town: houses with gardens, flats, halls with parking, parks and sports grounds."""

from __future__ import annotations

import numpy as np

from mift_ros.simulation import materials as m
from mift_ros.simulation.buildings import Building, Roof, fits, raise_building
from mift_ros.simulation.canvas import Canvas, Kind, Points
from mift_ros.simulation.country import longest_side
from mift_ros.simulation.layout import Block
from mift_ros.simulation.trees import Nursery, inside, scatter


def build_houses(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Detached houses along the edges of the block, each with a drive, some with a pool; trees in the gardens."""
    style = rng.integers(len(m.HOUSE_ROOFS), size=3)
    for start, stop in zip(block.corners, np.roll(block.corners, -1, axis=0)):
        length = np.linalg.norm(stop - start)
        for at in np.arange(16.0, length - 12.0, rng.uniform(17.0, 25.0)):
            front = start + (stop - start) * at / length
            _house(canvas, front, (stop - start) / length, block, rng, m.HOUSE_ROOFS[style[rng.integers(3)]])
    nursery.plant(scatter(rng, block.outline, rng.uniform(13, 22)), 2.6, 0.4)


def _house(
    canvas: Canvas, front: Points, along: Points, block: Block, rng: np.random.Generator, colours: m.Pair
) -> None:
    inward = np.array([-along[1], along[0]])
    setback = rng.uniform(13.0, 17.0)
    angle = float(np.arctan2(along[1], along[0]) + rng.choice([0, 0, np.pi / 2]) + rng.normal(0, 0.03))
    house = Building(
        front + inward * setback, angle, rng.uniform(10, 16), rng.uniform(7.5, 10.5), rng.uniform(2.8, 6.0),
        Roof.HIP if rng.random() < 0.35 else Roof.GABLE, rng.uniform(0.45, 0.9),
    )  # fmt: skip
    if not len(inside(block.outline, house.centre[None])) or not fits(canvas, house):
        return
    drive = np.stack([front, house.centre]) + along * rng.uniform(-4, 4)
    canvas.line(drive, rng.uniform(2.8, 4.5), m.varied(rng, Kind.PAVED, m.PAVEMENT))
    raise_building(canvas, house, m.varied(rng, Kind.BUILDING, colours, 9.0), rng)
    if rng.random() < 0.4:
        wing = house._replace(
            centre=house.centre + inward * rng.uniform(4, 6) + along * rng.uniform(-3, 3), angle_rad=angle + np.pi / 2,
            length_m=9.0, width_m=6.0, eaves_m=house.eaves_m - 0.4, roof=Roof.GABLE,
        )  # fmt: skip
        raise_building(canvas, wing, canvas.materials[-1], rng)
    elif rng.random() < 0.2:
        pool = house._replace(centre=house.centre + inward * 12.0, length_m=8.0, width_m=4.0)
        if fits(canvas, pool) and len(inside(block.outline, pool.centre[None], 4.0)):
            canvas.polygon(pool.corners(1.2), m.varied(rng, Kind.PAVED, m.CONCRETE))
            canvas.polygon(pool.corners(), m.varied(rng, Kind.WATER, m.POOL, 5.0, 3.0))


def build_flats(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Rows of long buildings on lawns with paths."""
    along, across = longest_side(block.corners)
    angle = float(np.arctan2(along[1], along[0])) + (np.pi / 2 if rng.random() < 0.4 else 0.0)
    colours = m.pick(rng, m.HALL_ROOFS)
    for point in scatter(rng, block.outline, rng.uniform(30, 40)):
        slab = Building(point, angle, rng.uniform(26, 55), rng.uniform(11, 15), rng.uniform(9, 18), Roof.FLAT)
        if len(inside(block.outline, slab.corners(4.0))) == 4 and fits(canvas, slab, 5.0):
            canvas.line(np.stack([point, point + across * 40]), 2.2, m.varied(rng, Kind.PAVED, m.PAVEMENT))
            raise_building(canvas, slab, m.varied(rng, Kind.BUILDING, colours, 7.0), rng)
    nursery.plant(scatter(rng, block.outline, 15.0), 3.0, 0.4)


def build_halls(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Large halls among paved yards and parking rows."""
    along, _ = longest_side(block.corners)
    angle = float(np.arctan2(along[1], along[0]))
    for shrink in (1.0, 0.75, 0.5):
        for point in rng.permutation(scatter(rng, block.outline, 16.0)):
            hall = Building(
                point, angle, shrink * rng.uniform(34, 64), shrink * rng.uniform(20, 34), rng.uniform(5, 11),
                Roof.GABLE if rng.random() < 0.25 else Roof.FLAT, 0.18,
            )  # fmt: skip
            if len(inside(block.outline, hall.corners(6.0))) == 4 and fits(canvas, hall, 7.0):
                (_hall if rng.random() < 0.6 else _stalls)(canvas, hall, rng)
    nursery.plant(block.outline * 0.93 + block.outline.mean(axis=0) * 0.07, 2.2)


def _hall(canvas: Canvas, hall: Building, rng: np.random.Generator) -> None:
    """A hall with units on its roof."""
    raise_building(canvas, hall, m.varied(rng, Kind.BUILDING, m.pick(rng, m.HALL_ROOFS), 8.0, 4.0), rng)
    axis = np.array([np.cos(hall.angle_rad), np.sin(hall.angle_rad)])
    for along, across in rng.uniform(-0.35, 0.35, (int(rng.integers(2, 8)), 2)):
        centre = hall.centre + axis * along * hall.length_m + axis[::-1] * [-1, 1] * across * hall.width_m
        length, width = rng.uniform(1.5, 5.0, 2)
        unit = Building(centre, hall.angle_rad, length, width, hall.eaves_m + rng.uniform(1, 2.5), Roof.FLAT)
        raise_building(canvas, unit, m.varied(rng, Kind.BUILDING, m.pick(rng, m.HALL_ROOFS[:3]), 14.0), rng)


def _stalls(canvas: Canvas, yard: Building, rng: np.random.Generator) -> None:
    """White lines of parking stalls along a row."""
    canvas.polygon(yard.corners(2.0), m.varied(rng, Kind.PAVED, m.ASPHALT))
    corners = yard.corners()
    marking = m.varied(rng, Kind.PAVED, m.MARKING, 4.0, 3.0)
    for share in np.arange(0, 1.001, 2.6 / yard.length_m):
        first, last = corners[0] + (corners[1] - corners[0]) * share, corners[3] + (corners[2] - corners[3]) * share
        for a, b in ((0.0, 0.24), (0.76, 1.0)):
            canvas.line(np.stack([first + (last - first) * a, first + (last - first) * b]), 0.15, marking)


def lay_park(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    """Winding paths, and a pond or a sports ground."""
    middle = block.outline.mean(axis=0)
    for _ in range(3):
        ends = block.outline[rng.integers(len(block.outline), size=2)]
        bow = middle + rng.normal(0, 15, 2)
        t = np.linspace(0, 1, 20)[:, None]
        canvas.line(
            (1 - t) ** 2 * ends[0] + 2 * t * (1 - t) * bow + t**2 * ends[1], 2.4, m.varied(rng, Kind.PAVED, m.PAVEMENT)
        )
    (_pond if rng.random() < 0.5 else _sports)(canvas, block, rng)


def plant_park(canvas: Canvas, block: Block, rng: np.random.Generator, nursery: Nursery) -> None:
    """Large trees, loosely."""
    nursery.plant(scatter(rng, block.outline, rng.uniform(9, 14)), 3.6, 0.4)


def _pond(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    radius = 18 + 4 * np.sin(2 * angle + rng.uniform(0, 6)) + 2.5 * np.sin(3 * angle + rng.uniform(0, 6))
    shore = block.outline.mean(axis=0) + np.stack([np.cos(angle) * radius * 1.3, np.sin(angle) * radius], axis=1)
    canvas.polygon(shore, m.varied(rng, Kind.WATER, m.WATER, 4.0, 3.0))


def _sports(canvas: Canvas, block: Block, rng: np.random.Generator) -> None:
    along, _ = longest_side(block.corners)
    angle = float(np.arctan2(along[1], along[0]))
    pitch = Building(block.outline.mean(axis=0), angle, rng.uniform(50, 75), rng.uniform(32, 45), 0.0, Roof.FLAT)
    canvas.polygon(pitch.corners(5.0), m.varied(rng, Kind.PAVED, m.CLAY if rng.random() < 0.5 else m.PITCH))
    canvas.polygon(pitch.corners(), m.varied(rng, Kind.PAVED, m.PITCH, 5.0, 3.0))
    marking = m.varied(rng, Kind.PAVED, m.MARKING, 3.0, 2.0)
    corners = pitch.corners(-1.5)
    canvas.line(np.concatenate([corners, corners[:1]]), 0.35, marking)
    canvas.line(np.stack([(corners[0] + corners[1]) / 2, (corners[2] + corners[3]) / 2]), 0.35, marking)
    t = np.linspace(0, 2 * np.pi, 32)
    canvas.line(pitch.centre + 7.0 * np.stack([np.cos(t), np.sin(t)], axis=1), 0.35, marking)
