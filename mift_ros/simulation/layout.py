"""Where roads, blocks and the river of a town run: a recursive split of a square, bent by a smooth displacement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]


class Road(NamedTuple):
    """A centre line [N, 2] in metres and its rank: 0 is the widest."""

    line: Points
    rank: int


class Block(NamedTuple):
    """The land between roads: outline [N, 2] and corners [M, 2] in metres, how built-up it is in [0, 1]."""

    outline: Points
    corners: Points
    density: float


@dataclass(frozen=True)
class Bend:
    """A smooth displacement of the plane by a few sine waves: straight lines become gentle curves."""

    waves: Points
    phases: Points
    amplitudes: Points

    @classmethod
    def random(cls, rng: np.random.Generator, size_m: float) -> Bend:
        """Six waves from a third of the town to all of it."""
        lengths = rng.uniform(0.35, 1.0, 6) * size_m
        angles = rng.uniform(0, 2 * np.pi, 6)
        waves = 2 * np.pi / lengths[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return cls(waves, rng.uniform(0, 2 * np.pi, (6, 2)), 0.025 * lengths[:, None] * rng.uniform(0.3, 1, (6, 2)))

    def __call__(self, points: Points) -> Points:
        """Displace points [N, 2]."""
        phase = (points @ self.waves.T)[:, :, None] + self.phases
        return np.asarray(points + (np.sin(phase) * self.amplitudes).sum(axis=1))


class Plan(NamedTuple):
    """What a town is like before chance has a part in it.

    reach: of its built-up part, share of the town's side; block_m2: area of blocks outside it and in its middle;
    turn_rad: standard deviation by which a road misses the right angle.
    """

    reach: float = 0.33
    block_m2: tuple[float, float] = (45000.0, 9000.0)
    turn_rad: float = 0.16


MARKET_TOWN = Plan()
"""Built-up in the middle, open land around."""


@dataclass(frozen=True)
class Layout:
    """The plan of a town."""

    roads: list[Road]
    blocks: list[Block]
    river: Points
    river_width_m: Points


def densify(points: Points, step_m: float, closed: bool) -> Points:
    """Points every `step_m` along a polyline or polygon [N, 2]."""
    ring = np.concatenate([points, points[:1]]) if closed else points
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1))])
    at = np.linspace(0.0, lengths[-1], max(2, int(lengths[-1] / step_m) + 1))
    dense = np.stack([np.interp(at, lengths, ring[:, axis]) for axis in (0, 1)], axis=1)
    return dense[:-1] if closed else dense


def plan_town(rng: np.random.Generator, size_m: float, plan: Plan = MARKET_TOWN) -> Layout:
    """Plan a town whose built-up part lies around a random point near the middle."""
    margin = 0.15 * size_m
    low, high = -margin, size_m + margin
    square = np.array([[low, low], [high, low], [high, high], [low, high]])
    centre = size_m * rng.uniform(0.4, 0.6, 2)
    bend = Bend.random(rng, size_m)
    roads: list[Road] = []
    blocks: list[Block] = []
    _Splitter(rng, plan, centre, plan.reach * size_m, bend, roads, blocks).split(square, 0)
    river, width = _river(rng, size_m)
    return Layout(roads, blocks, river, width)


def _density(point: Points, centre: Points, reach_m: float) -> float:
    return float(np.exp(-0.5 * (np.linalg.norm(point - centre) / reach_m) ** 2))


class _Splitter(NamedTuple):
    """Splits the town into blocks, and notes the roads between them."""

    rng: np.random.Generator
    plan: Plan
    centre: Points
    reach_m: float
    bend: Bend
    roads: list[Road]
    blocks: list[Block]

    def split(self, polygon: Points, depth: int) -> None:
        """Split a convex polygon across its longer axis until its area suits the density of the place."""
        rng, bend, middle = self.rng, self.bend, polygon.mean(axis=0)
        density = float(np.clip(_density(middle, self.centre, self.reach_m) * rng.uniform(0.75, 1.25), 0, 1))
        if _area(polygon) < rng.uniform(0.7, 1.4) * np.interp(density, [0.15, 0.75], self.plan.block_m2):
            self.blocks.append(Block(bend(densify(polygon, 8.0, closed=True)), bend(polygon), density))
            return
        axis = np.linalg.eigh(np.cov(polygon.T))[1][:, -1]
        turn = rng.normal(0.0, self.plan.turn_rad)
        normal = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ axis
        through = middle + axis * rng.normal(0.0, 0.09) * np.sqrt(_area(polygon))
        first, second, cut = _cut(polygon, through, normal)
        self.roads.append(Road(bend(densify(cut, 8.0, closed=False)), depth))
        for part in (first, second):
            self.split(part, depth + 1)


def _cut(polygon: Points, through: Points, normal: Points) -> tuple[Points, Points, Points]:
    """Both parts of a convex polygon and the segment between them."""
    side = (polygon - through) @ normal
    halves: tuple[list[Points], list[Points]] = ([], [])
    crossings: list[Points] = []
    for here, there, a, b in zip(polygon, np.roll(polygon, -1, axis=0), side, np.roll(side, -1)):
        halves[0 if a < 0 else 1].append(here)
        if (a < 0) != (b < 0):
            crossing = here + (there - here) * (a / (a - b))
            crossings.append(crossing)
            halves[0].append(crossing)
            halves[1].append(crossing)
    return np.array(halves[0]), np.array(halves[1]), np.array(crossings)


def _area(polygon: Points) -> float:
    x, y = polygon.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)


def _river(rng: np.random.Generator, size_m: float) -> tuple[Points, Points]:
    """A meandering centre line from one side to the other and its width along it."""
    along = np.linspace(-0.1, 1.1, 160) * size_m
    across = size_m * rng.choice([0.2, 0.8]) + rng.normal(0, 0.03) * size_m
    phase = rng.uniform(0, 2 * np.pi, 3)
    waves = [(0.9, 0.05), (0.4, 0.035), (0.17, 0.012)]
    bends = sum(a * size_m * np.sin(2 * np.pi * along / (w * size_m) + p) for (w, a), p in zip(waves, phase))
    line = np.stack([along, across + bends], axis=1)
    width = 17.0 + 5.0 * np.sin(along / (0.11 * size_m) + phase[0])
    return (line if rng.random() < 0.5 else line[:, ::-1].copy()), width
