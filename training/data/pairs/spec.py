"""How many pairs are rendered, of which worlds."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from mift_ros.errors import TrainingError
from training.data.pairs.kinds import KINDS, Kind

GENERATOR_VERSION = 1
"""Raised with every change that gives other pairs for the same seed."""
MOST_PLACES = 1_000_000
SIZES_PX = (64, 512)


@dataclass(frozen=True)
class PairsSpec:
    """Pairs in all and of each world, side of both images in pixels, seed.

    Raises:
        TrainingError: a number out of range.
    """

    places: int = 12500
    per_world: int = 250
    size_px: int = 192
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.places <= MOST_PLACES:
            raise TrainingError(f"{self.places} places: give 1 to {MOST_PLACES}")
        if self.per_world < 1:
            raise TrainingError(f"{self.per_world} places of each world: give at least 1")
        if not SIZES_PX[0] <= self.size_px <= SIZES_PX[1]:
            raise TrainingError(f"images of {self.size_px} px: give {SIZES_PX[0]} to {SIZES_PX[1]}")
        if self.seed < 0:
            raise TrainingError(f"seed {self.seed}: give a number of 0 or more")

    def manifest(self) -> dict[str, Any]:
        """What set.json says: worlds of one manifest are the same in any folder, so that a set can grow."""
        sizes = {key: value for key, value in asdict(self).items() if key != "places"}
        return {"generator": "mift train data pairs", "version": GENERATOR_VERSION, **sizes}

    def worlds(self) -> list[PlannedWorld]:
        """Kinds take turns; the last world has the rest of the places."""
        counts = [self.per_world] * (self.places // self.per_world)
        rest = self.places % self.per_world
        return [PlannedWorld(n, KINDS[n % len(KINDS)], c) for n, c in enumerate(counts + [rest] * (rest > 0))]


class PlannedWorld(NamedTuple):
    """A world of a set and how many places it lends to it."""

    number: int
    kind: Kind
    places: int

    @property
    def file_name(self) -> str:
        """Of its shard."""
        return f"{self.number:04d}-{self.kind.name}.safetensors"
