"""Roads, the river and the cars of a town."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from mift_ros.simulation.canvas import Canvas, Kind, Points
from mift_ros.simulation.layout import Block, Layout, Road
from mift_ros.simulation.materials import ASPHALT, BANK, CARS, MARKING, PAVEMENT, STREET, TRACK, WATER, varied

MAIN_RANK = 2
"""Roads up to this rank are wide, have a centre line and cross the river."""
TAKEN = 0.6
"""Share of the parking stalls with a car."""


def paint_river(canvas: Canvas, layout: Layout, rng: np.random.Generator) -> None:
    """Banks, then water of varying width."""
    for extra, kind, pair in ((7.0, Kind.GROUND, BANK), (0.0, Kind.WATER, WATER)):
        material = varied(rng, kind, pair, 3.0, 4.0)
        for start in range(len(layout.river) - 1):
            canvas.line(layout.river[start : start + 2], layout.river_width_m[start] + extra, material)


def paint_roads(canvas: Canvas, roads: list[Road], blocks: list[Block], rng: np.random.Generator) -> None:
    """Main roads, streets where the land is built up, tracks elsewhere; the widest are painted last."""
    middles = np.array([block.outline.mean(axis=0) for block in blocks])
    density = np.array([block.density for block in blocks])
    for road in sorted(roads, key=lambda r: -r.rank):
        nearest = np.argsort(np.linalg.norm(middles - road.line[len(road.line) // 2], axis=1))[:3]
        if road.rank <= MAIN_RANK:
            _main_road(canvas, road, rng)
        elif density[nearest].mean() > 0.22:
            canvas.line(road.line, 8.4, varied(rng, Kind.PAVED, PAVEMENT, 5.0))
            canvas.line(road.line, rng.uniform(5.2, 6.4), varied(rng, Kind.ROAD, STREET, 6.0, 4.0))
        else:
            canvas.line(road.line, rng.uniform(2.6, 3.8), varied(rng, Kind.ROAD, TRACK, 7.0, 8.0))


def _main_road(canvas: Canvas, road: Road, rng: np.random.Generator) -> None:
    width = 13.0 - 2.0 * road.rank
    canvas.line(road.line, width + 3.0, varied(rng, Kind.PAVED, PAVEMENT, 4.0))
    canvas.line(road.line, width, varied(rng, Kind.ROAD, ASPHALT, 5.0, 4.0))
    marking = varied(rng, Kind.ROAD, MARKING, 3.0, 3.0)
    for start in range(0, len(road.line) - 1, 2):
        first, last = road.line[start : start + 2]
        canvas.line(np.stack([first, first + 0.6 * (last - first)]), 0.25, marking)


def park_cars(canvas: Canvas, roads: list[Road], rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """A copy of the materials with cars along the roads and in stalls; every call draws other cars."""
    material: npt.NDArray[np.uint16] = canvas.material.copy()
    stock = [canvas.add(varied(rng, Kind.CAR, (colour, colour), 6.0, 3.0)) for colour in CARS]
    for road in roads:
        gaps = rng.exponential(14.0 if road.rank > MAIN_RANK else 30.0, 60).cumsum() + 6.0
        for point, along in _stops(road.line, gaps):
            side = rng.choice([-1.0, 1.0]) * (2.4 if road.rank > MAIN_RANK else 2.0 + 1.5 * rng.random())
            _car(canvas, material, point + side * np.array([-along[1], along[0]]), along, int(rng.choice(stock)))
    for middle, along in canvas.stalls:
        if rng.random() < TAKEN and canvas.kind_at(middle[None])[0] in (Kind.GROUND, Kind.PAVED):
            _paint_car(canvas, material, middle + rng.normal(0, 0.2, 2), along, int(rng.choice(stock)))
    return material


def _stops(line: Points, at_m: Points) -> list[tuple[Points, Points]]:
    """Points and directions at distances along a polyline."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    found = []
    for at in at_m[at_m < lengths[-1] - 6.0]:
        index = int(np.searchsorted(lengths, at, side="right")) - 1
        along = (line[index + 1] - line[index]) / (lengths[index + 1] - lengths[index])
        found.append((line[index] + along * (at - lengths[index]), along))
    return found


def _car(canvas: Canvas, material: npt.NDArray[np.uint16], centre: Points, along: Points, index: int) -> None:
    if canvas.kind_at(centre[None])[0] == Kind.ROAD:
        _paint_car(canvas, material, centre, along, index)


def _paint_car(canvas: Canvas, material: npt.NDArray[np.uint16], centre: Points, along: Points, index: int) -> None:
    across = np.array([-along[1], along[0]])
    corners = np.array([centre + 2.2 * s * along + 0.9 * t * across for s, t in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    cv2.fillPoly(material, [np.round(canvas.pixels(corners) * 16).astype(np.int32)], index, shift=4)
