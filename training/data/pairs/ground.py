"""Rendered pairs as ground to train on: a place is a square cut out of both images of a pair."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mift_ros.errors import TrainingError
from training.data.orthophotos.imagery import Imagery
from training.data.orthophotos.places import Place, Sides, near
from training.data.pairs.shard import Encoded, Pair, decode, read_shard
from training.recipes.data_schema import SourceSpec

LEAST_CUT = 0.7
"""Side of a place as a share of its pair's, at least: what fits at any angle."""
MIDDLE = 0.8
"""Side of the places to evaluate on as a share of their pair's."""


@dataclass(frozen=True)
class RenderedWorld:
    """The pairs of one shard, kept as JPEG: decoded they would take five times the memory."""

    name: str
    pairs: tuple[Pair, ...]
    group: int
    held_out: bool

    @property
    def domain(self) -> str:
        """No two worlds show the same ground."""
        return self.name

    def weight(self, side_m: tuple[float, float], least_px: float) -> float:
        """Every pair alike."""
        return float(len(self.pairs))

    def draw(self, index: int, side_m: tuple[float, float], least_px: float, rng: np.random.Generator) -> Place | None:
        """A square inside a random pair, turned and mirrored at random, of the sides asked for if it has them."""
        number = int(rng.integers(len(self.pairs)))
        whole_m = self.pairs[number].side_m
        turn_rad, mirrored = float(rng.uniform(-math.pi, math.pi)), bool(rng.random() < 0.5)
        spread = abs(math.cos(turn_rad)) + abs(math.sin(turn_rad))
        side = min(whole_m * rng.uniform(LEAST_CUT, 1.0), side_m[1], whole_m / spread)
        room_m = max(whole_m - side * spread, 0.0) / 2
        x_m, y_m = (float(v + rng.uniform(-room_m, room_m)) for v in self._middle(number))
        return Place(index, x_m, y_m, side, turn_rad, mirrored, number)

    def sides(self, place: Place) -> Sides:
        """Both images of the place's pair, and the place in them."""
        pair = self.pairs[place.pair]
        x_m, y_m = self._middle(place.pair)
        half = pair.side_m / 2
        inside = Place(0, place.x_m - x_m + half, place.y_m - y_m + half, place.side_m, place.turn_rad, place.mirrored)
        return Sides(self._image(pair.map_jpeg, pair.side_m), self._image(pair.drone_jpeg, pair.side_m), inside)

    def apart(self, index: int) -> list[Place]:
        """Of its pairs the middles, north up, those left out that overlap with one before."""
        places: list[Place] = []
        for number, pair in enumerate(self.pairs):
            x_m, y_m = self._middle(number)
            place = Place(index, x_m, y_m, MIDDLE * pair.side_m, 0.0, False, number)
            if not any(near(place, other) for other in places):
                places.append(place)
        return places

    def _middle(self, number: int) -> tuple[float, float]:
        """Of a pair: metres to the right and down from the middle of the world."""
        east_m, north_m = self.pairs[number].centre_m
        return east_m, -north_m

    def _image(self, jpeg: Encoded, side_m: float) -> Imagery:
        pixels = decode(jpeg, self.name)
        valid = np.ones((1, 1), np.bool_)
        return Imagery(self.name, (pixels,), side_m / len(pixels), valid, self.group, self.name, self.held_out)


def load_worlds(root: Path, sources: tuple[SourceSpec, ...]) -> list[RenderedWorld]:
    """Every shard of the recipe's sources that have pairs; raises TrainingError for none and for a damaged one."""
    worlds: list[RenderedWorld] = []
    for group, source in enumerate(sources):
        if not source.pairs:
            continue
        paths = sorted(root.glob(source.pairs))
        if not paths:
            raise TrainingError(f"{root}: no shard matches '{source.pairs}'; make some with 'mift train data pairs'")
        for index, path in enumerate(paths):
            name, held_out = str(path.relative_to(root)), source.holds_out(index)
            worlds.append(RenderedWorld(name, read_shard(path).pairs, group, held_out))
    return worlds
